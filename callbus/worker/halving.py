"""A consumer's call, narrowed down: what fails as a batch is halved until the guilty event is alone.

Consumers are functions of their arguments, so that calling them again with a part of the batch is safe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from callbus.consumer import CallResult, CallSlice, Outcome, Stateful, Stateless
from callbus.errors import Reject, Retry

T = TypeVar("T")
R = TypeVar("R")

Refusal = tuple[Any, Reject | Retry]


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one call's slice came to. `result` is None if none of its events could be worked on: nothing has moved."""

    result: CallResult[Any, Any] | None
    refused: Sequence[Refusal] = ()


def handle(consumer: Stateless, events: Sequence[Any]) -> list[Outcome]:
    """One outcome per event. An exception other than Reject and Retry, of an event alone, goes through."""

    def alone(event: Any, problem: Exception) -> Outcome:
        if isinstance(problem, Reject | Retry):
            return problem
        raise problem

    return _halve(consumer.handle, events, alone)


def advance(consumer: Stateful, slices: Sequence[CallSlice[Any, Any]]) -> list[Advanced]:
    """One result per slice. An exception other than Reject and Retry, of an event alone, goes through."""

    def work(part: Sequence[CallSlice[Any, Any]]) -> list[Advanced]:
        return [Advanced(result, result.rejected) for result in consumer.advance(part)]

    def alone(one: CallSlice[Any, Any], problem: Exception) -> Advanced:
        if len(one.events) > 1:
            return _in_two(one)
        if one.events and isinstance(problem, Reject | Retry):
            return Advanced(None, [(one.events[0], problem)])
        raise problem

    def _in_two(one: CallSlice[Any, Any]) -> Advanced:
        middle = len(one.events) // 2
        [first] = _halve(work, [replace(one, events=one.events[:middle])], alone)
        rest = replace(one, events=one.events[middle:])
        if first.result is not None:
            rest = replace(rest, state=first.result.state, memory=first.result.memory)
        [second] = _halve(work, [rest], alone)
        refused = [*first.refused, *second.refused]
        if first.result is None or second.result is None:
            return Advanced(first.result or second.result, refused)
        return Advanced(replace(second.result, events=[*first.result.events, *second.result.events]), refused)

    return _halve(work, slices, alone)


def _halve(
    work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], alone: Callable[[T, Exception], R]
) -> list[R]:
    """`work(items)`, one result per item; where it raises, the same of each half; of one item, `alone` decides."""
    if not items:
        return []
    try:
        results = work(items)
    except Exception as problem:
        if len(items) == 1:
            return [alone(items[0], problem)]
        middle = len(items) // 2
        return [*_halve(work, items[:middle], alone), *_halve(work, items[middle:], alone)]
    if len(results) != len(items):
        raise TypeError(f"the consumer gave {len(results)} results for {len(items)} inputs")
    return list(results)
