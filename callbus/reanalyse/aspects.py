"""What can differ between two judgements of a call: a label, and how sure it is, by aspect. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.records import Alert, CallSummary, Classification, QaEvaluation

NONE = "none"
"""The label where one side says nothing of an aspect: no alert, no criterion of that name."""

DANGER = "danger"
"""Of alerts: the most urgent of the matters that stand."""

_LEVELS = (NONE, "withdrawn", "high", "critical")  # in order of urgency


@dataclass(frozen=True, slots=True)
class Said:
    """A label with its score from 0 to 1, None where there is none."""

    label: str
    score: float | None = None


Aspects = Mapping[str, Said]


def _of_classification(record: Classification) -> Aspects:
    return {
        name: Said(judged.label, judged.score)
        for name, judged in (
            ("main", record.main),
            ("sub", record.sub),
            ("priority", record.priority),
            ("intervention", record.intervention),
        )
    }


def _of_evaluation(record: QaEvaluation) -> Aspects:
    return {one.name: Said(one.verdict, one.score) for one in record.criteria} | {
        "grade": Said(record.grade or NONE, record.overall)
    }


def _of_summary(record: CallSummary) -> Aspects:
    """The utterances that are quoted: their words stay in the call."""
    parts: dict[str, list[Any]] = {}
    for one in record.sentences:
        parts.setdefault(one.part, []).append(one)
    quoted = {
        part: Said(" ".join(one.utterance_id for one in its), sum(one.score for one in its) / len(its))
        for part, its in parts.items()
    }
    return quoted | {"people": Said(", ".join(sorted(one.role for one in record.people)) or NONE)}


_OF: Mapping[str, Callable[[Any], Aspects]] = {
    "Classification": _of_classification,
    "QaEvaluation": _of_evaluation,
    "CallSummary": _of_summary,
}
COMPARED = (*_OF, "Alert")
"""The schemas of judgements that can be compared."""

COUNTED = ("Classification", "QaEvaluation", "Alert")
"""Those whose labels are few, so that a table of what became what tells something."""


def after(before: Aspects, record: Any) -> Aspects:
    """What stands once this judgement has come. A judgement of the whole call replaces; an alert is of one matter."""
    if not isinstance(record, Alert):
        return _OF[type(record).__name__](record)
    label = "withdrawn" if record.state == "withdrawn" else record.level
    matters = {name: said for name, said in before.items() if name != DANGER}
    matters[record.matter] = Said(label, record.score)
    return matters | {DANGER: max(matters.values(), key=lambda said: _LEVELS.index(said.label))}
