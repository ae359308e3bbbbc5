"""Work on a device in batches that fit its memory: one that does not is halved, and the size that fits is remembered.

The worker halves a consumer's whole batch (`callbus.worker.halving`); this is for an engine whose own batches are
another thing: sentences, windows. What is too big alone is raised, for the worker to judge.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from callbus.worker.halving import Room, is_out_of_memory

T = TypeVar("T")
R = TypeVar("R")


def fitting(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], most: int, room: Room) -> list[R]:
    """`work`'s results, one per item, in order, from batches of at most `most` items and of what `room` allows."""
    results: list[R] = []
    while len(results) < len(items):
        size = min(most, room.most or most)
        batch = items[len(results) : len(results) + size]
        try:
            done = work(batch)
        except Exception as problem:
            if not is_out_of_memory(problem) or len(batch) == 1:
                raise
            room.limit(len(batch) // 2, len(batch))
            continue
        if len(done) != len(batch):
            raise TypeError(f"the engine gave {len(done)} results for {len(batch)} inputs")
        results += done
    return results
