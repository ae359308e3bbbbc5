"""How well the counsellor's quality is judged, criterion by criterion, over the calls to which a criterion applies.

The truth is `qa`: fulfilled, not fulfilled, or null where the criterion does not apply. The older `qa_expected` gives a
head: 1.0 means that all of its criteria are fulfilled, 0.0 that none is, null that none applies; what lies between
tells nothing of one criterion. A criterion that applies and was not judged is an abstention: it is wrong, and the
fulfilled ones among them are not recalled. Of a call that was put in as text and does not say when its turns were,
nothing is known of what needs times: who cut off whom, and holds.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import InputError
from callbus.evaluate.heard import Heard
from callbus.topology import Topology

_JUDGED = {"pass": True, "fail": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionScore:
    """`precision` and `recall` are of "fulfilled"; None where none was said to be, or none is."""

    accuracy: float | None
    precision: float | None
    recall: float | None
    applicable: int
    abstentions: int
    misapplied: int  # judged, though the criterion does not apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Qa:
    """`mean_accuracy`: over the criteria that apply to a call at least; None without truth."""

    mean_accuracy: float | None
    per_criterion: Mapping[str, CriterionScore]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A criterion of a call: what is true of it and what was said; None: does not apply."""

    criterion: str
    true: bool | None
    said: bool | None

    @property
    def right(self) -> bool:
        return self.true == self.said


def timed_criteria(topology: Topology) -> frozenset[str]:
    """The criteria that need the turns' times, by the rubric that a group's option `rubric` names; none without one.
    InputError for a rubric that can't be read."""
    named = [group.options["rubric"] for group in topology.groups.values() if "rubric" in group.options]
    if not named:
        return frozenset()
    path = topology.root / Path(str(named[0]))
    try:
        judged: Any = yaml.safe_load(path.read_text(encoding="utf-8"))["judged_by"]
        return frozenset(
            name for name, how in judged.items() if how.get("how") == "overlap" or how.get("only_if") == "hold"
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no rubric; it needs `judged_by: {{criterion: {{how: …}}, …}}`") from error


def score(calls: Sequence[Heard], timed: Collection[str] = ()) -> Qa:
    """Over the calls that have truth for it; `timed` are the criteria that need times."""
    by_name: defaultdict[str, list[Verdict]] = defaultdict(list)
    for call in calls:
        for verdict in verdicts(call, timed):
            by_name[verdict.criterion].append(verdict)
    per_criterion = {name: _criterion(its) for name, its in by_name.items()}
    known = [one.accuracy for one in per_criterion.values() if one.accuracy is not None]
    return Qa(mean_accuracy=sum(known) / len(known) if known else None, per_criterion=per_criterion)


def verdicts(call: Heard, timed: Collection[str] = ()) -> Iterator[Verdict]:
    """The criteria of a call that have truth, in the rubric's order, then those that nobody judged."""
    known = call.is_audio or call.truth.timed
    return (one for one in _verdicts(call) if known or one.criterion not in timed)


def _verdicts(call: Heard) -> Iterator[Verdict]:
    truth = call.truth
    criteria = call.qa.criteria if call.qa else ()
    said = {one.name: _JUDGED.get(one.verdict) for one in criteria}
    if truth.qa is not None:
        names = [name for name in said if name in truth.qa] + [name for name in truth.qa if name not in said]
        for name in names:
            yield Verdict(name, truth.qa[name], said.get(name))
        return
    for one in criteria:
        expected = (truth.qa_expected or {}).get(one.head, -1.0)
        if expected in (None, 0.0, 1.0):
            yield Verdict(one.name, None if expected is None else expected == 1.0, said[one.name])


def _criterion(verdicts: Sequence[Verdict]) -> CriterionScore:
    its = [one for one in verdicts if one.true is not None]
    passed, fulfilled = [one for one in its if one.said], [one for one in its if one.true]
    hits = sum(one.right for one in passed)
    return CriterionScore(
        accuracy=sum(one.right for one in its) / len(its) if its else None,
        precision=hits / len(passed) if passed else None,
        recall=hits / len(fulfilled) if fulfilled else None,
        applicable=len(its),
        abstentions=sum(one.said is None for one in its),
        misapplied=sum(one.true is None and one.said is not None for one in verdicts),
    )
