"""A consumer's call, narrowed down: what fails as a batch is halved until the guilty event is alone.

Consumers are functions of their arguments, so that calling them again with a part of the batch is safe. A device that
runs out of memory fails no event: the batch is halved until it fits, and the size that fits is remembered. An event
that does not fit alone is tried again later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from callbus.consumer import CallResult, CallSlice, Outcome, Stateful, Stateless
from callbus.errors import Reject, Retry
from callbus.worker.blame import Blame, nobody

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")

Refusal = tuple[Any, Reject | Retry]


@dataclass(slots=True)
class Room:
    """How many events (or calls' slices) the device has been seen to have memory for; None: no limit was met."""

    most: int | None = None
    _too_many: int = 0  # the most that did not fit, since the last `settle`
    _fitted: int = 0  # the most that did
    _alone: bool = False  # one did not fit by itself

    def ran_out_at(self, size: int) -> None:
        """So many were too many."""
        self._too_many = max(self._too_many, size)
        self._alone |= size == 1

    def fitted(self, size: int) -> None:
        """There was memory for so many."""
        self._fitted = max(self._fitted, size)

    def limit(self, most: int, too_many: int) -> None:
        """No more than so many from now on."""
        self.most = max(1, most)
        log.warning("out_of_memory", batch=too_many, batch_from_now_on=self.most)

    def settle(self) -> None:
        """Remember the size that fits; not where one that is too large by itself was among them: that says nothing of
        the others."""
        if self._too_many and not self._alone:
            self.limit(self._fitted, self._too_many)
        self._too_many, self._fitted, self._alone = 0, 0, False


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one call's slice came to. `result` is None if none of its events could be worked on: nothing has moved.

    `left` are the events after one that asked for a retry: they were not worked on, for they must not overtake it.
    """

    result: CallResult[Any, Any] | None
    refused: Sequence[Refusal] = ()
    left: Sequence[Any] = ()


def handle(
    consumer: Stateless, events: Sequence[Any], room: Room | None = None, blame: Blame = nobody
) -> list[Outcome]:
    """One outcome per event. An exception other than Reject and Retry, of an event alone, goes through; `blame` hears
    of which event it is."""

    def alone(event: Any, problem: Exception) -> Outcome:
        return _word(problem, event, blame)

    return _fitting(consumer.handle, events, alone, room or Room())


def advance(
    consumer: Stateful, slices: Sequence[CallSlice[Any, Any]], room: Room | None = None, blame: Blame = nobody
) -> list[Advanced]:
    """One result per slice. An exception other than Reject and Retry, of an event alone, goes through; `blame` hears
    of which event it is, or of which slice without one."""
    room = room or Room()

    def work(part: Sequence[CallSlice[Any, Any]]) -> list[Advanced]:
        return [Advanced(result, result.rejected) for result in consumer.advance(part)]

    def alone(one: CallSlice[Any, Any], problem: Exception) -> Advanced:
        if len(one.events) > 1:
            return in_two(one)
        if one.events:
            return Advanced(None, [(one.events[0], _word(problem, one.events[0], blame))])
        blame(one, problem)
        raise problem

    def in_two(one: CallSlice[Any, Any]) -> Advanced:
        middle = len(one.events) // 2
        [first] = _halve(work, [replace(one, events=one.events[:middle])], alone, room)
        rest = replace(one, events=one.events[middle:])
        if any(isinstance(problem, Retry) for _, problem in first.refused):
            return replace(first, left=[*first.left, *rest.events])
        if first.result is not None:
            rest = replace(rest, state=first.result.state, memory=first.result.memory)
        [second] = _halve(work, [rest], alone, room)
        refused = [*first.refused, *second.refused]
        if first.result is None or second.result is None:
            return Advanced(first.result or second.result, refused, second.left)
        return Advanced(
            replace(second.result, events=[*first.result.events, *second.result.events]), refused, second.left
        )

    return _fitting(work, slices, alone, room)


def _fitting(
    work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], alone: Callable[[T, Exception], R], room: Room
) -> list[R]:
    """`_halve`, of no more items at once than the device has memory for."""
    results: list[R] = []
    while len(results) < len(items):
        start = len(results)
        results += _halve(work, items[start : start + (room.most or len(items))], alone, room)
        room.settle()
    return results


def _halve(
    work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], alone: Callable[[T, Exception], R], room: Room
) -> list[R]:
    """`work(items)`, one result per item; where it raises, the same of each half; of one item, `alone` decides."""
    if not items:
        return []
    try:
        results = work(items)
    except Exception as problem:
        if is_out_of_memory(problem):
            room.ran_out_at(len(items))
        if len(items) == 1:
            return [alone(items[0], problem)]
        middle = len(items) // 2
        return [*_halve(work, items[:middle], alone, room), *_halve(work, items[middle:], alone, room)]
    if len(results) != len(items):
        raise TypeError(f"the consumer gave {len(results)} results for {len(items)} inputs")
    room.fitted(len(items))
    return list(results)


def _word(problem: Exception, event: Any, blame: Blame) -> Reject | Retry:
    """What a single input is told that failed. One that the device has no memory for asks for another attempt: others
    may use the device too, and if it never fits it must not stop its group for ever. All else is a fault of the code,
    and raised."""
    if isinstance(problem, Reject | Retry):
        return problem
    if is_out_of_memory(problem):
        return Retry(f"the device has no memory for this input by itself: {problem}")
    blame(event, problem)
    raise problem


def is_out_of_memory(problem: Exception) -> bool:
    """Python's MemoryError, torch's OutOfMemoryError, and CTranslate2's RuntimeError, which only says so in words."""
    return isinstance(problem, MemoryError) or "out of memory" in str(problem).lower()
