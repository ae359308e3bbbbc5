"""Whisper by faster-whisper and CTranslate2: utterances in, words out, many utterances to one run of the model.

The encoder is given a window as short as the utterance allows instead of Whisper's 30 s, which saves most of its work.
The price is that a short window makes the decoder loop now and then: `is_suspect` finds that, and one redo with the
full window mends it. An utterance's window depends on its own length only, so its text does not depend on
which others it shares a batch with.

A partial (of an utterance that is still open) is heard at less cost: without the words' times, with no more tokens than
are usually said, and with no redo, for a decoder that may not repeat three tokens does not loop.
"""

import math
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
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
MOST_WORKERS = 2  # batches side by side on a CPU

# Whisper's own sets: marks that belong to the word after or before them.
OPENING_MARKS = "\"'“¿([{-"
CLOSING_MARKS = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001

REPETITIVE = 2.4  # zlib compression ratio above which text is a loop (the threshold of openai/whisper)
FASTEST_CHARS = 30  # a second; nobody speaks faster
NO_SPEECH = 0.6  # openai/whisper's threshold of the no-speech token
DOUBTFUL = 0.45  # mean word probability

MOST_TOKENS = 224  # of an utterance, as in openai/whisper
FASTEST_TOKENS = 20  # a second, and some to spare: what goes on longer is a loop
FAST_TOKENS, SPARE_TOKENS = 8, 6  # a second, and some more: what a partial may have
UNREPEATED = 3  # tokens in a row that a partial has once


@dataclass(frozen=True, slots=True)
class Sound:
    """An utterance to recognise: int16 samples of one channel, and their rate."""

    samples: Samples
    rate_hz: int
    partial: bool = False  # the utterance is still open: its words' times are not asked for

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
    """What was said in a `Sound`. Without `text` there was nothing to hear, or, with `doubts`, nothing to believe.

    `doubts` are those of `Utterance.doubts`. A partial has no words.
    """

    text: str
    language: str
    language_probability: float
    confidence: float
    words: tuple[Spoken, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    text: str
    no_speech: float
    language: str
    language_probability: float
    confidence: float
    words: tuple[Spoken, ...] = ()
    cut_off: bool = False  # it went on until it was stopped

    def is_suspect(self, length_s: float) -> bool:
        return self.cut_off or is_suspect(self.text, length_s)


def is_suspect(text: str, length_s: float) -> bool:
    """Whether `text` looks like a decoder's loop rather than something said in `length_s` seconds."""
    coded = text.encode()
    return bool(coded) and (
        len(coded) / len(zlib.compress(coded)) > REPETITIVE or len(text) > FASTEST_CHARS * max(length_s, 1.0)
    )


def echoes(text: str) -> bool:
    """Whether two words or more come twice in a row: said so, or the beginning of a loop. A wider search loops more."""
    words = re.findall(r"[\w']+", text.casefold())
    return any(
        words[at : at + size] == words[at + size : at + 2 * size]
        for size in range(2, len(words) // 2 + 1)
        for at in range(len(words) - 2 * size + 1)
    )


def window_frames(length_s: float) -> int:
    """The encoder window for an utterance: a multiple of STEP_FRAMES with SPARE_FRAMES to spare, or the full one."""
    needed = int(length_s * 100) + SPARE_FRAMES
    return min(FULL_FRAMES, -(-needed // STEP_FRAMES) * STEP_FRAMES)


class Recognizer:
    """A loaded model. `languages` are the ones a multilingual model chooses from (any, if empty).

    `workers` batches run side by side: on a CPU two single threads do nearly twice the work of one pair.
    """

    def __init__(self, whisper: Any, languages: Sequence[str] = (), beam_size: int = 1, workers: int = 1) -> None:
        self._whisper = whisper
        self._multilingual: bool = whisper.model.is_multilingual
        self._languages = tuple(languages)
        self._beam_size = beam_size
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, "recognizer")

    def with_beam(self, size: int) -> "Recognizer":
        """The same model with another width of its search; partials are always heard with 1."""
        other = copy(self)
        other._beam_size = size
        return other

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]:
        """What was said in each sound, in their order.

        Partials share no batch with the others: company changes the fourth digit of a confidence, and what is
        published for good must not depend on partials.
        """
        features = list(self._pool.map(self._features, sounds))
        windows = {i: window_frames(sound.length_s) for i, sound in enumerate(sounds)}
        finals = {i: frames for i, frames in windows.items() if not sounds[i].partial}
        asked = self._asked(features, finals, False)
        asked += self._asked(features, {i: windows[i] for i in windows.keys() - finals.keys()}, True)
        drafts = _answered(asked)
        loops = {i: FULL_FRAMES for i in finals if drafts[i].is_suspect(sounds[i].length_s) or echoes(drafts[i].text)}
        drafts |= _answered(self._asked(features, loops, False))
        return [_judge(drafts[index], sound) for index, sound in enumerate(sounds)]

    def _features(self, sound: Sound) -> Features:
        audio = soxr.resample(sound.samples.astype(np.float32) / 32768, sound.rate_hz, RATE_HZ)
        features: Features = self._whisper.feature_extractor(audio)
        return features[:, :FULL_FRAMES]

    def _asked(
        self, features: Sequence[Features], windows: dict[int, int], partial: bool
    ) -> "list[tuple[list[int], Future[list[_Draft]]]]":
        """Batches that are under way, each with the places of its sounds; the longest ones first.

        Finals share a batch only if their windows are alike. Partials share one window, the longest of their batch; so
        few that they would leave a worker idle are shared out.
        """
        by_window: dict[int, list[int]] = defaultdict(list)
        for index, frames in windows.items():
            by_window[0 if partial else frames].append(index)
        asked = []
        for _, indices in sorted(by_window.items(), reverse=True):
            indices.sort(key=lambda index: features[index].shape[1])
            size = min(BATCH, -(-len(indices) // self._workers)) if partial else BATCH
            for first in range(0, len(indices), size):
                batch = indices[first : first + size]
                frames = max(windows[index] for index in batch)
                padded = np.stack([_pad(features[index], frames) for index in batch])
                lengths = [features[index].shape[1] for index in batch]
                asked.append((batch, self._pool.submit(self._transcribe, padded, lengths, partial)))
        return asked

    def _transcribe(self, padded: Features, lengths: Sequence[int], partial: bool) -> list[_Draft]:
        import ctranslate2

        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(padded))
        encoded = np.array(self._whisper.model.encode(view, to_cpu=True))
        spoken = self._spoken_languages(ctranslate2.StorageView.from_array(encoded), len(lengths))
        drafts: list[_Draft | None] = [None] * len(lengths)
        for language in sorted({language for language, _ in spoken}):
            rows = [row for row, (found, _) in enumerate(spoken) if found == language]
            part = ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded[rows]))
            its_lengths, probabilities = [lengths[row] for row in rows], [spoken[row][1] for row in rows]
            # A final's depends on its own window only, as its text must not depend on its batch.
            most = _most_tokens(max(its_lengths) if partial else padded.shape[2] - SPARE_FRAMES, partial)
            found = self._decode(part, language, its_lengths, probabilities, most, partial)
            for row, draft in zip(rows, found, strict=True):
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
        self,
        encoded: Any,
        language: str,
        lengths: Sequence[int],
        probabilities: Sequence[float],
        most: int,
        partial: bool,
    ) -> Iterable[_Draft]:
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        tokenizer = Tokenizer(self._whisper.hf_tokenizer, self._multilingual, task="transcribe", language=language)
        prompt = self._whisper.get_prompt(tokenizer, [], without_timestamps=True)
        results = self._whisper.model.generate(
            encoded,
            [prompt] * len(lengths),
            beam_size=1 if partial else self._beam_size,
            max_length=2 * most,  # CTranslate2 leaves half of it to the prompt
            return_no_speech_prob=True,
            return_scores=partial,
            no_repeat_ngram_size=UNREPEATED if partial else 0,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )
        tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
        words = [()] * len(results) if partial else self._align(tokenizer, tokens, encoded, lengths)
        for result, said, its, probability in zip(results, tokens, words, probabilities, strict=True):
            confidences = [math.exp(result.scores[0])] if partial else [word.confidence for word in its]
            yield _Draft(
                text=tokenizer.decode(said).strip(),
                no_speech=float(result.no_speech_prob),
                language=language,
                language_probability=probability,
                confidence=float(np.mean(confidences)) if confidences else 0.0,
                words=its,
                cut_off=len(said) >= most,
            )

    def _align(
        self, tokenizer: Any, tokens: Sequence[list[int]], encoded: Any, lengths: Sequence[int]
    ) -> list[tuple[Spoken, ...]]:
        """The words of each row with their times."""
        from faster_whisper.transcribe import merge_punctuations

        alignments = self._whisper.find_alignment(tokenizer, tokens, encoded, list(lengths))
        for alignment in alignments:
            merge_punctuations(alignment, OPENING_MARKS, CLOSING_MARKS)
        return [tuple(_spoken(word) for word in alignment if word["word"].strip()) for alignment in alignments]


