"""Whisper by faster-whisper and CTranslate2: utterances in, words out, many utterances to one run of the model.

The encoder is given a window as short as the utterance allows instead of Whisper's 30 s, which saves most of its work.
The price is that a short window makes the decoder loop now and then: `is_suspect` finds that, and one redo with the
full window mends it. An utterance's window depends on its own length only, so its text does not depend on
which others it shares a batch with.
"""

import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from callbus.audio import Samples
from callbus.consumer import Model, Settings
from callbus.errors import ModelError

Features = NDArray[np.float32]

RATE_HZ = 16_000
FULL_FRAMES = 3000  # 30 s, the window that Whisper was trained with; a frame is 10 ms
SPARE_FRAMES = 200  # silence after the words, without which the decoder does not know that they ended
STEP_FRAMES = 300  # windows grow in such steps, so that utterances of like length share a batch
BATCH = 8

# Whisper's own sets: marks that belong to the word after or before them.
OPENING_MARKS = "\"'“¿([{-"
CLOSING_MARKS = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001

REPETITIVE = 2.4  # zlib compression ratio above which text is a loop (the threshold of openai/whisper)
FASTEST_CHARS = 30  # a second; nobody speaks faster
NO_SPEECH = 0.6  # openai/whisper's threshold of the no-speech token
DOUBTFUL = 0.45  # mean word probability


@dataclass(frozen=True, slots=True)
class Sound:
    """An utterance to recognise: int16 samples of one channel, and their rate."""

    samples: Samples
    rate_hz: int

    @property
    def length_s(self) -> float:
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word; times are ms from the start of its `Sound`."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in a `Sound`; nothing at all if `text` is empty."""

    text: str
    language: str
    language_probability: float
    confidence: float
    words: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    tokens: list[int]
    text: str
    no_speech: float
    language: str
    language_probability: float
    words: tuple[Spoken, ...] = ()

    @property
    def confidence(self) -> float:
        return float(np.mean([word.confidence for word in self.words])) if self.words else 0.0


def is_suspect(text: str, length_s: float) -> bool:
    """Whether `text` looks like a decoder's loop rather than something said in `length_s` seconds."""
    coded = text.encode()
    return bool(coded) and (
        len(coded) / len(zlib.compress(coded)) > REPETITIVE or len(text) > FASTEST_CHARS * max(length_s, 1.0)
    )


