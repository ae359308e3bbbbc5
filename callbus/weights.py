"""How many weights a model's files hold, read from their headers: no model library, no weight is loaded.

Known are safetensors (a JSON header of every tensor's type and shape) and CTranslate2's `model.bin` (a record before
every variable). Other files count by their size, as 4 bytes a weight.
"""

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_WEIGHT_FILES = ("*.safetensors", "model.bin", "pytorch_model*.bin")  # one form is loaded where a model has several
_FLOAT_BYTES = 4
_LONGEST_HEADER_BYTES = 100_000_000  # the safetensors library's own limit


def weight_files(directory: Path) -> tuple[Path, ...]:
    """The files that would be loaded; none if the directory holds no known form of weights."""
    for pattern in _WEIGHT_FILES:
        if found := sorted(directory.glob(pattern)):
            return tuple(found)
    return ()


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
                return _in_safetensors(stream)
            if file.name == "model.bin":
                return sum(_in_ctranslate2(stream))
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        pass  # another form, or a file that is cut off: its size is the best there is
    return file.stat().st_size // _FLOAT_BYTES


def _in_safetensors(stream: BinaryIO) -> int:
    (length,) = struct.unpack("<Q", stream.read(8))
    if length > _LONGEST_HEADER_BYTES:
        raise ValueError("no safetensors header")
    tensors = json.loads(stream.read(length))
    return sum(math.prod(entry["shape"]) for name, entry in tensors.items() if name != "__metadata__")


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
