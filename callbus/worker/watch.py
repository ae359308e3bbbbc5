"""Looks at a worker once a second: how far behind its lanes are, which are quiet, and whether Kafka is there."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.clock import now_ms
from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.reach import reach
from callbus.topology import Group
from callbus.worker import holes
from callbus.worker.lane import Lane
from callbus.worker.ownership import Ownership
from callbus.worker.records import Input

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
        uncommitted: Callable[[], Iterable[Input]],
    ) -> None:
        """`uncommitted` are the inputs that were taken off their queues, and of which nothing is committed yet."""
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
        self._uncommitted = uncommitted
        self._told: set[int] = set()  # lanes that the meter shows
        self._unread_since_ms: dict[tuple[str, int], int] = {}

    async def turns(self) -> AsyncIterator[bool]:
        """Each second, whether a call may have fallen silent: which one, only the work loop can say, for the model's
        thread moves what is known of them."""
        while True:
            lanes = dict(self._ownership.lanes)
            taken = _by_place(self._uncommitted())
            quiet = [number for number, lane in lanes.items() if await self._look_at(lane, taken)]
            self.quiet = frozenset(quiet)
            self._say_state()
            await self._ask_why()
            self._forget(self._told - lanes.keys() - self._to_be_opened())
            self._told |= lanes.keys()
            yield bool(quiet) and self._group.idle_after_ms is not None
            await asyncio.sleep(_EVERY_S)

    def _to_be_opened(self) -> set[int]:
        """The lanes that are ours and closed for a moment: they keep the lag that was told last, for an alert must not
        be silent while a state is restored. Between two assignments that may be any of them."""
        if self._ownership.member is None:
            return set(self._told)
        return {tp.partition for tp in self._consumer.assignment()}

    def _forget(self, lanes: Iterable[int]) -> None:
        """They have gone to another member."""
        for gone in list(lanes):
            self._told.discard(gone)
            self._meter.lane_closed(gone)
            for topic in self._group.inputs:
                self._unread_since_ms.pop((topic, gone), None)

    async def _look_at(self, lane: Lane, taken: Mapping[tuple[str, int], Sequence[int]]) -> bool:
        """Report the lane's queue and lag; whether nothing is left to fetch or to take in hand."""
        now, behind = now_ms(), 0
        for topic in self._group.inputs:
            unread = await self._unread(topic, lane)
            left = (unread or 0) + lane.queued(topic)
            in_hand = taken.get((topic, lane.number), ())  # timestamps: these are before all that is queued
            oldest_ms = min(in_hand) if in_hand else lane.oldest_ms(topic)
            if left and oldest_ms is None:  # nothing of it is here, and only Kafka knows how old it is: at least so old
                oldest_ms = self._unread_since_ms.setdefault((topic, lane.number), now)
            else:
                self._unread_since_ms.pop((topic, lane.number), None)
            lag_s = 0.0 if oldest_ms is None else max(0, now - oldest_ms) / 1000
            self._meter.lag(topic, lane.number, left + len(in_hand), lag_s)
            behind += left if unread is not None else 1
        self._meter.queued(lane.number, len(lane), lane.queued_bytes)
        self._meter.waiting(lane.number, lane.waiting.calls, len(lane.waiting))
        return not behind

    async def _unread(self, topic: str, lane: Lane) -> int | None:
        """How many offsets are left to fetch; None where that is not known yet. BrokerError as `holes` has it."""
        tp = TopicPartition(topic, lane.number)
        if tp not in self._consumer.assignment():
            return None
        position = await self._consumer.position(tp)
        if self._ownership.lanes.get(lane.number) is lane:  # else it was opened anew meanwhile, and reads elsewhere
            holes.check_end(self._group, lane, topic, position)
        end = self._consumer.last_stable_offset(tp)
        return None if end is None or end < 0 else max(0, end - position)

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


def _by_place(inputs: Iterable[Input]) -> Mapping[tuple[str, int], Sequence[int]]:
    """Their timestamps by topic and lane; those that wait for another attempt are told of by themselves."""
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for message in inputs:
        if not message.waiting_id:
            found[message.topic, message.lane].append(message.timestamp_ms)
    return found
