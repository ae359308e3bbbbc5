"""The calls of a period through the stage's consumer, beside what was said of them live. Publishes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.clock import now_ms
from callbus.codec import Codec
from callbus.consumer import Stateful, Stateless
from callbus.errors import CodecError
from callbus.kafka import Connection
from callbus.offline import feeding
from callbus.reanalyse.aspects import COMPARED, Aspects, after
from callbus.reanalyse.course import Course, Task
from callbus.reanalyse.difference import Pair
from callbus.reanalyse.kept import Kept
from callbus.reanalyse.survey import Found, Live, Stretch, calls_of, committed, live_of, stretch, version_of
from callbus.stretch import Seen, between, reader, told
from callbus.topics import connected, lanes_of

Show = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


async def judge(
    connection: Connection, codec: Codec, task: Task, kept: Kept, show: Show, stopping: asyncio.Event
) -> Course:
    """Survey the period, judge its calls, compare. Once `stopping` is set it ends with the batch in hand.

    Raises BrokerError, and what the consumer raises other than `Reject` and `Retry`.
    """
    began_s, course = time.monotonic(), Course()
    needs = {task.input: ("Read",), task.output: ("Read",)}
    async with (
        told(connection, needs),
        connected(connection) as admin,
        reader(connection) as consumer,
        reader(connection, isolation_level="read_uncommitted") as marks,
    ):
        lanes = await lanes_of(admin, connection, needs)
        run = _Run(consumer, codec, task, kept, course, show, stopping)
        places = {topic: [TopicPartition(topic, lane) for lane in its] for topic, its in lanes.items()}
        # How far the live group is, then where its outputs end, with what is about to be committed, then the inputs':
        # so no judgement is missed of an input that counts as judged, and none is of an input that is not seen.
        if task.whole_calls:
            run.judged_to = await committed(admin, task.group.name)
        ends = await marks.end_offsets(places[task.output])
        outputs = replace(await stretch(consumer, places[task.output], task.since_ms), ends=ends)
        await run.through(await stretch(consumer, places[task.input], task.since_ms - task.look_back_ms), outputs)
    course.stopped = stopping.is_set()
    course.duration_s = time.monotonic() - began_s
    return course


@dataclass(slots=True)
class _Run:
    consumer: AIOKafkaConsumer
    codec: Codec
    task: Task
    kept: Kept
    course: Course
    show: Show
    stopping: asyncio.Event
    wanted: dict[str, Found] = field(default_factory=dict)
    live: dict[str, Live] = field(default_factory=dict)
    judged_to: Mapping[TopicPartition, int] = field(default_factory=dict)  # the live group's offsets
    said: dict[str, Aspects] = field(default_factory=dict)  # by the new consumer, of calls that are not compared yet
    ended: set[str] = field(default_factory=set)
    carried: dict[str, feeding.Carried] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)  # of the calls that are wanted

    async def through(self, inputs: Stretch, outputs: Stretch) -> None:
        task = self.task
        for topic, its in ((task.input, inputs), (task.output, outputs)):
            before_ms = its.forgotten(task.keeps_ms.get(topic), task.since_ms, now_ms())
            if before_ms is not None:
                self.course.forgotten_before_ms[topic] = before_ms
        calls = await calls_of(self.consumer, inputs, self._showing("looking"))
        self.live = await live_of(self.consumer, self.codec, outputs, self._showing("what was said live"))
        self._choose(calls)
        batch: list[_Input] = []
        async for one in self._inputs(inputs):
            batch.append(one)
            if len(batch) >= task.group.batch.size:
                await self._judge(batch)
                batch = []
            if self.stopping.is_set():
                return
        if batch:
            await self._judge(batch)
        self.course.running += sorted(self.wanted.keys() - self.settled)  # something newer has come meanwhile

    def _choose(self, calls: Mapping[str, Found]) -> None:
        """Sort the calls out: deleted, begun before the period, compared by an earlier run, to be judged."""
        course, since_ms = self.course, self.task.since_ms
        deleted = {call_id for call_id, call in calls.items() if call.deleted}
        course.gone = sorted(deleted | (self.live.keys() - calls.keys()))
        for call_id, call in calls.items():
            if call.deleted or call.last_ms < since_ms:
                continue
            if self.task.whole_calls and call.first_ms < since_ms:
                course.begun_before += 1
                continue
            course.found += 1
            if pair := self.kept.pair(call_id, call.place):
                course.pairs.append(pair)
                course.from_kept += 1
            else:
                self.wanted[call_id] = call

    async def _inputs(self, its: Stretch) -> AsyncIterator["_Input"]:
        """What the consumer is fed with: of a stage without memory the newest event of each call, else all."""
        async for tp, message in between(self.consumer, its.starts, its.ends):
            call = self.wanted.get((message.key or b"").decode(errors="replace"))
            if call is None or message.offset > call.offset or tp != call.tp:
                continue
            last = message.offset == call.offset
            if not (last or self.task.whole_calls):
                continue
            try:
                yield _Input(self.codec.decode(message.topic, message.value), call, last)
            except CodecError:
                self.course.unreadable += 1

    async def _judge(self, batch: Sequence["_Input"]) -> None:
        due = [one for one in batch if not self._goes_on(one.record)]
        fed = await self._fed(due)
        for one in fed.refused:
            self.course.refused[one.event.call_id] = type(one.problem).__name__
        for call_id, made in fed.made.items():
            for record in (one for one in made if type(one).__name__ in COMPARED):
                self.said[call_id] = after(self.said.get(call_id, {}), record)
                self.course.new_versions.add(version_of(record))
        self.ended |= {one.record.call_id for one in batch if getattr(one.record, "kind", "") == "end"}
        pairs = [pair for one in batch if one.last and (pair := self._compared(one)) is not None]
        self.course.pairs += pairs
        self.kept.add(pairs)
        self.settled |= {one.record.call_id for one in batch if one.last}
        self.show("judging", len(self.settled), len(self.wanted))

    def _goes_on(self, record: Any) -> bool:
        """Whether a document is of a call that goes on, or is heard again just now."""
        return not self.task.whole_calls and (not record.complete or record.aside_only)

    def _compared(self, one: "_Input") -> Pair | None:
        """The call's two judgements, once it is over; else it is noted why there are not two."""
        call_id, live = one.record.call_id, self.live.get(one.record.call_id, _NOTHING_LIVE)
        said = self.said.pop(call_id, None)
        self.carried.pop(call_id, None)
        if self._goes_on(one.record) or (self.task.whole_calls and call_id not in self.ended):
            self.course.running.append(call_id)
        elif call_id in self.course.refused or (said is None and not self.task.whole_calls):
            self.course.refused.setdefault(call_id, "nothing said")
        elif self._is_judged_live(one, live):
            self.course.live_versions |= live.versions
            return Pair(call_id, one.call.place, live.aspects, said or {})
        else:
            self.course.not_judged_live.append(call_id)
        return None

    def _is_judged_live(self, one: "_Input", live: Live) -> bool:
        """A judgement names its document; that there is no alert is told by how far the live group has come."""
        if not self.task.whole_calls:
            return live.input_id == str(one.record.event_id)
        return self.judged_to.get(one.call.tp, 0) > one.call.offset

    async def _fed(self, inputs: Sequence["_Input"]) -> feeding.Fed:
        by_call: dict[str, list[Any]] = {}
        for one in inputs:
            by_call.setdefault(one.record.call_id, []).append(one.record)
        began_s = time.monotonic()
        group, consumer = self.task.group, self.task.consumer
        if not self.task.whole_calls:
            fed = await asyncio.to_thread(feeding.handle, group, cast(Stateless, consumer), by_call, _not_told)
        else:
            stateful = cast(Stateful, consumer)
            fed = await asyncio.to_thread(feeding.advance, group, stateful, by_call, _not_told, self.carried)
        self.course.judging_s += time.monotonic() - began_s
        return fed

    def _showing(self, what: str) -> Seen:
        return lambda done, total: self.show(what, done, total)


@dataclass(frozen=True, slots=True)
class _Input:
    """An input of a wanted call; `last` is the newest of the period."""

    record: Any
    call: Found
    last: bool


_NOTHING_LIVE = Live({}, "")


def _not_told(more: int) -> None:
    """How far the consumer is with a batch is not shown: what is shown counts what has been read."""
