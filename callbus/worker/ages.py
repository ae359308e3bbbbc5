"""How long live inputs have waited, though it is another machine's clock that stamped them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_SKEW_MS = 30_000
"""A clock that is further behind ours is not believed to be: what it stamped is taken for old."""

_RECENT_MS = 60_000  # one to two minutes of a call are what its clock is judged by

Who = tuple[int, str]


@dataclass(slots=True)
class Ages:
    """A call's newest input, taken when nothing is queued behind it, has hardly waited: the smallest age seen of one
    lately is how far its door's clock is off, and the time in which it came here."""

    _smallest_ms: dict[Who, int] = field(default_factory=dict)
    _before_ms: dict[Who, int] = field(default_factory=dict)  # of the minute before
    _turned_ms: int = 0

    def behind_s(self, who: Who, stamped_ms: Sequence[int], now_ms: int, *, caught_up: bool) -> float:
        """How long the oldest of a call's inputs in a batch has waited. `caught_up`: nothing is queued behind them."""
        if now_ms - self._turned_ms >= _RECENT_MS:
            self._before_ms, self._smallest_ms, self._turned_ms = self._smallest_ms, {}, now_ms
        if caught_up:
            age_ms = now_ms - max(stamped_ms)
            self._smallest_ms[who] = min(age_ms, self._smallest_ms.get(who, age_ms))
        known = [ages[who] for ages in (self._smallest_ms, self._before_ms) if who in ages]
        skew_ms = min(*known, MOST_SKEW_MS) if known else 0
        return max(0, now_ms - min(stamped_ms) - skew_ms) / 1000
