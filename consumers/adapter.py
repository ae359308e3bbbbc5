"""What an encoder learned from the example corpus: low-rank changes of its weights (LoRA, Hu et al. 2021, arXiv
2106.09685), kept apart from the model, a megabyte in all, and added to its weights when it is loaded.

`consumers.adapting` makes one. Two files in a folder: `adapter.npz` (two matrices per changed layer, half precision,
without pickle) and `adapter.json` (what it was made from).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from callbus.errors import ModelError

_WEIGHTS, _ABOUT = "adapter.npz", "adapter.json"
_HELD_OUT = 10  # one in so many examples

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Adapter:
    """Per linear layer, by its name in the model: (down, up), shapes (rank, inputs) and (outputs, rank)."""

    changes: Mapping[str, tuple[Half, Half]]
    corpus_digest: str  # of the examples it was taught by, for people
    encoder: str  # name and version of the model that it is for, for people


def is_held_out(text: str) -> bool:
    """Whether an example, by its words, is never shown to an encoder that learns: by such alone are thresholds and
    calibration chosen. One in ten, the same for ever."""
    return blake2b(text.encode(), digest_size=4).digest()[0] % _HELD_OUT == 0


def save(adapter: Adapter, folder: Path) -> None:
    """Writes the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{name}.{part}": matrix
        for name, pair in adapter.changes.items()
        for part, matrix in zip(("down", "up"), pair, strict=True)
    }
    np.savez_compressed(folder / _WEIGHTS, **arrays)  # type: ignore[arg-type]
    about = {"corpus_digest": adapter.corpus_digest, "encoder": adapter.encoder, "layers": list(adapter.changes)}
    (folder / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Adapter:
    """Raises `ModelError` if the folder is not there or broken."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        with np.load(folder / _WEIGHTS, allow_pickle=False) as arrays:
            changes = {name: (arrays[f"{name}.down"], arrays[f"{name}.up"]) for name in about["layers"]}
        return Adapter(changes, about["corpus_digest"], about["encoder"])
    except (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile) as error:
        raise ModelError(
            f"no adapter of an encoder can be read from {folder} ({error!r}); mend `adapter:` of its model in "
            "topology.yaml, or run `python -m consumers.adapting`"
        ) from error


def merge(adapter: Adapter, model: Any) -> None:
    """Adds the changes to a transformers model's weights. Raises `ModelError` if it has no layers of these shapes."""
    import torch

    for name, (down, up) in adapter.changes.items():
        try:
            change = torch.from_numpy(up.astype(np.float32) @ down.astype(np.float32))
            weight = model.get_submodule(name).weight
            with torch.no_grad():
                weight += change.to(weight)
        except (AttributeError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"the adapter is for {adapter.encoder} and does not fit this encoder ({name}: {error}); "
                "take `adapter:` from its model in topology.yaml, or run `python -m consumers.adapting`"
            ) from error
