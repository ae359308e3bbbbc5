"""How many weights a model's files hold, read from their headers: no model library, no weight is loaded.

Known are safetensors (a JSON header of every tensor's type and shape) and CTranslate2's `model.bin` (a record before
every variable). Other files count by their size, as 4 bytes a weight.
"""

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_WEIGHT_FILES = ("*.safetensors", "model.bin", "pytorch_model*.bin")  # one form is loaded where a model has several
_IN_ONE_FILE = ("model.safetensors", "pytorch_model.bin")  # it goes before shards; transformers takes the first
_FLOAT_BYTES = 4
_LONGEST_HEADER_BYTES = 100_000_000  # the safetensors library's own limit


def weight_files(directory: Path) -> tuple[Path, ...]:
    """The files that would be loaded and are there; none if the directory holds no known form of weights."""
    if (index := index_of(directory)) and (here := [file for file in shards(index) if file.is_file()]):
        return tuple(here)
    for pattern in _WEIGHT_FILES:
        if found := sorted(directory.glob(pattern)):
            return tuple(found)
    return ()


def index_of(directory: Path) -> Path | None:
    """The index of a sharded checkpoint, None where one file holds all."""
    for name in _IN_ONE_FILE:
        if (directory / name).is_file():
            return None
        if (index := directory / f"{name}.index.json").is_file():
            return index
    return None


def shards(index: Path) -> tuple[Path, ...]:
    """The files that an index names, be they there or not; none if it names none."""
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return tuple(index.with_name(name) for name in sorted(named))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def is_damaged(file: Path) -> bool:
    """Whether a safetensors file is shorter than its header says or has none, or an index names no files.

    Of other forms that is not known.
    """
    if file.suffix == ".json":
        return not shards(file)
    if file.suffix != ".safetensors":
        return False
    try:
        with file.open("rb") as stream:
            tensors = _safetensors(stream)
            longest = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
            return stream.tell() + longest > file.stat().st_size
    except (ValueError, KeyError, TypeError, IndexError, struct.error):
        return True


def count(directory: Path) -> int | None:
    """The number of weights; None if the directory holds no known form of them."""
    files = weight_files(directory)
    return sum(map(_in_file, files)) if files else None


def size(directory: Path) -> int:
    """The bytes of all files below, links followed, each file once."""
    real = {path.resolve() for path in directory.rglob("*") if path.is_file()}
    return sum(path.stat().st_size for path in real)


def _in_file(file: Path) -> int:
    try:
        with file.open("rb") as stream:
            if file.suffix == ".safetensors":
                return sum(math.prod(tensor["shape"]) for tensor in _safetensors(stream).values())
            if file.name == "model.bin":
                return sum(_in_ctranslate2(stream))
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        pass  # another form, or a file that is cut off: its size is the best there is
    return file.stat().st_size // _FLOAT_BYTES


def _safetensors(stream: BinaryIO) -> dict[str, Any]:
    """The header's tensors by name; the stream stands behind the header then."""
    (length,) = struct.unpack("<Q", stream.read(8))
    if length > _LONGEST_HEADER_BYTES:
        raise ValueError("no safetensors header")
    tensors = json.loads(stream.read(length))
    if not isinstance(tensors, dict):
        raise TypeError("no safetensors header")
    tensors.pop("__metadata__", None)
    return tensors


def _in_ctranslate2(stream: BinaryIO) -> Iterator[int]:
    """The size of each variable, as `ctranslate2.specs.ModelSpec` writes them."""
    (version,) = struct.unpack("<I", stream.read(4))
    if not 1 <= version <= 100:
        raise ValueError("no CTranslate2 model")
    _string(stream)
    _revision, variables = struct.unpack("<II", stream.read(8))
    for _ in range(variables):
        _string(stream)
        (rank,) = struct.unpack("<B", stream.read(1))
        shape = struct.unpack(f"<{rank}I", stream.read(4 * rank))
        _kind, length = struct.unpack("<BI", stream.read(5))
        stream.seek(length, 1)
        yield math.prod(shape)


def _string(stream: BinaryIO) -> bytes:
    (length,) = struct.unpack("<H", stream.read(2))
    return stream.read(length)