def _answered(asked: "Sequence[tuple[list[int], Future[list[_Draft]]]]") -> dict[int, _Draft]:
    return {index: draft for batch, answer in asked for index, draft in zip(batch, answer.result(), strict=True)}


def _most_tokens(frames: int, partial: bool) -> int:
    """How many tokens can be said in audio of this length."""
    if partial:
        return SPARE_TOKENS + frames * FAST_TOKENS // 100
    return min(MOST_TOKENS, frames * FASTEST_TOKENS // 100)


def _judge(draft: _Draft, sound: Sound) -> Heard:
    """The draft as it stands, or nothing: one doubt is a mumble, two are an invention."""
    if not any(map(str.isalnum, draft.text)):
        return Heard("", draft.language, draft.language_probability, 0.0, ())
    doubted = {
        "no_speech": draft.no_speech > NO_SPEECH,
        "low_confidence": draft.confidence < DOUBTFUL,
        "repetitive": draft.is_suspect(sound.length_s),
    }
    doubts = tuple(name for name, doubtful in doubted.items() if doubtful)
    if len(doubts) > 1:
        return Heard("", draft.language, draft.language_probability, 0.0, (), doubts)
    return Heard(draft.text, draft.language, draft.language_probability, draft.confidence, draft.words, doubts)


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
    if model.engine == "transformers":
        from consumers.transcription.checkpoint import converted

        model = replace(model, location=str(converted(model)))
    directory = Path(model.location)
    if directory.is_absolute() and not (directory / "model.bin").is_file():
        raise ModelError(f"{model.name}: no model.bin in {model.location}")
    import ctranslate2
    import threadpoolctl
    from faster_whisper import WhisperModel

    # NumPy's own threads wait for work by spinning: beside the model's that cost an eighth of all CPU time.
    threadpoolctl.ThreadpoolController().select(internal_api="openblas").limit(limits=1)
    name, _, number = settings.device.partition(":")
    if name == "auto":
        name = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    workers = 1 if name == "cuda" else min(MOST_WORKERS, os.cpu_count() or 1)
    whisper = WhisperModel(
        model.location,
        device=name,
        device_index=int(number or 0),
        compute_type="float16" if name == "cuda" else "int8",
        cpu_threads=1,
        num_workers=workers,
    )
    return Recognizer(whisper, model.languages, workers=workers)
