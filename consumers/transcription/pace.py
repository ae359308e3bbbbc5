"""How much of the recordings is heard with a batch: a part of one of them, whoever else waits; and less of it while
calls are live. So that however many come at once, a live call waits for one part only."""

import time
from collections.abc import Sequence
from weakref import WeakSet

from consumers.transcription.copy import Copy
from consumers.transcription.hearings import Slice, Turn
from consumers.transcription.recording import PART_S, Reading
from schemas.records import AudioChunk

SMALL_PART_S = 3
"""Of each channel of a recording, at a time, while live calls are there. What is recognised of it is the utterances
that end in it: as much on average, but one of them may be 17 s long."""

MOST_GIVEN_WAY = 3
"""Batches in a row in which no recording is heard because finals of live calls would wait for it."""

MOST_OPEN = 16
"""Recordings that are on their way at once: each holds a file, and a copy of its audio on the disk (230 MB for two
hours of a telephone call). The others wait, and hold nothing."""

MOST_BEGUN = 3
"""Recordings that are opened and checked with one batch, as long as they are in hand: what is wrong with one is then
said of its event. It takes up to 0.2 s each."""

PAUSE_S = 5.0
"""How long no further copy is begun after one has failed: a full disk is not filled anew at once."""

_REST_S = 0.1  # at a time, meanwhile: what a live call waits for at most

_PATIENCE = 10  # batches without live audio after which a recording is read in large parts again


class Pace:
    """What one process has open. Nothing that is said depends on it, only when it is said."""

    def __init__(self) -> None:
        self._without_live = _PATIENCE
        self._open: WeakSet[Copy] = WeakSet()
        self._begun = 0  # with this batch
        self._given_way = 0
        self._pause_until_s = 0.0  # on the monotonic clock

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
        if on_its_way or len(self._open) >= MOST_OPEN or self._pauses:
            return on_its_way
        return next(iter(reading), None)

    def gives_way(self, finals: bool) -> bool:
        """Whether no recording is heard with this batch, whose live `finals` would wait for it."""
        self._given_way = self._given_way + 1 if finals and self._given_way < MOST_GIVEN_WAY else 0
        return self._given_way > 0

    def has_room(self) -> bool:
        """Whether one more may be opened with this batch, though it is not its turn."""
        return self._begun < MOST_BEGUN and len(self._open) < MOST_OPEN and not self._pauses

    def failed(self) -> None:
        """A copy failed: begin none for a while."""
        self._pause_until_s = time.monotonic() + PAUSE_S

    def rest(self) -> None:
        """Nothing can be done in this batch but wait, if a copy failed of late: do not ask at once again."""
        if self._pauses:
            time.sleep(_REST_S)

    @property
    def _pauses(self) -> bool:
        return time.monotonic() < self._pause_until_s

    def opened(self, reading: Reading) -> None:
        """This one is on its way now; it is counted for as long as somebody has it."""
        self._begun += reading.copy not in self._open
        self._open.add(reading.copy)
