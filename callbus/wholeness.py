"""Whether a model's directory holds the whole model, told before a library stumbles over it. Nothing is loaded."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from callbus import weights
from callbus.errors import ModelError

_POINTER = b"version https://git-lfs"  # so begins a file whose content Git LFS has not fetched
_CONVERTED = ("faster-whisper", "ctranslate2")  # engines that load CTranslate2's form
_VOCABULARY = ("*vocabulary*.json", "*vocabulary*.txt")
_TOKENIZER = ("tokenizer.json", "*.spm", "*.model", "vocab.*")  # where there is the first, the others are not needed
_SHOWN = 3  # names in a message


def require_whole(name: str, directory: Path, engine: str, mend: str) -> None:
    """Raises `ModelError` where a file that the model needs is missing, empty, damaged, or a Git LFS pointer.

    A directory without any weights passes: whoever loads it knows what it would need.
    """
    try:
        pointers = [file.name for file in _needed(directory, engine) if _is_pointer(file)]
        faults = [*_of_weights(directory, engine), *_of_converted(directory, engine)]
    except OSError as error:
        raise ModelError(f"model {name}: {directory} can't be read ({error}); {mend}") from error
    if pointers:
        are = "is a Git LFS pointer" if len(pointers) == 1 else "are Git LFS pointers"
        raise ModelError(
            f"model {name}: {_few(pointers)} {are}; run `git lfs pull` in {directory}, or copy the real files there"
        )
    if faults:
        raise ModelError(f"model {name}: {directory} is incomplete: {_few(faults)}; {mend}")


def _needed(directory: Path, engine: str) -> Iterator[Path]:
    """The weights and the tokenizer: what may be large enough for Git LFS."""
    yield from _weights(directory, engine)
    whole = directory / _TOKENIZER[0]
    yield from [whole] if whole.is_file() else _found(directory, _TOKENIZER)


def _weights(directory: Path, engine: str) -> Sequence[Path]:
    """Those that must be whole: where the engine's own file is there, no other, else all that a sharded checkpoint's
    index names, with the index."""
    own = directory / ("model.bin" if engine in _CONVERTED else "model.safetensors")
    if own.is_file():
        return (own,)
    index = weights.index_of(directory)
    return (index, *weights.shards(index)) if index else weights.weight_files(directory)


def _is_pointer(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(_POINTER)) == _POINTER


def _of_weights(directory: Path, engine: str) -> Iterator[str]:
    for file in _weights(directory, engine):
        if not file.is_file():
            yield f"no {file.name}"
        elif not file.stat().st_size:
            yield f"{file.name} is empty"
        elif weights.is_damaged(file):
            yield f"{file.name} is damaged"


def _of_converted(directory: Path, engine: str) -> Iterator[str]:
    """Of CTranslate2's form. Where nothing is of that form, engine ctranslate2 takes a checkpoint too."""
    is_whisper = engine == "faster-whisper"
    kinds = {
        "model.bin": ("model.bin",),
        "vocabulary.json": _VOCABULARY,
        "tokenizer.json": _TOKENIZER[:1] if is_whisper else _TOKENIZER,
    }
    there = {name for name, patterns in kinds.items() if any(_found(directory, patterns))}
    is_converted = there - {"tokenizer.json"} or (is_whisper and weights.weight_files(directory))
    if engine in _CONVERTED and is_converted:
        yield from (f"no {name}" for name in kinds if name not in there)


def _found(directory: Path, patterns: Sequence[str]) -> Iterator[Path]:
    return chain.from_iterable(map(directory.glob, patterns))


def _few(said: Sequence[str]) -> str:
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return ", ".join(said[:_SHOWN]) + more
