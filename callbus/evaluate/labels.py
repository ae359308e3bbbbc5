"""How well calls are classified: main, sub, priority and intervention, as the last classification of a call has them.

What the truth calls `also_acceptable` (pairs of main and sub) and `also_acceptable_interventions` is right too; where
such a one was said, it counts as the truth. A call of which a stage said nothing, or `undetermined`, is wrong, unless
that is its truth. Sub-categories are compared by name, whatever their main.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from callbus.evaluate.heard import Heard

RESAMPLES = 2000
_SEED = 20_240_229
_TOP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Main:
    """`ci95`: the 2.5th and 97.5th percentile of the accuracy when calls are drawn anew with replacement (bootstrap,
    Efron 1979, always the same draws). `confusion`: how many calls, by (truth, said)."""

    accuracy: float | None
    macro_f1: float | None  # over the labels that are the truth of a call
    ci95: tuple[float, float] | None
    confusion: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Shares of the calls that have truth; None where none has."""

    main: Main
    sub_top1: float | None
    sub_top3: float | None
    priority: float | None
    intervention: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Of one call, what is right; None without truth."""

    main: bool | None
    sub: bool | None
    sub_top3: bool | None
    priority: bool | None
    intervention: bool | None


def score(calls: Sequence[Heard]) -> Labels:
    """Over the calls, each measure over those with truth for it."""
    rights = [right(call) for call in calls]
    pairs = [(_true_main(call), said_main(call)) for call in calls if call.truth.main]
    return Labels(
        main=_main(pairs),
        sub_top1=_share([one.sub for one in rights]),
        sub_top3=_share([one.sub_top3 for one in rights]),
        priority=_share([one.priority for one in rights]),
        intervention=_share([one.intervention for one in rights]),
    )


def right(call: Heard) -> Right:
    """Which labels of a call are right."""
    truth, judged = call.truth, call.classification
    top = [judged.sub.label, *(other.label for other in judged.sub.alternatives)][:_TOP] if judged else []
    subs = {truth.sub, *(sub for _, sub in truth.also_acceptable)}
    interventions = {truth.intervention, *truth.also_acceptable_interventions}
    return Right(
        main=said_main(call) in _mains(call) if truth.main else None,
        sub=bool(top) and top[0] in subs if truth.sub else None,
        sub_top3=not subs.isdisjoint(top) if truth.sub else None,
        priority=judged is not None and judged.priority.label == truth.priority if truth.priority else None,
        intervention=judged is not None and judged.intervention.label in interventions if truth.intervention else None,
    )


def said_main(call: Heard) -> str:
    """The main category that was said, or a word for none."""
    return call.classification.main.label if call.classification else "nothing said"


def _mains(call: Heard) -> Collection[str | None]:
    return {call.truth.main, *(main for main, _ in call.truth.also_acceptable)}


def _true_main(call: Heard) -> str:
    return said_main(call) if said_main(call) in _mains(call) else call.truth.main or ""


def _main(pairs: Sequence[tuple[str, str]]) -> Main:
    if not pairs:
        return Main(accuracy=None, macro_f1=None, ci95=None, confusion={})
    hits = np.array([true == said for true, said in pairs], dtype=np.float64)
    return Main(
        accuracy=float(hits.mean()),
        macro_f1=_macro_f1(pairs),
        ci95=_interval(hits),
        confusion={pair: pairs.count(pair) for pair in sorted(set(pairs))},
    )


def _macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    scores = []
    for label in sorted({true for true, _ in pairs}):
        hits = sum(true == said == label for true, said in pairs)
        scores.append(2 * hits / sum((true == label) + (said == label) for true, said in pairs))
    return sum(scores) / len(scores)


def _interval(hits: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    draws = np.random.default_rng(_SEED).integers(0, len(hits), size=(RESAMPLES, len(hits)))
    low, high = np.percentile(hits[draws].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


def _share(hits: Sequence[bool | None]) -> float | None:
    known = [hit for hit in hits if hit is not None]
    return sum(known) / len(known) if known else None
