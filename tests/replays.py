"""The same audio heard again and again: in any order, on a lane with one call on it whose worker crashes.

The worker commits as the real one does: outputs, state and offset at once.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from callbus.consumer import CallResult, CallSlice
from consumers.transcription import Transcription
from consumers.transcription.vad import WINDOW, Audio, Carried, Vad
from schemas.records import AudioChunk, Recording, TranscriptionProgress, Utterance
from tests.sounds import Result, Samples, step, utterances


class RememberingVad(Vad):
    """The real network, asked once for each window after the same past."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[bytes, ...], tuple[float, Carried]] = {}

    def probability(self, window: Audio, carried: Carried) -> tuple[float, Carried]:
        key = tuple(part.tobytes() for part in (window, carried.h, carried.c, carried.context))
        if key not in self._known:
            self._known[key] = super().probability(window, carried)
        return self._known[key]


class LoudnessVad(Vad):
    """Takes whatever is loud for speech: a thousand times as fast as the network, and as much a function of its audio.

    It knows nothing of voices, and carries nothing from window to window.
    """

    def __init__(self) -> None:
        pass

    def probability(self, window: Audio, carried: Carried) -> tuple[float, Carried]:
        return float(np.sqrt(np.mean(np.square(window[:WINDOW]))) > 0.01), carried


@dataclass
class Log:
    """How far the call's chunks have been worked on, and what came of them. Rejected chunks never come again."""

    consumer: Transcription
    events: Sequence[AudioChunk]
    committed: int = 0
    handled: int = 0

    def __post_init__(self) -> None:
        self.result: Result = CallResult(events=(), state=None)
        self.said: list[Utterance] = []
        self.refused: set[int] = set()

    @property
    def over(self) -> bool:
        return self.handled == len(self.events)

    @property
    def late(self) -> int:
        return sum(channel.late for channel in self.result.state.channels) if self.result.state else 0

    def work(self, count: int) -> None:
        """The next chunks, and a commit."""
        batch = range(self.handled, min(self.handled + count, len(self.events)))
        todo = [self.events[place] for place in batch if place not in self.refused]
        if todo:
            self.result = step(self.consumer, todo, self.result)
            rejected = {id(event) for event, _ in self.result.rejected}
            self.refused |= {place for place in batch if id(self.events[place]) in rejected}
            self.said += utterances(self.result)
        self.handled = batch.stop
        held = self.result.holding
        self.committed = self.handled if held is None else self._first(held.event_id)

    def fall_silent(self) -> None:
        """No more chunks come, and the worker says so."""
        one: CallSlice[AudioChunk | Recording, TranscriptionProgress] = CallSlice(
            self.events[0].call_id, [], self.result.state, self.result.memory, 1
        )
        [self.result] = self.consumer.advance([one])
        self.said += utterances(self.result)

    def crash(self) -> None:
        """All that is not committed is lost, and what comes after the committed offset comes again."""
        self.result = CallResult(events=(), state=self.result.state)
        self.handled = self.committed

    def fork(self) -> "Log":
        """Another worker's view of the same lane, as it is now."""
        other = replace(self)
        other.result, other.said, other.refused = self.result, list(self.said), set(self.refused)
        return other

    def _first(self, event_id: str) -> int:
        """Where the worker finds an event: the first of its id since the offset that was committed last."""
        return next(n for n in range(self.committed, len(self.events)) if self.events[n].event_id == event_id)


def bursts(seconds: int = 12, rate_hz: int = 8000) -> Samples:
    """Two channels of noise with pauses of many lengths."""
    noise = np.random.default_rng(1)
    quiet = np.zeros((2, seconds * rate_hz), dtype=np.int16)
    for row, lengths_ms in zip(quiet, ((900, 1300, 400, 2100), (1700, 500, 1100)), strict=True):
        place = 0
        for on_ms in lengths_ms * 4:
            on = row[place : place + on_ms * rate_hz // 1000]
            on[:] = noise.normal(0, 3000, len(on))
            place += (on_ms + (on_ms * 7) % 1500) * rate_hz // 1000
    return quiet


def by_id(said: Sequence[Utterance]) -> list[Utterance]:
    return sorted(said, key=lambda one: one.event_id)


def gaps(said: Sequence[Utterance], speaker: str = "caller") -> list[tuple[int, int]]:
    return [(one.start_ms, one.end_ms) for one in said if one.kind == "gap" and one.speaker == speaker]


def delayed(events: Sequence[AudioChunk], delays_s: Sequence[float]) -> list[AudioChunk]:
    """The chunks in the order in which they come if each is so late; but the last ones stay where they are."""

    def due(index: int) -> tuple[bool, float]:
        one = events[index]
        return one.last, index if one.last else one.start_sample / one.sample_rate_hz + delays_s[index]

    return [events[index] for index in sorted(range(len(events)), key=due)]


def doubled(events: Sequence[AudioChunk], chance: random.Random, share: float) -> list[AudioChunk]:
    """Some of the chunks come again, right away or much later, but not after their channel's last."""
    again = list(events)
    for one in events[:-2]:
        if chance.random() < share:
            again.insert(chance.randint(again.index(one), len(again) - 2), one)
    return again


def worked(log: Log, chance: random.Random, most: int, crashes: int) -> Log:
    """The log to its end, in batches of random sizes, with so many crashes between them."""
    places = sorted(chance.choices(range(1, len(log.events)), k=crashes))
    while not log.over:
        log.work(chance.randint(1, most))
        if places and log.handled >= places[0] and log.result.state is not None:
            del places[0]
            log.crash()
    return log
