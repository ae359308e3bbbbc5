"""The order of one track's audio, and its holes. Pure: `chunk` numbers and `timestamp`s decide; a clock only says how
much can be missing at most.

A message's *frame* is its audio. Frames become pieces, in order: what was heard, and what never came.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

WINDOW_FRAMES = 8
"""So many later frames are held back for an earlier one; then it is given up."""
TOLERANCE_MS = 80
"""A timestamp this far (or two frames) ahead of the audio is jitter; beyond, it is a hole."""
LONGEST_HOLE_MS = 3_600_000
"""A timestamp that is further ahead counts from somewhere else."""
BACK_MS = 2_000
"""So is one that lies so far back."""
ASTRAY_FRAMES = 50
"""After so many frames in a row that seem to be old, the numbers have begun anew: a second is lost, not the call."""
_REMEMBERED = 64


@dataclass(frozen=True, slots=True, order=True)
class Frame:
    """`chunk` counts the frames of the track; `at` is the first sample's position in the stream, by its timestamp. No
    hole before it goes beyond `until`, the position that the time has come to."""

    chunk: int | None
    at: int | None = field(compare=False)
    payload: bytes = field(compare=False, repr=False)
    until: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Heard:
    payload: bytes


@dataclass(frozen=True, slots=True)
class Missed:
    samples: int
    at_once: bool = False  # tell it now, not with what comes after it


Piece = Heard | Missed


@dataclass(slots=True)
class Track:
    """One track of one call. `position` is the sample that comes next, holes counted."""

    rate_hz: int
    sample_bytes: int
    origin: int = 0  # the position of timestamp 0
    position: int = 0
    doubled: int = 0  # frames that came twice
    late: int = 0  # frames that came when they had been given up
    holes: int = 0
    _last: int | None = None  # the chunk heard last
    _recent: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _held: list[Frame] = field(default_factory=list)
    _astray: int = 0

    def take(self, frame: Frame) -> list[Piece]:
        """The pieces that have their place now that this frame is here."""
        if not frame.payload:
            return []
        if self._is_past(frame):
            self._astray += 1
            if not self._counts_anew(frame):
                self._leave_out(frame)
                return []
            return [*self._count_anew(frame), *self._hear(frame)]
        self._astray = 0
        if not self._waits(frame):
            return [*self._hear(frame), *self._follow()]
        if frame in self._held:  # by its number
            self.doubled += 1
            return []
        insort(self._held, frame)
        return [] if len(self._held) <= WINDOW_FRAMES else [*self._hear(self._held.pop(0)), *self._follow()]

    def flush(self) -> list[Piece]:
        """What is held back: nothing earlier will come."""
        held, self._held = self._held, []
        return [piece for frame in held for piece in self._hear(frame)]

    def pause(self, samples: int) -> list[Piece]:
        """Nothing came for so long, and nothing may come for long."""
        before = self.flush()
        return [*before, self._miss(samples, at_once=True)]

    def begin_anew(self, position: int) -> list[Piece]:
        """A new stream of the same call: its numbers and timestamps start from 0, at this position of the call."""
        pieces = self.flush()
        if position > self.position:
            pieces.append(self._miss(position - self.position))
        self.origin, self._last = self.position, None
        self._recent.clear()
        return pieces

    def _is_past(self, frame: Frame) -> bool:
        """Whether the track is beyond this frame, by its number."""
        return frame.chunk is not None and self._last is not None and frame.chunk <= self._last

    def _counts_anew(self, frame: Frame) -> bool:
        """Whether the old number shows that the peer has begun to count again, not that the frame is old."""
        far = frame.chunk is not None and self._last is not None and frame.chunk < self._last - _REMEMBERED
        return (far and self._time_goes_on(frame)) or self._astray >= ASTRAY_FRAMES

    def _count_anew(self, frame: Frame) -> list[Piece]:
        """Go by the peer's new count, from this frame on; what was held back belongs to the old one."""
        pieces = self.flush()
        self._last, self._astray = None, 0
        self._recent.clear()
        if frame.at is not None and not self._time_goes_on(frame):
            self.origin -= self._ahead(frame.at)
        return pieces

    def _leave_out(self, frame: Frame) -> None:
        if frame.chunk in self._recent:
            self.doubled += 1
        else:
            self.late += 1

    def _waits(self, frame: Frame) -> bool:
        """Whether frames before this one are missing and may still come.

        A number too high alone does not say so: some platforms count both tracks together. Then the timestamp fits.
        """
        following = 1 if self._last is None else self._last + 1
        if frame.chunk is None or frame.chunk <= following:
            return False
        return frame.at is None or self._ahead(frame.at) >= self._samples(frame) / 2

    def _follow(self) -> Iterator[Piece]:
        """What was held back only for the frame that has just been heard."""
        while self._held and not self._waits(self._held[0]):
            yield from self._hear(self._held.pop(0))

    def _hear(self, frame: Frame) -> Iterator[Piece]:
        if hole := self._hole(frame):
            yield self._miss(hole)
        self.position += self._samples(frame)
        if frame.chunk is not None:
            self._last = frame.chunk
            self._recent.append(frame.chunk)
        yield Heard(frame.payload)

    def _hole(self, frame: Frame) -> int:
        """How many samples never came before this frame."""
        if frame.at is None:
            return 0
        ahead, length = self._ahead(frame.at), self._samples(frame)
        furthest = min(LONGEST_HOLE_MS * self.rate_hz // 1000, max(0, frame.until - self.position))
        if not -BACK_MS * self.rate_hz // 1000 <= ahead <= furthest:
            self.origin -= ahead
            return 0
        if ahead > max(TOLERANCE_MS * self.rate_hz // 1000, 2 * length):
            return ahead
        missing = frame.chunk - self._last - 1 if frame.chunk is not None and self._last is not None else 0
        agree = missing > 0 and abs(missing * length - ahead) < length / 2  # numbers and time tell of the same hole
        return ahead if agree else 0

    def _miss(self, samples: int, at_once: bool = False) -> Missed:
        self.holes += 1
        self.position += samples
        return Missed(samples, at_once)

    def _ahead(self, at: int) -> int:
        """By how many samples this place, by timestamp, is ahead of the audio that came."""
        return self.origin + at - self.position

    def _time_goes_on(self, frame: Frame) -> bool:
        return frame.at is None or self._ahead(frame.at) >= 0

    def _samples(self, frame: Frame) -> int:
        return len(frame.payload) // self.sample_bytes
