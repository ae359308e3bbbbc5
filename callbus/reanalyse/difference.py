"""What two judgements of the same calls differ in, counted. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from callbus.reanalyse.aspects import NONE, Aspects, Said

_NOTHING = Said(NONE)


@dataclass(frozen=True, slots=True)
class Pair:
    """A call as it was judged live and as it is judged now, both of the same input: `LANE:OFFSET` of its last event."""

    call_id: str
    input: str
    before: Aspects
    after: Aspects


@dataclass(frozen=True, slots=True)
class Change:
    """A label that is another one now."""

    aspect: str
    before: Said
    after: Said


@dataclass(frozen=True, slots=True)
class AspectDifference:
    """One aspect over all calls. `mean_score_change` is over the calls that have a score on both sides, whatever the
    label; None where there is none."""

    name: str
    calls: int
    changed: int
    mean_score_change: float | None
    from_to: Mapping[tuple[str, str], int]  # what was said live, what is said now; those that stayed too


@dataclass(frozen=True, slots=True)
class Difference:
    """All calls that were compared."""

    calls: int
    aspects: Sequence[AspectDifference]
    changed: Mapping[str, Sequence[Change]]  # by call, those with a change only


def changes_of(pair: Pair) -> list[Change]:
    """The aspects of a call whose label changed."""
    both = ((name, *_both(pair, name)) for name in dict.fromkeys((*pair.before, *pair.after)))
    return [Change(name, before, after) for name, before, after in both if before.label != after.label]


def difference(pairs: Sequence[Pair]) -> Difference:
    """Over all calls, aspects in the order in which they are first met."""
    names = dict.fromkeys(name for pair in pairs for name in (*pair.before, *pair.after))
    changed = {pair.call_id: changes for pair in pairs if (changes := changes_of(pair))}
    return Difference(len(pairs), [_of(name, pairs) for name in names], changed)


def _of(name: str, pairs: Sequence[Pair]) -> AspectDifference:
    both = [_both(pair, name) for pair in pairs]
    from_to = Counter((before.label, after.label) for before, after in both)
    return AspectDifference(
        name=name,
        calls=len(both),
        changed=sum(count for (before, after), count in from_to.items() if before != after),
        mean_score_change=_mean(
            after.score - before.score for before, after in both if before.score is not None and after.score is not None
        ),
        from_to=dict(sorted(from_to.items())),
    )


def _both(pair: Pair, name: str) -> tuple[Said, Said]:
    return pair.before.get(name, _NOTHING), pair.after.get(name, _NOTHING)


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None
