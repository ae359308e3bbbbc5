"""How a checkpoint comes from its directory onto its device: by transformers, whole or not at all."""

from pathlib import Path
from typing import Any

from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.wholeness import require_whole

_OVERFLOWS = ("t5", "mt5", "umt5", "longt5")


def source_of(model: Model) -> dict[str, Any]:
    """How `from_pretrained` finds the model: a directory asks nobody."""
    return {"local_files_only": True} if Path(model.location).is_dir() else {"revision": model.version}


def directory_of(model: Model) -> Path:
    """Where its files are, all of them; a hub's are fetched into the hub's cache. Raises `ModelError`."""
    directory = Path(model.location) if Path(model.location).is_dir() else _fetched(model)
    require_whole(model.name, directory, model.engine, "copy the whole model there")
    return directory


def _fetched(model: Model) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(model.location, revision=model.version))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ModelError(
            f"model {model.name}: {model.location} can't be fetched ({error}); fetch it with `hf download "
            f"{model.location}` where the hub can be reached, or name a `directory:`"
        ) from error


def device_of(device: str) -> str:
    """torch's name of a device; "auto" is CUDA where there is one."""
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def precision(device: str, family: str = "") -> str:
    """The type that a network of a family (`model_type` of config.json) computes in, by torch's name.

    Half of one on CUDA; a CPU is slow with halves. T5 overflows in float16, it was trained in bfloat16.
    """
    if not device.startswith("cuda"):
        return "float32"
    return "bfloat16" if family in _OVERFLOWS else "float16"


def placed(network: Any, device: str) -> Any:
    """The network on its device, in the precision for it, ready to judge."""
    import torch

    family = str(getattr(getattr(network, "config", None), "model_type", ""))
    return network.to(device=device, dtype=getattr(torch, precision(device, family))).eval()


def tokenizer_of(model: Model, location: str | Path | None = None) -> Any:
    """Its tokenizer, which must say where in a text each token stands. Raises `ModelError`."""
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(location or model.location), **source_of(model))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ModelError(
            f"model {model.name}: no tokenizer can be loaded from {model.location} ({error}); it needs "
            "tokenizer_config.json and the tokenizer's own files: copy them beside the weights"
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(f"model {model.name}: its tokenizer gives no offsets; it needs a tokenizer.json")
    return tokenizer


def whole(model: Model, device: str, loader: Any, what: str) -> Any:
    """The checkpoint by one of transformers' Auto classes, on its device. `what` it is, for people.

    transformers fills weights that a checkpoint lacks with random numbers, and only logs it: here it is a `ModelError`.
    """
    from transformers import logging

    logging.disable_progress_bar()
    try:
        network, report = loader.from_pretrained(model.location, output_loading_info=True, **source_of(model))
        missing = sorted(report["missing_keys"])
        on_device = placed(network, device)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"model {model.name}: no {what} can be loaded from {model.location} on {device} ({error}); name one, and a "
            "device that exists"
        ) from error
    if missing:
        raise ModelError(
            f"model {model.name}: {model.location} has no weights for {missing[0]}"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}; it is no {what}: name one"
        )
    return on_device


def weights_in(model: Model, directory: Path) -> dict[str, Any]:
    """Every tensor of the directory by its name. Raises `ModelError` if there are none, or they can't be read."""
    import torch
    from safetensors.torch import load_file

    from callbus.weights import weight_files

    tensors: dict[str, Any] = {}
    try:
        for file in weight_files(directory):
            if file.suffix == ".safetensors":
                tensors.update(load_file(file))
            else:
                tensors.update(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # each of the two libraries has errors of its own
        raise ModelError(
            f"model {model.name}: the weights in {directory} can't be read ({error}); copy them anew"
        ) from error
    if not tensors:
        raise ModelError(f"model {model.name}: no weights in {directory}; put model.safetensors there")
    return tensors
