"""Two ways to run a sentence-transformers directory: by transformers, and by CTranslate2.

Both give the same vectors (cosine above 0.9999, tested). CTranslate2 starts in 0.4 s of CPU time where transformers
takes ten, because it needs no torch; it runs BERT-like encoders, and converts one once into callbus's cache.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callbus.caches import cache_root
from callbus.consumer import Model
from callbus.models import ADAPTED
from consumers import adapter

Vectors = NDArray[np.float32]

_WINDOW_TOKENS = 256  # what the MiniLM family was trained on
_NO_WEIGHTS = (".json", ".txt", ".model")  # configurations, vocabularies, tokenizers


class ByTransformers:
    """Mean pooling over the attention mask, with torch; half precision on CUDA."""

    def __init__(self, its: Model, device: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer, logging

        logging.disable_progress_bar()
        self._torch = torch
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        revision, _, _ = its.version.partition(ADAPTED)
        source: dict[str, Any] = {"local_files_only": True} if Path(its.location).is_dir() else {"revision": revision}
        self._tokenizer: Any = AutoTokenizer.from_pretrained(its.location, **source)
        model: Any = AutoModel.from_pretrained(its.location, **source)
        if its.adapter is not None:
            adapter.merge(adapter.load(its.adapter), model)
        self._model: Any = (model.half() if self.device.startswith("cuda") else model).to(self.device).eval()
        self.dimensions = int(model.config.hidden_size)

    def embed(self, batch: Sequence[str]) -> Vectors:
        """One unit vector per text, shape (len(batch), dimensions)."""
        torch = self._torch
        inputs = self._tokenizer(
            list(batch), padding=True, truncation=True, max_length=_WINDOW_TOKENS, return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode():
            hidden = self._model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"].unsqueeze(-1).float()
            pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            unit = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return np.asarray(unit, dtype=np.float32)


class ByCTranslate2:
    """The same by CTranslate2, in float32 on a CPU and float16 on CUDA."""

    def __init__(self, its: Model, device: str) -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        self._ctranslate2 = ctranslate2
        self._tokenizer: Any = Tokenizer.from_buffer(Path(its.location, "tokenizer.json").read_bytes())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_WINDOW_TOKENS)
        kind, _, index = device.partition(":")
        precision = (
            "float16" if kind == "cuda" or (kind == "auto" and ctranslate2.get_cuda_device_count()) else "float32"
        )
        self._model: Any = ctranslate2.Encoder(
            str(_converted(its)), device=kind, device_index=int(index or 0), compute_type=precision
        )
        self.device = str(self._model.device)
        self.dimensions = int(self.embed(["x"]).shape[1])

    def embed(self, batch: Sequence[str]) -> Vectors:
        """One unit vector per text, shape (len(batch), dimensions)."""
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(batch))]
        state = self._model.forward_batch(tokens).last_hidden_state
        if self.device != "cpu":
            state = state.to_device(self._ctranslate2.Device.cpu)
        hidden = np.array(state, dtype=np.float32)
        pooled = np.stack([row[: len(ids)].mean(axis=0) for row, ids in zip(hidden, tokens, strict=True)])
        unit: Vectors = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit


BY_ENGINE: dict[str, type[ByTransformers] | type[ByCTranslate2]] = {
    "transformers": ByTransformers,
    "ctranslate2": ByCTranslate2,
}


def _converted(model: Model) -> Path:
    """The model in CTranslate2's form: converted once (some ten seconds), then found in the cache."""
    place = Path(model.location)
    folder = cache_root() / "models" / f"{place.parent.name}-{place.name}-{model.version}"
    if not (folder / "model.bin").exists():
        from ctranslate2.converters import TransformersConverter

        folder.parent.mkdir(parents=True, exist_ok=True)
        with merged(model) as whole:
            made = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
            TransformersConverter(whole).convert(str(made), force=True)
        try:
            made.replace(folder)
        except OSError:  # another process was quicker
            shutil.rmtree(made, ignore_errors=True)
    return folder


@contextmanager
def merged(model: Model) -> Iterator[str]:
    """A folder of the model with its adapter's changes in it: its own where it has none."""
    if model.adapter is None:
        yield model.location
        return
    from transformers import AutoModel

    whole: Any = AutoModel.from_pretrained(model.location, local_files_only=True)
    adapter.merge(adapter.load(model.adapter), whole)
    with tempfile.TemporaryDirectory() as folder:
        for file in Path(model.location).iterdir():
            if file.suffix in _NO_WEIGHTS:
                shutil.copy(file, folder)
        whole.save_pretrained(folder)
        yield folder
