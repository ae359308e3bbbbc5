"""Translation by a sequence-to-sequence checkpoint of transformers: Marian (OPUS-MT), NLLB, M2M100.

Sentences are translated in batches of like length, in half precision on CUDA. One that is longer than the model's
window goes in parts. A batch that the device has no memory for is halved.
"""

from collections.abc import Callable, Sequence
from typing import Any

from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.fitting import fitting
from callbus.worker.halving import Room
from consumers.checkpoints.loading import device_of, placed, precision, source_of
from consumers.translation.tokens import Tokens
from consumers.translation.windows import windows

BATCH = 32

Translate = Callable[[Sequence[str]], Sequence[str]]


def in_parts(tokens: Tokens, most: int, translate: Translate, sentences: Sequence[str]) -> list[str]:
    """Each sentence's translation, from those of its parts; the longest first, so that alike lengths share a batch."""
    cut = [windows(sentence, tokens.count, most) for sentence in sentences]
    parts = sorted({part for each in cut for part in each if part}, key=lambda part: (-len(part), part))
    done = dict(zip(parts, translate(parts), strict=True))
    return [" ".join(done[part] for part in each if part).strip() for each in cut]


class Seq2Seq:
    """A loaded checkpoint."""

    def __init__(self, model: Model, device: str) -> None:
        import torch
        from transformers import AutoModelForSeq2SeqLM, logging

        logging.disable_progress_bar()
        self._torch = torch
        self._device = device_of(device)
        self._tokens = Tokens(model)
        try:
            loaded: Any = AutoModelForSeq2SeqLM.from_pretrained(model.location, **source_of(model))
            self._model: Any = placed(loaded, self._device)
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"model {model.name}: no translation model can be loaded from {model.location} on {device} ({error}); "
                "name a sequence-to-sequence checkpoint and a device that exists"
            ) from error
        positions = int(getattr(self._model.config, "max_position_embeddings", 0) or self._tokens.most)
        self.most = min(self._tokens.most, positions - 4)  # tokens of a window
        self._positions = positions
        self._room = Room()

    @property
    def half(self) -> bool:
        """Whether it computes in half precision."""
        return precision(self._device) != "float32"

    def __call__(self, sentences: Sequence[str]) -> list[str]:
        """Each sentence's translation, in order."""
        return in_parts(self._tokens, self.most, self._all, sentences)

    def _all(self, parts: Sequence[str]) -> list[str]:
        return fitting(self._generate, parts, BATCH, self._room)

    def _generate(self, batch: Sequence[str]) -> list[str]:
        return [self._tokens.plain(ids) for ids in self.generated(batch)]

    def generated(self, batch: Sequence[str]) -> list[list[int]]:
        """The tokens of each text's translation, marks included."""
        tokens = self._tokens
        texts = [tokens.prefix + text for text in batch]
        inputs = tokens.tokenizer(texts, padding=True, return_tensors="pt").to(self._device)
        forced = {} if tokens.target_id is None else {"forced_bos_token_id": tokens.target_id}
        with self._torch.inference_mode():
            found = self._model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                do_sample=False,
                max_length=self._positions,  # the same for all: a text must not depend on the batch that it is in
                **forced,
            )
        return [list(map(int, row)) for row in found.cpu()]
