"""callbus.worker.halving: a failing batch is narrowed down to the guilty event, and only that one is refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from callbus.consumer import CallResult, CallSlice, Outcome, Reject, Retry
from callbus.worker import halving


class Doubling:
    """Doubles numbers; refuses 13 by raising, which fails the whole batch that it is in."""

    calls = 0

    def handle(self, events: Sequence[int]) -> list[Outcome]:
        self.calls += 1
        if 13 in events:
            raise Reject("thirteen")
        return [[event * 2] for event in events]  # type: ignore[list-item]


class Summing:
    """Sums the numbers of a call."""

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        results = []
        for one in slices:
            if 13 in one.events:
                raise Reject("thirteen")
            if 14 in one.events:
                raise Retry("fourteen")
            if 666 in one.events:
                raise ZeroDivisionError("a fault of the code")
            total = (one.state or 0) + sum(one.events)
            results.append(CallResult([total], total))
        return results


def test_only_the_guilty_event_is_refused() -> None:
    """Every other event of the batch has its outcome, in its place."""
    consumer = Doubling()
    outcomes = halving.handle(consumer, [*range(32)])
    assert isinstance(outcomes[13], Reject)
    assert [o for i, o in enumerate(outcomes) if i != 13] == [[i * 2] for i in range(32) if i != 13]
    assert consumer.calls <= 11  # 2 log2(32) + 1


def test_a_call_goes_on_after_its_guilty_event() -> None:
    """The slice is cut in two around it; the state is threaded through; other calls notice nothing."""
    slices = [CallSlice("a", [1, 2, 13, 4], 10, None), CallSlice("b", [5], None, None)]
    a, b = halving.advance(Summing(), slices)
    assert a.result is not None and b.result is not None
    assert a.result.state == 17
    assert [event for event, _ in a.refused] == [13]
    assert (b.result.events, b.refused) == ([5], ())


def test_nothing_of_a_call_overtakes_what_asks_for_a_retry() -> None:
    """What comes after it in its slice is left; what came before it counts; other calls notice nothing."""
    slices = [CallSlice("a", [1, 2, 14, 4, 5], 10, None), CallSlice("b", [5], None, None)]
    a, b = halving.advance(Summing(), slices)
    assert a.result is not None and b.result is not None
    assert (a.result.state, b.result.state) == (13, 5)
    assert ([event for event, _ in a.refused], a.left) == ([14], [4, 5])


def test_a_device_that_runs_out_of_memory_refuses_nothing_and_the_size_that_fits_is_remembered() -> None:
    """The batch is halved until it fits, and the next one is made no larger."""
    sizes: list[int] = []

    class Small:
        def handle(self, events: Sequence[int]) -> list[Outcome]:
            sizes.append(len(events))
            if len(events) > 10:
                raise RuntimeError("CUDA failed with error out of memory")
            return [[] for _ in events]

    room = halving.Room()
    assert halving.handle(Small(), [*range(32)], room) == [[]] * 32
    assert room.most == 8
    sizes.clear()
    assert halving.handle(Small(), [*range(32)], room) == [[]] * 32
    assert sizes == [8, 8, 8, 8]


class Roomy:
    """Has memory for eight numbers below a hundred, and for none above."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def handle(self, events: Sequence[int]) -> list[Outcome]:
        self.sizes.append(len(events))
        if len(events) > 8 or max(events) > 100:
            raise RuntimeError("CUDA failed with error out of memory")
        return [[] for _ in events]

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        self.handle([event for one in slices for event in one.events])
        return [CallResult([], None) for _ in slices]


@pytest.mark.parametrize("place", [0, 7])
def test_what_does_not_fit_by_itself_is_tried_again_and_the_others_stay_together(place: int) -> None:
    """It neither stops the group for ever, nor makes it work on one input at a time from then on."""
    events, room, consumer = [*range(8)], halving.Room(), Roomy()
    events[place] = 1_000
    outcomes = halving.handle(consumer, events, room)
    assert [isinstance(outcome, Retry) for outcome in outcomes] == [event > 100 for event in events]
    assert "no memory for this input by itself" in str(outcomes[place])
    assert room.most is None
    consumer.sizes.clear()
    halving.handle(consumer, [*range(8)], room)
    assert consumer.sizes == [8]


def test_what_of_a_call_does_not_fit_by_itself_is_tried_again() -> None:
    """What comes after it in its call waits behind it."""
    [one] = halving.advance(Roomy(), [CallSlice("a", [1, 2, 1_000, 4], None, None)])
    assert ([event for event, _ in one.refused], one.left) == ([1_000], [4])
    assert isinstance(one.refused[0][1], Retry)


def test_a_call_whose_every_event_is_refused_has_not_moved() -> None:
    """There is no new state to write."""
    [one] = halving.advance(Summing(), [CallSlice("a", [13], 10, None)])
    assert one.result is None


def test_any_other_exception_goes_through() -> None:
    """A fault of the code is not an input's fault: nothing is put aside for it."""
    with pytest.raises(ZeroDivisionError):
        halving.advance(Summing(), [CallSlice("a", [1, 666], None, None), CallSlice("b", [5], None, None)])


def test_a_consumer_that_gives_too_few_results_is_caught() -> None:
    """Results are matched to inputs by position; a missing one must not shift the others."""

    class Short:
        def handle(self, events: Sequence[int]) -> list[Outcome]:
            return [[] for _ in events][1:]

    with pytest.raises(TypeError, match="1 results for 2 inputs"):
        halving.handle(Short(), [1, 2])
