"""A Whisper checkpoint of transformers, made ready for faster-whisper.

A fine-tuned checkpoint is converted once into callbus's cache (a minute for a large one) and is then heard by the same
`Recognizer` as every other Whisper: with short windows, batches, words' times, float16 on CUDA and int8 on a CPU.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from callbus.caches import cache_root
from callbus.consumer import Model
from callbus.errors import ModelError

_STORED = "float16"  # half the disk, and what either device computes in is made of it at loading


def converted(model: Model) -> Path:
    """The directory of the model in CTranslate2's form.

    Raises `ModelError` if there is no Whisper checkpoint at `model.location`, or the hub's is not in its cache and the
    hub can't be reached.
    """
    folder = cache_root() / "models" / f"whisper-{Path(model.location).name}-{model.version}"
    if (folder / "model.bin").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
    try:
        _convert(model, made)
        made.replace(folder)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        if not (folder / "model.bin").is_file():  # else another process was quicker
            raise ModelError(
                f"model {model.name}: {model.location} can't be made ready for faster-whisper ({error}); it needs a "
                "Whisper checkpoint's config.json, weights, tokenizer and preprocessor_config.json"
            ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _convert(model: Model, made: Path) -> None:
    from ctranslate2.converters import TransformersConverter
    from transformers import WhisperFeatureExtractor, WhisperTokenizerFast

    local = Path(model.location).is_dir()
    source: dict[str, Any] = {"local_files_only": True} if local else {"revision": model.version}
    converter = TransformersConverter(model.location, revision=None if local else model.version)
    converter.convert(str(made), quantization=_STORED, force=True)
    # faster-whisper reads these two, and asks a hub for the first where it is missing.
    tokenizer: Any = WhisperTokenizerFast.from_pretrained(model.location, **source)
    tokenizer.backend_tokenizer.save(str(made / "tokenizer.json"))
    WhisperFeatureExtractor.from_pretrained(model.location, **source).save_pretrained(made)
