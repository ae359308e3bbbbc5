"""From log-Mel features to words by CTranslate2's Whisper, a batch at a time.

A partial has no times of its words and no more tokens than are usually said, and its decoder may not repeat three
tokens.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.transcription.judging import Draft
from consumers.transcription.sound import Spoken

Features = NDArray[np.float32]

SPARE_FRAMES = 200  # silence after the words, without which the decoder does not know that they ended

# Whisper's own sets: marks that belong to the word after or before them.
OPENING_MARKS = "\"'“¿([{-"
CLOSING_MARKS = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001

MOST_TOKENS = 224  # of an utterance, as in openai/whisper
FASTEST_TOKENS = 20  # a second, and some to spare: what goes on longer is a loop
FAST_TOKENS, SPARE_TOKENS = 8, 6  # a second, and some more: what a partial may have
UNREPEATED = 3  # tokens in a row that a partial has once


@dataclass(frozen=True, slots=True)
class Decoder:
    """A model of faster-whisper, the languages that it chooses from if it knows several (any, if empty), and the width
    of its search. Several threads may use it."""

    whisper: Any
    languages: tuple[str, ...] = ()
    beam_size: int = 1

    @property
    def multilingual(self) -> bool:
        return bool(self.whisper.model.is_multilingual)

    def transcribe(self, padded: Features, lengths: Sequence[int], partial: bool) -> list[Draft]:
        """What is said in each row of log-Mel features; `lengths` are those of the rows without their padding."""
        import ctranslate2

        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(padded))
        encoded = np.array(self.whisper.model.encode(view, to_cpu=True))
        spoken = self._spoken_languages(ctranslate2.StorageView.from_array(encoded), len(lengths))
        drafts: list[Draft | None] = [None] * len(lengths)
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
        if not self.multilingual:
            return [("en", 1.0)] * count
        found = []
        for probabilities in self.whisper.model.detect_language(encoded):
            named = [(token.strip("<|>"), float(probability)) for token, probability in probabilities]
            allowed = [pair for pair in named if not self.languages or pair[0] in self.languages]
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
    ) -> Iterable[Draft]:
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        tokenizer = Tokenizer(self.whisper.hf_tokenizer, self.multilingual, task="transcribe", language=language)
        prompt = self.whisper.get_prompt(tokenizer, [], without_timestamps=True)
        results = self.whisper.model.generate(
            encoded,
            [prompt] * len(lengths),
            beam_size=1 if partial else self.beam_size,
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
            yield Draft(
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

        alignments = self.whisper.find_alignment(tokenizer, tokens, encoded, list(lengths))
        for alignment in alignments:
            merge_punctuations(alignment, OPENING_MARKS, CLOSING_MARKS)
        return [tuple(_spoken(word) for word in alignment if word["word"].strip()) for alignment in alignments]


def _most_tokens(frames: int, partial: bool) -> int:
    """How many tokens can be said in audio of this length."""
    if partial:
        return SPARE_TOKENS + frames * FAST_TOKENS // 100
    return min(MOST_TOKENS, frames * FASTEST_TOKENS // 100)


def _spoken(word: dict[str, Any]) -> Spoken:
    return Spoken(
        word["word"].strip(),
        round(word["start"] * 1000),
        round(word["end"] * 1000),
        round(float(word["probability"]), 4),
    )
