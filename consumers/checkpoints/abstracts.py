"""Sentences that a sequence-to-sequence checkpoint writes about a call: T5 and its kin, BART, Pegasus.

It reads redacted text alone, all of it, in parts that its window holds. What it writes is a draft: a model of language
writes what sounds likely, so every sentence is checked (`support.py`) before anybody sees it.
"""

from collections.abc import Sequence
from typing import Any

from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.fitting import fitting
from callbus.worker.halving import Room
from consumers.checkpoints.card import SummaryCard, read_card
from consumers.checkpoints.loading import device_of, tokenizer_of, whole
from consumers.checkpoints.reader import Cutter
from consumers.encoder import sentences
from schemas.records import CallDocument

BATCH = 8
_REPEATED_WORDS = 3  # in a row that it may not write twice: small models loop
_SEAMS = 4  # tokens more that a part may have between a prompt and the mark of its end than it has in its text
_ENDS = (".", "!", "?", '."', '."')


class Abstracts:
    """A loaded checkpoint."""

    def __init__(self, model: Model, device: str) -> None:
        """Raises `ModelError` if it can't be loaded."""
        import torch
        from transformers import AutoModelForSeq2SeqLM

        if model.card is None:
            raise ModelError(f"model {model.name} has no `card:` with its window and its prompt")
        self._card = read_card(model.card, SummaryCard)
        self._torch = torch
        self.device = device_of(device)
        self._model: Any = whole(model, self.device, AutoModelForSeq2SeqLM, "sequence-to-sequence model")
        self._tokenizer = tokenizer_of(model)
        prompt = len(self._tokenizer(self._card.prompt, add_special_tokens=False)["input_ids"])
        stated = int(getattr(self._model.config, "max_position_embeddings", 0) or self._card.window)
        window = min(self._card.window, stated) - prompt - _SEAMS
        self._cutter = Cutter(model, self._tokenizer, window, self._card.overlap)
        self._room = Room()

    def write(self, documents: Sequence[CallDocument]) -> dict[str, list[str]]:
        """By event_id, the sentences of each call's draft in order, those of all its parts; each once."""
        parts = {
            document.event_id: self._cutter.parts(" ".join(turn.redacted_text for turn in document.turns))
            for document in documents
        }
        wanted = sorted({part for each in parts.values() for part in each}, key=lambda part: (-len(part), part))
        drafts = dict(zip(wanted, fitting(self._generate, wanted, BATCH, self._room), strict=True))
        return {
            event_id: list(dict.fromkeys(sentence for part in each for sentence in finished(drafts[part])))
            for event_id, each in parts.items()
        }

    def _generate(self, batch: Sequence[str]) -> list[str]:
        inputs = self._tokenizer(
            [self._card.prompt + part for part in batch], padding=True, return_tensors="pt", verbose=False
        ).to(self.device)
        with self._torch.inference_mode():
            found = self._model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                do_sample=False,
                num_beams=self._card.beam,
                max_new_tokens=self._card.most_tokens,  # the same for all: a text must not depend on its batch
                no_repeat_ngram_size=_REPEATED_WORDS,
            )
        return [str(text) for text in self._tokenizer.batch_decode(found, skip_special_tokens=True)]


def finished(draft: str) -> list[str]:
    """The sentences of a draft; a last one without its end was cut off and is left out."""
    found = list(sentences(draft))
    return found if draft.rstrip().endswith(_ENDS) else found[:-1]
