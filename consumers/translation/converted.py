"""Translation by a directory that `ct2-transformers-converter` made of a Marian, NLLB or M2M100 checkpoint.

The directory also needs the checkpoint's tokenizer files: `--copy_files tokenizer_config.json tokenizer.json` for NLLB,
`tokenizer_config.json source.spm target.spm vocab.json` for Marian.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.fitting import fitting
from callbus.worker.halving import Room
from consumers.translation.seq2seq import BATCH, in_parts
from consumers.translation.tokens import Tokens

_BEAM = 4


class Converted:
    """A loaded directory: float16 on CUDA, on a CPU in the type that it was converted to."""

    def __init__(self, model: Model, device: str) -> None:
        import ctranslate2

        if not Path(model.location, "model.bin").is_file():
            raise ModelError(
                f"model {model.name}: no model.bin in {model.location}; convert the checkpoint with "
                "`ct2-transformers-converter --model CHECKPOINT --output_dir DIRECTORY` and name that `directory:`"
            )
        self._tokens = Tokens(model)
        kind, _, index = device.partition(":")
        on_cuda = kind == "cuda" or (kind == "auto" and ctranslate2.get_cuda_device_count())
        try:
            self._model: Any = ctranslate2.Translator(
                model.location,
                device=kind,
                device_index=int(index or 0),
                compute_type="float16" if on_cuda else "default",
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"model {model.name}: {model.location} can't be loaded on {device} ({error}); convert it anew, or name "
                "a device that exists"
            ) from error
        self._room = Room()

    def __call__(self, sentences: Sequence[str]) -> list[str]:
        """Each sentence's translation, in order."""
        return in_parts(self._tokens, self._tokens.most, self._all, sentences)

    def _all(self, parts: Sequence[str]) -> list[str]:
        return fitting(self._translate, parts, BATCH, self._room)

    def _translate(self, batch: Sequence[str]) -> list[str]:
        tokens, tokenizer = self._tokens, self._tokens.tokenizer
        sources = [tokenizer.convert_ids_to_tokens(tokenizer(tokens.prefix + text)["input_ids"]) for text in batch]
        results = self._model.translate_batch(
            sources,
            target_prefix=[[tokens.target]] * len(batch) if tokens.target else None,
            beam_size=_BEAM,
            max_decoding_length=tokens.most,
        )
        return [tokens.plain(tokenizer.convert_tokens_to_ids(result.hypotheses[0])) for result in results]
