"""A leg that brings nothing while the other one goes on, and what becomes of that when it speaks again. Pure.

Exchanges send nothing for a leg on hold or behind silence suppression: its next audio belongs where the other leg is by
then. A network that held a leg up looks the same until the audio comes after all, in a burst: that fills the time for
which nothing came, and there was no hole.
"""

from dataclasses import dataclass, field

QUIET_S = 1.0
"""A leg that sent nothing for longer, while the other went on, has a hole."""
TOLD_S = 0.1
"""So much of a hole is told at once: enough to end what was said before it. Whether the rest is one shows later."""
BURST_S = 0.2
"""For so long a leg that speaks again is waited for: what was held up comes by then."""


def missed(own: int, furthest: int, rate_hz: int, quiet_s: float, least_s: float = QUIET_S) -> int:
    """How many samples to leave out before a leg's next audio, so that both legs stay side by side.

    `own` and `furthest` count what this leg and the further of both have sent; `quiet_s` is for how long nothing came
    on this one. No more than `least_s` is none. Without this, whatever that leg says next would stand before what it
    answers.
    """
    behind = furthest - own
    if quiet_s <= least_s or behind <= least_s * rate_hz:
        return 0
    return min(behind, round(quiet_s * rate_hz))


@dataclass(slots=True)
class SpeaksAgain:
    """A leg after it was quiet: the hole that seems to be before it, and its audio (s16le) since."""

    hole: int
    rate_hz: int
    since_s: float
    audio: bytearray = field(default_factory=bytearray)
    _held_up: int = 0  # samples that were spoken before they came

    def hear(self, payload: bytes, now_s: float) -> None:
        """The next of its audio."""
        self.audio += payload
        self._held_up = max(0, len(self.audio) // 2 - round((now_s - self.since_s) * self.rate_hz))

    def known(self, now_s: float) -> bool:
        """Whether what was held up is here."""
        return now_s - self.since_s >= BURST_S or self.lacks == 0

    @property
    def lacks(self) -> int:
        """So much of the hole is one: nothing that came fills it."""
        return max(0, self.hole - self._held_up)
