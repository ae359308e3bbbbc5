"""Who competes: each takes 8 kHz utterances and returns a text for each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import soxr

from consumers.transcription.recognizer import BATCH, RATE_HZ, Recognizer
from consumers.transcription.sound import Sound

BEAM = 1  # ours

Way = Literal["ours", "bare", "batched"]
Batch = Sequence[Sound]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`settings` are handed to `transcribe`; all else is as faster-whisper has it. Every one is shown on the page."""

    key: str
    title: str
    way: Way
    settings: tuple[tuple[str, Any], ...] = ()
    side_by_side: bool = False  # as many utterances at a time as there are threads, with one thread each


OURS = Contestant("ours", "callbus", "ours")
BARE = Contestant("bare", "transcribe, as it comes", "bare")
BARE_BEAM = Contestant("bare-beam", "transcribe, our beam", "bare", (("beam_size", BEAM),))
BARE_WORDS = Contestant(
    "bare-words", "transcribe, our beam, words", "bare", (("beam_size", BEAM), ("word_timestamps", True))
)
BARE_SIDE = Contestant("bare-side", "transcribe, our beam, side by side", "bare", (("beam_size", BEAM),), True)
BATCHED = Contestant("batched", "batched, as it comes", "batched", (("batch_size", BATCH),))
BATCHED_BEAM = Contestant("batched-beam", "batched, our beam", "batched", (("batch_size", BATCH), ("beam_size", BEAM)))
BATCHED_WORDS = Contestant(
    "batched-words",
    "batched, our beam, words",
    "batched",
    (("batch_size", BATCH), ("beam_size", BEAM), ("word_timestamps", True)),
)

MAIN = (BARE, OURS, BARE_BEAM, BATCHED, OURS, BATCHED_BEAM)  # of one round; ours is short, so it runs twice
ONCE = (OURS, BARE, BATCHED, BARE_WORDS, BATCHED_WORDS)  # of our own segmentation: the texts are those without words
ALL = {one.key: one for one in (OURS, BARE, BARE_BEAM, BARE_SIDE, BARE_WORDS, BATCHED, BATCHED_BEAM, BATCHED_WORDS)}


@dataclass(frozen=True, slots=True)
class Models:
    """The same model three times: ours as production loads it, and faster-whisper's for one use at a time, with all
    threads, or for as many uses as there are threads, with one each."""

    ours: Recognizer
    whole: Any
    parted: Any
    threads: int


def recognizes(one: Contestant, models: Models) -> Callable[[Batch], list[str]]:
    """What a contestant does with utterances."""
    settings = dict(one.settings)
    if one.way == "ours":
        return lambda sounds: [heard.text for heard in models.ours.recognize(sounds)]
    if one.way == "batched":
        from faster_whisper import BatchedInferencePipeline

        pipeline = BatchedInferencePipeline(models.whole)
        return lambda sounds: _batched(pipeline, sounds, settings)
    if one.side_by_side:
        return transcribes(one, models.parted, models.threads)
    return transcribes(one, models.whole)


def transcribes(one: Contestant, whisper: Any, at_a_time: int = 1) -> Callable[[Batch], list[str]]:
    """`WhisperModel.transcribe` of each utterance, with the contestant's settings."""
    pool, settings = ThreadPoolExecutor(at_a_time), dict(one.settings)

    def text(sound: Sound) -> str:
        return " ".join(segment.text for segment in whisper.transcribe(_resampled(sound), **settings)[0])

    return lambda sounds: list(pool.map(text, sounds))


def _batched(pipeline: Any, sounds: Sequence[Sound], settings: dict[str, Any]) -> list[str]:
    """All utterances in one call, as clips of one audio: the only way to give it batches that are cut already."""
    parts = [_resampled(sound) for sound in sounds]
    ends = np.cumsum([len(part) for part in parts]) / RATE_HZ
    clips = [{"start": end - len(part) / RATE_HZ, "end": end} for end, part in zip(ends, parts, strict=True)]
    texts = [""] * len(sounds)
    after = np.zeros(RATE_HZ, dtype=np.float32)  # in no clip: faster-whisper 1.2 fails where clips fill the audio
    audio = np.concatenate([*parts, after])
    for segment in pipeline.transcribe(audio, vad_filter=False, clip_timestamps=clips, **settings)[0]:
        index = int(np.searchsorted(ends, (segment.start + segment.end) / 2))
        texts[min(index, len(texts) - 1)] += " " + segment.text
    return texts


def _resampled(sound: Sound) -> Any:
    """As our recogniser does it, so that all start from the same samples and pay for the same."""
    return soxr.resample(sound.samples.astype(np.float32) / 32768, sound.rate_hz, RATE_HZ)
