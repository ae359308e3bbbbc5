"""Looks at a worker once a second: how far behind its lanes are, which are quiet, and whether Kafka is there."""

import asyncio
import time
from collections.abc import AsyncIterator

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.clock import now_ms
from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.reach import reach
from callbus.topology import Group
from callbus.worker.hand import has_silent
from callbus.worker.lane import Lane
from callbus.worker.ownership import Ownership

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
_SILENT_MS = 4_000  # no answer to any fetch for so long, where one comes every 50 ms: a broker that hangs
_BACK_TURNS = 2  # a coordinator that comes up is found, and lost again, before it has loaded the group
_ASK_EVERY_S = 3.0
_REFUSED_TIMES = 2  # a broker that is just coming up may not know its users yet


class Watch:
    """`quiet` are the lanes of which nothing is left to fetch or to work on: only there a call can fall silent."""

    def __init__(
        self,
        group: Group,
        consumer: AIOKafkaConsumer,
        ownership: Ownership,
        meter: GroupMeter,
        connection: Connection,
    ) -> None:
        self.quiet: frozenset[int] = frozenset()
        self._group = group
        self._consumer = consumer
        self._ownership = ownership
        self._meter = meter
        self._connection = connection
        self._away_since_s: float | None = None
        self._back_turns = 0
        self._asked_s = 0.0
        self._refused = 0
        self._told: set[int] = set()  # lanes that the meter shows

    async def turns(self) -> AsyncIterator[bool]:
        """Each second, whether a call has fallen silent."""
        while True:
            lanes = dict(self._ownership.lanes)
            quiet = [number for number, lane in lanes.items() if await self._look_at(lane)]
            self.quiet = frozenset(quiet)
            self._say_state()
            await self._ask_why()
            for gone in self._told - lanes.keys():
                self._meter.lane_closed(gone)
            self._told = set(lanes)
            now_s = time.monotonic()
            yield any(has_silent(self._group, lanes[number], now_s) for number in quiet)
            await asyncio.sleep(_EVERY_S)

    async def _look_at(self, lane: Lane) -> bool:
        """Report the lane's queue and lag; whether nothing is left to fetch or to work on."""
        now, behind = now_ms(), 0
        for topic in self._group.inputs:
            unread = await self._unread(TopicPartition(topic, lane.number))
            events = (unread or 0) + lane.queued(topic)
            oldest_ms = lane.oldest_ms(topic)
            self._meter.lag(topic, lane.number, events, 0.0 if oldest_ms is None else max(0, now - oldest_ms) / 1000)
            behind += events if unread is not None else 1
        self._meter.queued(lane.number, len(lane), lane.queued_bytes)
        self._meter.waiting(lane.number, lane.waiting.calls, len(lane.waiting))
        return not behind

    async def _unread(self, tp: TopicPartition) -> int | None:
        """How many offsets are left to fetch; None where that is not known yet."""
        if tp not in self._consumer.assignment():
            return None
        end = self._consumer.last_stable_offset(tp)
        return None if end is None or end < 0 else max(0, end - await self._consumer.position(tp))

    def _say_state(self) -> None:
        away, now_s = self._away(), time.monotonic()
        self._back_turns = 0 if away else self._back_turns + 1
        if away and self._away_since_s is None:
            self._away_since_s = self._asked_s = now_s
            log.warning("kafka_away", group=self._group.name, then="waiting; nothing is lost")
        elif self._away_since_s is not None and self._back_turns >= _BACK_TURNS:
            log.info("kafka_back", group=self._group.name, away_s=round(now_s - self._away_since_s, 1))
            self._away_since_s = None
        if self._meter.current == "stopping":
            return
        if self._away_since_s is not None:
            self._meter.state("waiting_for_kafka")
        elif self._ownership.member is None:
            self._meter.state("rebalancing")
        else:
            self._meter.state("running" if self._ownership.settled.is_set() else "opening")

    def _away(self) -> bool:
        """Whether the group's coordinator is unknown, or nothing is answered any more."""
        if self._consumer._coordinator.coordinator_id is None:
            return True
        asked = self._consumer.assignment() - self._consumer.paused()
        answered_ms = [at for tp in asked if (at := self._consumer.last_poll_timestamp(tp))]
        return bool(answered_ms) and now_ms() - max(answered_ms) > _SILENT_MS

    async def _ask_why(self) -> None:
        """Raise Refused where Kafka is there and no longer has us: aiokafka would knock for ever."""
        if self._away_since_s is None:
            self._refused = 0
            return
        if time.monotonic() - self._asked_s < _ASK_EVERY_S:
            return
        self._asked_s = time.monotonic()
        try:
            await reach(self._connection)
        except Refused:
            self._refused += 1
            if self._refused >= _REFUSED_TIMES:
                raise
            return
        except BrokerError:
            pass
        self._refused = 0
