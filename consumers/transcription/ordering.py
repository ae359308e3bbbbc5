"""The chunks of a channel that came before their turn, and the ones whose turn is over. Pure.

Whether to go on waiting for a missing chunk follows from the chunks that wait behind it, never from a clock or from how
the log was cut into batches. More of them never make it wait longer. So a replay gives up the same chunks at the same
places, though it begins in the middle.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from callbus.audio import Samples
from callbus.errors import Reject
from schemas.records import AudioChunk

REORDER_S = 2
"""How much later audio may come before a missing chunk is given up."""

MOST_PENDING = 500
"""Chunks that may wait, in case they carry too little audio to come to REORDER_S: empty ones, or of 4 ms and less."""

MOST_MISSING = 64
"""Stretches of missing chunks that a channel remembers; a chunk of an older one can't be told from a double."""


@dataclass(frozen=True, slots=True)
class Held:
    """A chunk with audio that is still unsaid."""

    chunk: AudioChunk
    arrival: int  # counts the call's chunks in the order of their lane
    start: int
    samples: Samples

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


Pending = tuple[Held, ...]  # by sequence, and so by position


def waits(pending: Pending, sequence: int) -> bool:
    """Whether a chunk of this number waits already."""
    index = _place(pending, sequence)
    return index < len(pending) and pending[index].chunk.sequence == sequence


def queued(pending: Pending, one: Held) -> Pending:
    """The chunks that wait, with one more in its place."""
    index = _place(pending, one.chunk.sequence)
    return (*pending[:index], one, *pending[index:])


def check_place(pending: Pending, received: int, one: Held) -> None:
    """Raise `Reject` if a chunk's audio overlaps what was heard (up to `received`) or what waits."""
    index = _place(pending, one.chunk.sequence)
    before = pending[index - 1].end if index else received
    where = f"chunk {one.chunk.sequence} of {one.chunk.channel}"
    if one.start < before:
        raise Reject(
            f"{where}: starts at sample {one.start}, but audio up to {before} is here already; "
            "start_sample counts from the start of the call"
        )
    if index < len(pending) and one.end > pending[index].start:
        raise Reject(
            f"{where}: ends at sample {one.end}, but audio from {pending[index].start} on is here already; "
            "start_sample counts from the start of the call"
        )


def first_come(chunks: Sequence[Held]) -> Held | None:
    """The one of these that came first."""
    return min(chunks, key=lambda one: one.arrival, default=None)


def overdue(pending: Pending, rate_hz: int) -> bool:
    """Whether what is missing before the first of these is given up now."""
    if not pending:
        return False
    return pending[-1].end - pending[0].start >= REORDER_S * rate_hz or len(pending) > MOST_PENDING


def _place(pending: Pending, sequence: int) -> int:
    return bisect_left(pending, sequence, key=lambda one: one.chunk.sequence)


@dataclass(frozen=True, slots=True)
class Missing:
    """The chunks that were given up, as stretches of sequence numbers: (first, the one after the last), ascending."""

    stretches: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, flat: Sequence[int]) -> "Missing":
        return cls(tuple(zip(flat[::2], flat[1::2], strict=True)))

    @property
    def flat(self) -> tuple[int, ...]:
        return tuple(number for stretch in self.stretches for number in stretch)

    def and_from(self, first: int, after: int) -> "Missing":
        """With one more stretch, which lies behind all others; nothing new if it is empty."""
        return self if first >= after else Missing((*self.stretches, (first, after))[-MOST_MISSING:])

    def without(self, sequence: int) -> "Missing | None":
        """What is missing still, now that this one has come late; None if it was not missing."""
        for index, (first, after) in enumerate(self.stretches):
            if first <= sequence < after:
                parts = [part for part in ((first, sequence), (sequence + 1, after)) if part[0] < part[1]]
                return Missing((*self.stretches[:index], *parts, *self.stretches[index + 1 :])[-MOST_MISSING:])
        return None