def window_frames(length_s: float) -> int:
    """The encoder window for an utterance: a multiple of STEP_FRAMES with SPARE_FRAMES to spare, or the full one."""
    needed = int(length_s * 100) + SPARE_FRAMES
    return min(FULL_FRAMES, -(-needed // STEP_FRAMES) * STEP_FRAMES)


class Recognizer:
    """A loaded model. `languages` are the ones a multilingual model chooses from (any, if empty)."""

    def __init__(self, whisper: Any, languages: Sequence[str] = (), beam_size: int = 1) -> None:
        self._whisper = whisper
        self._multilingual: bool = whisper.model.is_multilingual
        self._languages = tuple(languages)
        self._beam_size = beam_size

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]:
        """What was said in each sound, in their order."""
        features = [self._features(sound) for sound in sounds]
        drafts = self._pass(features, {index: window_frames(sound.length_s) for index, sound in enumerate(sounds)})
        again = {
            index: FULL_FRAMES for index, draft in drafts.items() if is_suspect(draft.text, sounds[index].length_s)
        }
        drafts |= self._pass(features, again)
        return [self._judge(drafts[index], sound) for index, sound in enumerate(sounds)]

    def _features(self, sound: Sound) -> Features:
        audio = soxr.resample(sound.samples.astype(np.float32) / 32768, sound.rate_hz, RATE_HZ)
        features: Features = self._whisper.feature_extractor(audio)
        return features[:, :FULL_FRAMES]

    def _pass(self, features: Sequence[Features], windows: dict[int, int]) -> dict[int, _Draft]:
        by_window: dict[int, list[int]] = defaultdict(list)
        for index, frames in windows.items():
            by_window[frames].append(index)
        drafts: dict[int, _Draft] = {}
        for frames, indices in sorted(by_window.items()):
            indices.sort(key=lambda index: features[index].shape[1])
            for first in range(0, len(indices), BATCH):
                batch = indices[first : first + BATCH]
                padded = np.stack([_pad(features[index], frames) for index in batch])
                lengths = [features[index].shape[1] for index in batch]
                drafts |= zip(batch, self._transcribe(padded, lengths), strict=True)
        return drafts

    def _transcribe(self, padded: Features, lengths: Sequence[int]) -> list[_Draft]:
        import ctranslate2

        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(padded))
        encoded = np.array(self._whisper.model.encode(view, to_cpu=True))
        spoken = self._spoken_languages(ctranslate2.StorageView.from_array(encoded), len(lengths))
        drafts: list[_Draft | None] = [None] * len(lengths)
        for language in sorted({language for language, _ in spoken}):
            rows = [row for row, (found, _) in enumerate(spoken) if found == language]
            part = ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded[rows]))
            for row, draft in zip(
                rows,
                self._decode(part, language, [lengths[row] for row in rows], [spoken[r][1] for r in rows]),
                strict=True,
            ):
                drafts[row] = draft
        return [draft for draft in drafts if draft is not None]

    def _spoken_languages(self, encoded: Any, count: int) -> list[tuple[str, float]]:
        if not self._multilingual:
            return [("en", 1.0)] * count
        found = []
        for probabilities in self._whisper.model.detect_language(encoded):
            named = [(token.strip("<|>"), float(probability)) for token, probability in probabilities]
            allowed = [pair for pair in named if not self._languages or pair[0] in self._languages]
            found.append(max(allowed or named, key=lambda pair: pair[1]))
        return found

    def _decode(
        self, encoded: Any, language: str, lengths: Sequence[int], probabilities: Sequence[float]
    ) -> Iterable[_Draft]:
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens, merge_punctuations

        tokenizer = Tokenizer(self._whisper.hf_tokenizer, self._multilingual, task="transcribe", language=language)
        prompt = self._whisper.get_prompt(tokenizer, [], without_timestamps=True)
        results = self._whisper.model.generate(
            encoded,
            [prompt] * len(lengths),
            beam_size=self._beam_size,
            max_length=len(prompt) + 224,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )
        tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
        alignments = self._whisper.find_alignment(tokenizer, tokens, encoded, list(lengths))
        for result, said, alignment, probability in zip(results, tokens, alignments, probabilities, strict=True):
            merge_punctuations(alignment, OPENING_MARKS, CLOSING_MARKS)
            yield _Draft(
                tokens=said,
                text=tokenizer.decode(said).strip(),
                no_speech=float(result.no_speech_prob),
                language=language,
                language_probability=probability,
                words=tuple(_spoken(word) for word in alignment if word["word"].strip()),
            )

    def _judge(self, draft: _Draft, sound: Sound) -> Heard:
        """The draft as it stands, or nothing: one doubt is a mumble, two are an invention."""
        doubts = (
            draft.no_speech > NO_SPEECH,
            draft.confidence < DOUBTFUL,
            is_suspect(draft.text, sound.length_s),
        )
        if sum(doubts) > 1 or not any(map(str.isalnum, draft.text)):
            return Heard("", draft.language, draft.language_probability, 0.0, ())
        return Heard(draft.text, draft.language, draft.language_probability, draft.confidence, draft.words)


def _spoken(word: dict[str, Any]) -> Spoken:
    return Spoken(
        word["word"].strip(),
        round(word["start"] * 1000),
        round(word["end"] * 1000),
        round(float(word["probability"]), 4),
    )


def _pad(features: Features, frames: int) -> Features:
    return np.pad(features[:, :frames], ((0, 0), (0, max(0, frames - features.shape[1]))))


def load(settings: Settings) -> Recognizer:
    """The group's model on the group's device."""
    model: Model = settings.model
    directory = Path(model.location)
    if directory.is_absolute() and not (directory / "model.bin").is_file():
        raise ModelError(f"{model.name}: no model.bin in {model.location}")
    import ctranslate2
    from faster_whisper import WhisperModel

    name, _, number = settings.device.partition(":")
    if name == "auto":
        name = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    whisper = WhisperModel(
        model.location,
        device=name,
        device_index=int(number or 0),
        compute_type="float16" if name == "cuda" else "int8",
        cpu_threads=min(2, os.cpu_count() or 1),
    )
    return Recognizer(whisper, model.languages)
