"""Whether the probability of the main category means what it says.

Expected calibration error (Naeini, Cooper and Hauskrecht 2015) over ten bins of equal width, and the Brier score of the
label that was said: (probability - right)², on average. Calls that were left `undetermined` have no probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callbus.evaluate.heard import Heard
from callbus.evaluate.labels import right
from callbus.evaluate.truth import UNDETERMINED

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Calls whose probability is in [low, high)."""

    low: float
    high: float
    calls: int
    probability: float  # on average
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """None without truth."""

    error: float | None
    brier: float | None
    bins: Sequence[Bin]


def score(calls: Sequence[Heard]) -> Calibration:
    """Over the calls with truth that were given a main category."""
    said = [
        (call.classification.main.score, hit)
        for call in calls
        if call.classification
        and call.classification.main.label != UNDETERMINED
        and (hit := right(call).main) is not None
    ]
    if not said:
        return Calibration(error=None, brier=None, bins=())
    bins = [one for number in range(BINS) if (one := _bin(number, said))]
    return Calibration(
        error=sum(one.calls * abs(one.probability - one.accuracy) for one in bins) / len(said),
        brier=sum((probability - hit) ** 2 for probability, hit in said) / len(said),
        bins=bins,
    )


def _bin(number: int, said: Sequence[tuple[float, bool]]) -> Bin | None:
    its = [(probability, hit) for probability, hit in said if min(int(probability * BINS), BINS - 1) == number]
    if not its:
        return None
    return Bin(
        low=number / BINS,
        high=(number + 1) / BINS,
        calls=len(its),
        probability=sum(probability for probability, _ in its) / len(its),
        accuracy=sum(hit for _, hit in its) / len(its),
    )
