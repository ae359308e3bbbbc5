"""What the tests of partials act with: a call, a recogniser that counts, and the consumer fed step by step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from callbus.consumer import CallResult, CallSlice
from consumers.transcription import Options, Transcription
from consumers.transcription.hearings import Slice
from consumers.transcription.sound import Heard, Sound
from consumers.transcription.vad import Audio, Carried, Vad
from schemas.records import AudioChunk, PartialUtterance
from tests.builders import PROVENANCE
from tests.sounds import Result, chunks, sample, whisper


@dataclass
class Counting:
    """Hears in every sound as many words as it has tenths of a second; remembers what it was asked."""

    asked: list[list[Sound]] = field(default_factory=list)
    answer: str | None = None
    doubts: tuple[str, ...] = ()

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]:
        self.asked.append(list(sounds))
        return [self._heard(sound) for sound in sounds]

    def _heard(self, sound: Sound) -> Heard:
        words = " ".join(f"w{n}" for n in range(int(sound.length_s * 10)))
        return Heard(words if self.answer is None else self.answer, "en", 1.0, 1.0, (), self.doubts)

    @property
    def partial_lengths_s(self) -> list[list[float]]:
        return [[sound.length_s for sound in sounds if sound.partial] for sounds in self.asked]


class Loudness(Vad):
    """Takes what is loud for speech: quicker than the network, and no worse on a call made of clean voices."""

    def __init__(self) -> None: ...

    def probability(self, window: Audio, carried: Carried) -> tuple[float, Carried]:
        return float(np.abs(window).max() > 0.05), carried


@pytest.fixture(scope="module")
def vad() -> Vad:
    return Loudness()


@pytest.fixture(scope="module")
def call() -> list[AudioChunk]:
    """The first 17 s of a call, both channels, in chunks of 250 ms."""
    samples, rate_hz = sample("physical_abuse_hold")
    return chunks(samples[:, : 17 * rate_hz], rate_hz)


def transcription(vad: Vad, recognizer: Any = None, options: Options | None = None) -> Transcription:
    return Transcription("transcription", whisper().model, vad, recognizer or Counting(), options)


def steps(
    consumer: Transcription,
    events: Sequence[AudioChunk],
    size: int = 2,
    behind_s: float = 0.0,
    before: Result | None = None,
) -> Iterator[Result]:
    result: Result = before or CallResult(events=(), state=None)
    for at in range(0, len(events), size):
        one: Slice = CallSlice("call", events[at : at + size], result.state, result.memory, behind_s=behind_s)
        [result] = consumer.advance([one])
        yield result


def partials(results: Iterator[Result]) -> list[PartialUtterance]:
    return [event for result in results for event in result.events if isinstance(event, PartialUtterance)]


def partial(
    utterance_id: str, end_ms: int, revision: int = 1, start_ms: int = 1_000, withdrawn: bool = False
) -> PartialUtterance:
    """What was heard of one of the caller's utterances up to `end_ms`."""
    return PartialUtterance(
        event_id=f"{utterance_id}/{revision}",
        call_id="call",
        at_ms=end_ms,
        utterance_id=utterance_id,
        revision=revision,
        speaker="caller",
        start_ms=start_ms,
        end_ms=end_ms,
        stable="",
        text="" if withdrawn else "Hello",
        language="en",
        confidence=0.9,
        withdrawn=withdrawn,
        provenance=PROVENANCE,
    )
