"""A lane as its owner sees it: what was fetched, what was worked on, and how far its offsets may be committed.

Pure: nothing in here waits or talks to Kafka.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callbus.worker.records import Headers


@dataclass(frozen=True, slots=True)
class Input:
    """One message as it was fetched."""

    topic: str
    lane: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    @property
    def size_bytes(self) -> int:
        return len(self.value or b"")


@dataclass(slots=True)
class CallMemory:
    """What a stateful group remembers of one call on one lane.

    `since` are the inputs from the oldest one that `memory` rests on, as (event id, topic, offset), and `holds` the
    first offset among them per topic: the lane may not be committed past it. `resume` is, per topic, the first offset
    that still matters to this call: when a lane that was held back is read again after a crash, everything before it
    has been worked on already. `refused` are inputs at or after it, as (topic, offset), that became dead letters.
    """

    state: Any = None
    memory: Any = None
    since: list[tuple[str, str, int]] = field(default_factory=list)
    holds: dict[str, int] = field(default_factory=dict)
    resume: dict[str, int] = field(default_factory=dict)
    refused: frozenset[tuple[str, int]] = frozenset()
    unfinished: bool = False  # there is more to do without a further input

    def moved(
        self,
        state: Any,
        memory: Any,
        arrived: Sequence[tuple[str, str, int]],
        holding: str | None,
        unfinished: bool = False,
    ) -> "CallMemory":
        """The memory after `arrived` was worked on, resting on the event with the id `holding` and all since."""
        since = [*self.since, *arrived]
        reached = {topic: offset + 1 for _, topic, offset in since}
        if holding is None:
            since = []
        else:
            first = next((i for i, (event_id, _, _) in enumerate(since) if event_id == holding), None)
            if first is None:
                raise LookupError(f"the consumer holds event {holding}, which it was not given since it last held one")
            since = since[first:]
        holds = {topic: offset for _, topic, offset in reversed(since)}
        return CallMemory(state, memory, since, holds, self.resume | reached | holds, self.refused, unfinished)

    def behind(self, offsets: Mapping[str, int]) -> bool:
        """Whether nothing of this call comes again to one who reads from these offsets on."""
        return all(offsets[topic] >= at for topic, at in self.resume.items()) and all(
            offsets[topic] > at for topic, at in self.refused
        )

    def refusing(self, places: Collection[tuple[str, int]]) -> "CallMemory":
        """The memory after the inputs at these (topic, offset) became dead letters, which a replay must not repeat."""
        resume = dict(self.resume)
        for topic, offset in places:
            if topic not in self.holds:
                resume[topic] = max(resume.get(topic, 0), offset + 1)
        ahead = ((topic, offset) for topic, offset in self.refused.union(places) if offset >= resume.get(topic, 0))
        return replace(self, resume=resume, refused=frozenset(ahead))


class Lane:
    """One lane of a group's inputs, in the hands of this worker.

    `start` gives, per input topic in order of priority, the offset that the group had committed.
    """

    def __init__(self, number: int, start: dict[str, int], calls: dict[str, CallMemory] | None = None) -> None:
        self.number = number
        self.calls: dict[str, CallMemory] = {}
        self._holding: set[str] = set()  # calls whose memory holds the offsets back
        self._done: set[str] = set()  # calls with nothing to remember but where their inputs ended
        self.unfinished: dict[str, None] = {}  # calls with more to do; the one whose turn it is comes first
        self._fetched = dict(start)  # the next offset that fetching will bring
        self._handled = dict(start)  # everything below has been worked on
        self._queues: dict[str, deque[Input]] = {topic: deque() for topic in start}
        self.queued_bytes = 0
        for call_id, call in (calls or {}).items():
            self.remember(call_id, call)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def add(self, messages: Iterable[Input]) -> None:
        """Queue what was fetched. A message that came before is passed over: fetching may repeat, work may not."""
        for message in messages:
            if message.offset >= self._fetched[message.topic]:
                self._fetched[message.topic] = message.offset + 1
                self._queues[message.topic].append(message)
                self.queued_bytes += message.size_bytes

    def take(self, topic: str, most: int) -> list[Input]:
        """The next inputs of one topic, at most so many, out of the queue."""
        queue = self._queues[topic]
        taken = [queue.popleft() for _ in range(min(most, len(queue)))]
        self.queued_bytes -= sum(message.size_bytes for message in taken)
        return taken

    def remember(self, call_id: str, call: CallMemory) -> None:
        """Replace what is remembered of a call."""
        self.calls[call_id] = call
        self.unfinished.pop(call_id, None)
        if call.unfinished:
            self.unfinished[call_id] = None
        (self._holding.add if call.holds else self._holding.discard)(call_id)
        (self._done.add if call.state is None and not call.since else self._done.discard)(call_id)

    def seen(self, call_id: str, message: Input) -> bool:
        """Whether this input is a replay of one that its call has done with."""
        call = self.calls.get(call_id)
        return call is not None and (
            message.offset < call.resume.get(message.topic, 0) or (message.topic, message.offset) in call.refused
        )

    def handled(self, batch: Iterable[Input]) -> None:
        """These inputs, the next of their topics, have been worked on."""
        for message in batch:
            self._handled[message.topic] = message.offset + 1

    def committable(self) -> dict[str, int]:
        """Per topic, the offset that may be committed: all was handled before it, and no call's memory rests on it."""
        offsets = dict(self._handled)
        for call_id in self._holding:
            for topic, offset in self.calls[call_id].holds.items():
                offsets[topic] = min(offsets[topic], offset)
        return offsets

    def settle(self) -> None:
        """Forget the calls that are done and that no replay of this lane can bring back."""
        if not self._done:
            return
        offsets = self.committable()
        for call_id in [call_id for call_id in self._done if self.calls[call_id].behind(offsets)]:
            self._done.discard(call_id)
            del self.calls[call_id]


def in_turn(lanes: Sequence[Lane], topics: Sequence[str], most: int) -> Iterator[Input]:
    """The next inputs over all lanes: the first topic before the second, and every lane in its turn.

    Inputs of one lane and topic keep their order. `most` bounds how many are taken.
    """
    for topic in topics:
        waiting = [lane for lane in lanes if lane]
        while waiting and most > 0:
            share = max(1, most // len(waiting))
            emptied = []
            for lane in waiting:
                taken = lane.take(topic, min(share, most))
                most -= len(taken)
                yield from taken
                if len(taken) < share:
                    emptied.append(lane)
            waiting = [lane for lane in waiting if lane not in emptied]
