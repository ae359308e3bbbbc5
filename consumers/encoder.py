"""Sentence embeddings, shared by every group of a process that judges meaning.

A sentence-transformers directory (MiniLM and its kin), run as `embedding` knows how: mean pooling, normalised, so that
a dot product is a cosine (Reimers and Gurevych 2019, arXiv 1908.10084). Text is embedded sentence by sentence and no
call is ever cut at the model's window.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from threading import Lock

import numpy as np

from callbus.consumer import Model, Settings
from callbus.errors import ModelError
from consumers.embedding import BY_ENGINE, Vectors

_BATCH = 64  # four times as fast as one by one on a CPU; longer batches gain nothing there
_WINDOW_WORDS = 28  # unpunctuated speech is cut into windows of this many words, half overlapping
_REMEMBERED = 16_384  # sentences, 1.5 kB each: a growing document only pays for its new turns

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|\n+")
_CLAUSE_END = re.compile(r"[;:]\s+|,?\s+(?:and|but|or|so)\s+|,\s+", re.IGNORECASE)
_CLAUSE_WORDS = 4  # shorter ones say nothing by themselves
_SPAN_WORDS = (6, 10)  # about a formula ("thank you for holding the line"), and a sentence of a conversation


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of an utterance; where nothing is punctuated, overlapping windows of words."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(text.strip()):
        words = piece.split()
        if not any(character.isalnum() for character in piece):
            continue
        if len(words) <= _WINDOW_WORDS * 3 // 2:
            found.append(" ".join(words))
            continue
        step = _WINDOW_WORDS // 2
        found += [" ".join(words[start : start + _WINDOW_WORDS]) for start in range(0, len(words) - step, step)]
    return tuple(found)


def clauses(sentence: str) -> tuple[str, ...]:
    """The parts of a sentence that could stand alone, none if it has only one.

    What may be several sentences (unpunctuated speech) is also cut into overlapping spans of a sentence's length.
    """
    parts = tuple(part for part in _CLAUSE_END.split(sentence) if len(part.split()) >= _CLAUSE_WORDS)
    found = parts if len(parts) > 1 or (parts and len(parts[0]) < len(sentence) - 8) else ()
    words = sentence.split()
    if len(words) <= _SPAN_WORDS[-1] * 3 // 2 or any(mark in sentence for mark in ".,;:!?"):
        return found
    spans = [
        words[start : start + size] for size in _SPAN_WORDS for start in range(0, len(words) - size // 2, size // 2)
    ]
    return (*found, *(" ".join(span) for span in spans))


class Encoder:
    """Turns sentences into unit vectors. Safe to share between threads."""

    def __init__(self, model: Model, device: str) -> None:
        """Raises `ModelError` if the model or its adapter can't be loaded, or do not fit each other."""
        engine, location = model.engine, model.location
        try:
            self._backend = BY_ENGINE[engine](model, device)
        except KeyError:
            raise ModelError(f"engine {engine} runs no sentence encoder; say {' or '.join(BY_ENGINE)}") from None
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"no sentence encoder can be loaded from {location} on {device} ({error}); name a model with "
                "config.json, tokenizer.json and weights under `models:` in topology.yaml, and a device that exists"
            ) from error
        self.device = self._backend.device
        self.dimensions = self._backend.dimensions
        self._lock = Lock()
        self._known: OrderedDict[str, Vectors] = OrderedDict()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector per text, shape (len(texts), dimensions), float32."""
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        with self._lock:
            # Longest first: alike lengths share a batch, and a batch too big for the device fails at once.
            new = sorted({text for text in texts if text not in self._known}, key=lambda text: (-len(text), text))
            fresh: dict[str, Vectors] = {}
            for start in range(0, len(new), _BATCH):
                batch = new[start : start + _BATCH]
                fresh.update(zip(batch, self._backend.embed(batch), strict=True))
            vectors = np.stack([fresh[text] if text in fresh else self._known[text] for text in texts])
            self._remember(texts, fresh)
        return vectors

    def _remember(self, texts: Sequence[str], fresh: dict[str, Vectors]) -> None:
        for text in texts:
            if text in fresh:
                self._known[text] = fresh[text]
            else:
                self._known.move_to_end(text)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


@cache
def _shared(model: Model, device: str) -> Encoder:
    return Encoder(model, device)


def encoder(settings: Settings) -> Encoder:
    """The process's encoder of this group's model; groups of one process share it.

    Raises `ModelError` if the group names no model or it can't be loaded.
    """
    if not settings.models:
        raise ModelError(f"group {settings.group} judges meaning: give it a sentence encoder under `models:`")
    for model in settings.models:
        if model.card is not None:
            raise ModelError(
                f"group {settings.group}: {model.name} has a card, and this group takes no checkpoint that judges by "
                "itself; name a sentence encoder alone under `models:`"
            )
    return _shared(replace(settings.model, name=""), settings.device)  # whatever the topology calls it
