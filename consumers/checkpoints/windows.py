"""A text of any length in windows that a checkpoint can take, and what it says of them put together again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens `start` to `start + len(ids)` of a text."""

    text: int  # which
    start: int
    ids: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.ids)


def cut(length: int, most: int, overlap: int) -> list[tuple[int, int]]:
    """(start, end) of windows over `length` tokens, of at most `most`, each `overlap` tokens into the one before.

    The last one is moved back to be as full as the others: a few tokens alone are judged badly.
    """
    if length <= most:
        return [(0, length)]
    starts = list(range(0, length - most, most - overlap))
    return [(start, start + most) for start in (*starts, length - most)]


def merged(length: int, windows: Sequence[Window], values: Sequence[Table]) -> Table:
    """One row per token, shape (length, labels), from each window's rows.

    Where windows overlap it is their mean, weighted by how far a token stands from the window's edge: in the middle a
    model sees what stands on both sides.
    """
    total = np.zeros((length, values[0].shape[1]), dtype=np.float32)
    weight = np.zeros((length, 1), dtype=np.float32)
    for window, rows in zip(windows, values, strict=True):
        size = len(window.ids)
        near = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)).astype(np.float32)[:, None]
        total[window.start : window.end] += near * rows
        weight[window.start : window.end] += near
    return np.asarray(total / weight, dtype=np.float32)


def averaged(windows: Sequence[Window], values: Sequence[Table]) -> Table:
    """The windows' mean, weighted by their number of tokens."""
    return np.average(np.stack(values), axis=0, weights=[max(1, len(window.ids)) for window in windows]).astype(
        np.float32
    )
