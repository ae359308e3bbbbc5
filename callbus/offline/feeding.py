"""Calls' events through one consumer, as a worker hands them over: batches over many calls, each call in order.

Two things a worker has are missing here. Nothing crashes, so `holding` (what to read again) is of no use. And nobody
waits: an input that asks for a `Retry` is refused at once, for nothing will have changed in a moment.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from callbus.consumer import CallSlice, Stateful, Stateless
from callbus.errors import Reject, Retry
from callbus.topology import Group
from callbus.worker import halving
from schemas.records import AudioChunk

T = TypeVar("T")

CHUNKS_AT_ONCE = 40
"""Of one call; utterances come one by one, as they do while somebody speaks. What is heard in chunks doesn't depend on
how many come together, and a tenth of the steps is taken."""

_LATE_S = 3600.0  # a worker so far behind tells nothing that is superseded anyway, such as partials


@dataclass(frozen=True, slots=True)
class Refused:
    """An input that a group could not work on."""

    group: str
    event: Any
    problem: Reject | Retry


@dataclass(frozen=True, slots=True)
class Fed:
    """What a group made, by call, and what it refused."""

    made: Mapping[str, Sequence[Any]]
    refused: Sequence[Refused]


@dataclass(slots=True)
class Carried:
    """A call on its way through a stateful group."""

    left: deque[Any] = field(default_factory=deque)
    state: Any = None
    memory: Any = None
    unfinished: bool = False

    def next_slice(self, call_id: str) -> CallSlice[Any, Any]:
        """An unfinished call goes on without a further event."""
        events = [] if self.unfinished else self._take()
        late = any(isinstance(event, AudioChunk) for event in events)
        return CallSlice(call_id, events, self.state, self.memory, behind_s=_LATE_S if late else 0.0)

    def _take(self) -> list[Any]:
        taken = [self.left.popleft()]
        while isinstance(taken[-1], AudioChunk) and self.left and len(taken) < CHUNKS_AT_ONCE:
            taken.append(self.left.popleft())
        return taken


def handle(
    group: Group, consumer: Stateless, inputs: Mapping[str, Sequence[Any]], on_fed: Callable[[int], None]
) -> Fed:
    """Through a consumer that remembers nothing: one call after the other, in the group's batches.

    `on_fed` is told how many more events are done.
    """
    room = halving.Room()
    made: dict[str, list[Any]] = {call_id: [] for call_id in inputs}
    refused: list[Refused] = []
    for batch in _parts([event for events in inputs.values() for event in events], group.batch.size):
        for event, outcome in zip(batch, halving.handle(consumer, batch, room), strict=True):
            if isinstance(outcome, Reject | Retry):
                refused.append(Refused(group.name, event, outcome))
            else:
                made[event.call_id] += outcome
        on_fed(len(batch))
    return Fed(made, refused)


def advance(
    group: Group,
    consumer: Stateful,
    inputs: Mapping[str, Sequence[Any]],
    on_fed: Callable[[int], None],
    carried: dict[str, Carried] | None = None,
) -> Fed:
    """Through a consumer that is handed each call's state: the calls side by side, a step of each in turn.

    `carried` is what is remembered from one feeding to the next, where a call's events come in several.
    """
    room = halving.Room()
    made: dict[str, list[Any]] = {call_id: [] for call_id in inputs}
    refused: list[Refused] = []
    known = carried if carried is not None else {}
    for call_id, events in inputs.items():
        known.setdefault(call_id, Carried()).left.extend(events)
    calls = {call_id: known[call_id] for call_id in inputs}
    while going := [call_id for call_id, call in calls.items() if call.left or call.unfinished]:
        for part in _parts(going, group.batch.size):
            slices = [calls[call_id].next_slice(call_id) for call_id in part]
            for one, advanced in zip(slices, halving.advance(consumer, slices, room), strict=True):
                call = calls[one.call_id]
                call.left.extendleft(reversed(advanced.left))
                refused += [Refused(group.name, event, problem) for event, problem in advanced.refused]
                if (result := advanced.result) is not None:
                    call.state, call.memory, call.unfinished = result.state, result.memory, result.unfinished
                    made[one.call_id] += result.events
                on_fed(len(one.events) - len(advanced.left))
    return Fed(made, refused)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
