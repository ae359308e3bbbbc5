"""A sampled profile, from py-spy's folded stacks to shares. Pure."""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

# The first of these that a stack's innermost known frame stands in says what the time went to.
_PARTS = (
    ("callbus/worker/kip447", "callbus: batches and transactions"),
    ("callbus/worker/stage", "callbus: stage"),
    ("callbus/worker/arrivals", "callbus: arrivals"),
    ("callbus/worker/lane", "callbus: lanes"),
    ("callbus/worker/hand", "callbus: lanes"),
    ("callbus/worker/", "callbus: the rest of the worker"),
    ("callbus/cloudevents", "headers"),
    ("callbus/ids", "event ids"),
    ("callbus/codec", "codec: typed records and Avro"),
    ("schemas/", "codec: typed records and Avro"),
    ("tests/bench/", "the handler, or the bare loop"),
    ("callbus/", "callbus: the rest"),
    ("faust/", "Faust"),
    ("mode/", "Faust"),
    ("aiokafka/", "aiokafka"),
    ("kafka/", "aiokafka"),
    ("asyncio/", "asyncio"),
)
OTHER = "other"


def shares(folded: Iterable[str]) -> dict[str, float]:
    """By part, its share of all samples, the largest first. A library's time counts for who called it."""
    counts: Counter[str] = Counter()
    for stack, count in _read(folded):
        counts[part_of(stack)] += count
    total = counts.total()
    return {part: count / total for part, count in counts.most_common()}


def functions(folded: Iterable[str], most: int) -> list[tuple[str, float]]:
    """The functions with most of their own time, as `name (file:line)`, with their share."""
    counts: Counter[str] = Counter()
    for stack, count in _read(folded):
        counts[_short(stack[-1])] += count
    total = counts.total()
    return [(function, count / total) for function, count in counts.most_common(most)]


def part_of(stack: list[str]) -> str:
    """What the innermost frame that belongs to a known part belongs to."""
    for frame in reversed(stack):
        for mark, part in _PARTS:
            if mark in frame:
                return part
    return OTHER


def _read(folded: Iterable[str]) -> Iterable[tuple[list[str], int]]:
    """`outer (file:line);inner (file:line) count`, a line for each stack."""
    for line in folded:
        stack, _, count = line.rpartition(" ")
        if stack:
            yield stack.split(";"), int(count)


def _short(frame: str) -> str:
    """The frame with no more of its file's path than tells it from others."""
    name, _, place = frame.partition(" (")
    parts = PurePath(place.rstrip(")")).parts
    return f"{name} ({'/'.join(parts[-3:])})" if place else name
