"""How much of the recordings is heard with a batch: a part of one of them, whoever else waits; and less of it while
calls are live. So that however many come at once, a live call waits for one part only."""

from collections.abc import Sequence
from weakref import WeakSet

from consumers.transcription.copy import Copy
from consumers.transcription.hearings import Slice, Turn
from consumers.transcription.recording import PART_S, Reading
from schemas.records import AudioChunk

SMALL_PART_S = 3
"""Of each channel of a recording, at a time, while live calls are there: they wait no longer than this takes."""

MOST_OPEN = 16
"""Recordings that are on their way at once: each holds a file, and a copy of its audio on the disk (230 MB for two
hours of a telephone call). The others wait, and hold nothing."""

MOST_BEGUN = 3
"""Recordings that are opened and checked with one batch, as long as they are in hand: what is wrong with one is then
said of its event. It takes up to 0.2 s each."""

_PATIENCE = 10  # batches without live audio after which a recording is read in large parts again


class Pace:
    """What one process has open. Nothing that is said depends on it, only when it is said."""

    def __init__(self) -> None:
        self._without_live = _PATIENCE
        self._open: WeakSet[Copy] = WeakSet()
        self._begun = 0  # with this batch

    def part_s(self, slices: Sequence[Slice]) -> int:
        """How much of a recording is read now. Its cuts do not depend on it, only how long live calls wait."""
        self._begun = 0
        live = any(isinstance(event, AudioChunk) for one in slices for event in one.events)
        self._without_live = 0 if live else self._without_live + 1
        return PART_S if self._without_live > _PATIENCE else SMALL_PART_S

    def next_of(self, turns: Sequence[Turn]) -> Turn | None:
        """Whose recording goes on: one that is on its way before one that is still to begin."""
        reading = [turn for turn in turns if turn.read]
        on_its_way = next((turn for turn in reading if turn.memory.reading), None)
        if on_its_way or len(self._open) >= MOST_OPEN:
            return on_its_way
        return next(iter(reading), None)

    def has_room(self) -> bool:
        """Whether one more may be opened with this batch, though it is not its turn."""
        return self._begun < MOST_BEGUN and len(self._open) < MOST_OPEN

    def opened(self, reading: Reading) -> None:
        """This one is on its way now; it is counted for as long as somebody has it."""
        self._begun += reading.copy not in self._open
        self._open.add(reading.copy)
