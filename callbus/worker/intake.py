"""What is fetched, and how much of it is held: polling goes on whatever the model does, and full lanes are paused."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from callbus.observe.meter import GroupMeter
from callbus.topology import Group
from callbus.worker.lane import Lane
from callbus.worker.limits import Limits
from callbus.worker.ownership import Ownership
from callbus.worker.records import as_input
from callbus.worker.retry_log import read as read_log

log = structlog.get_logger(__name__)

_POLL_MS = 200
_POLL_RECORDS = 2_000


class Intake:
    """Brings a group's inputs to the lanes that are open. `arrived` is called when there are new ones."""

    def __init__(
        self,
        group: Group,
        consumer: AIOKafkaConsumer,
        ownership: Ownership,
        limits: Limits,
        meter: GroupMeter,
        arrived: Callable[[], None],
    ) -> None:
        self._group = group
        self._consumer = consumer
        self._ownership = ownership
        self._limits = limits
        self._meter = meter
        self._arrived = arrived

    async def run(self) -> None:
        """Fetch on and on. Raises the KafkaErrors that no new attempt mends."""
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            except KafkaError as problem:
                if not problem.retriable:
                    raise
                log.warning("fetch_failed", group=self._group.name, problem=repr(problem))
                await asyncio.sleep(_POLL_MS / 1000)
                continue
            lanes = self._ownership.lanes
            for tp, messages in fetched.items():
                if (lane := lanes.get(tp.partition)) is not None:
                    self._take_in(lane, tp.topic, messages)
                    self._arrived()
            self._hold_back(lanes)

    def _take_in(self, lane: Lane, topic: str, messages: Sequence[Any]) -> None:
        if topic == self._group.retries:
            for message in messages:
                lane.waiting.fetched(message.offset, read_log(as_input(message)))
        else:
            lane.add(map(as_input, messages))
        self._meter.fetched(len(messages), sum(len(message.value or b"") for message in messages))

    def _hold_back(self, lanes: Mapping[int, Lane]) -> None:
        """Pause full lanes, resume the others. A rebalance forgets pauses, so this is said again after every poll."""
        paused = self._consumer.paused()
        for tp in self._consumer.assignment():
            lane = lanes.get(tp.partition)
            full = lane is not None and (self._full(lane) or self._clogged(lane, tp.topic))
            if full and tp not in paused:
                self._consumer.pause(tp)
            elif not full and tp in paused:
                self._consumer.resume(tp)

    def _full(self, lane: Lane) -> bool:
        """Whether enough is queued. Where few calls have taken up the queue, as much more is fetched as may wait:
        others can't come before them unless they are seen."""
        limits, waiting = self._limits, lane.waiting
        if len(lane) <= limits.queued_inputs and lane.queued_bytes <= limits.queued_bytes:
            return False
        return (
            not lane.taken_up
            or len(lane) + len(waiting) > limits.waiting_inputs
            or lane.queued_bytes + waiting.size_bytes > limits.waiting_bytes
        )

    def _clogged(self, lane: Lane, topic: str) -> bool:
        """Whether so much waits for another attempt that no more of this topic should come. What waits must be able to
        get away: what was written to the retry log is fetched back from there, and is not due before a lane that is
        read again after a crash has come past it."""
        waiting = lane.waiting
        if len(waiting) <= self._limits.waiting_inputs and waiting.size_bytes <= self._limits.waiting_bytes:
            return False
        if topic == self._group.retries:
            return not waiting.announced  # what else comes there is `callbus dlq replay`'s
        return lane.positions[topic] > waiting.furthest(topic)
