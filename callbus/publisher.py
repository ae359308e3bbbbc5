"""How a door puts a call on Kafka: idempotent, acknowledged by all replicas, every event of a call on one lane."""

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import structlog
from aiokafka.errors import KafkaError

from callbus import cloudevents
from callbus.clock import now_ms
from callbus.codec import Codec
from callbus.errors import BrokerError, Refused
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.lane_producer import LaneProducer
from callbus.lanes import CALL_EVENTS, LaneChooser
from callbus.reach import why_not
from callbus.recall import recall
from callbus.refusals import forbidden, refusal
from callbus.topology import Producer
from schemas.records import CallEvent

log = structlog.get_logger(__name__)

_TOPICS_WITHIN_S = 5.0  # a topic just made is not known to every broker at once
_ASK_AGAIN_S = 0.1
_LEAVE_S = 10.0
# Kafka forgets a producer once the newest timestamp that it wrote is a day old (producer.id.expiration.ms), and then
# takes what is repeated after a broker's restart for something new.
_OLDEST_MS = 12 * 3_600_000
_RECALL_S = 24 * 3600.0


class Publisher:
    """Publishes the events of calls. Use as an async context manager; leaving it waits for what is under way.

    A call's lane is chosen at its first event, and forgotten some while after its CallEvent `ended`. New calls use the
    lanes that all topics of the door have, also those that are added while it runs. A door that is started again finds
    the lanes of the calls that it had begun.
    """

    def __init__(
        self,
        connection: Connection,
        codec: Codec,
        door: Producer,
        look_every_s: float = 10.0,
        within_s: float = 120.0,
    ) -> None:
        """`door` is its entry in topology.yaml. It looks for more lanes every `look_every_s`, and takes a call that it
        had begun longer than a day ago for a new one. An event that can't be had on Kafka `within_s` is given
        back."""
        self._connection = connection
        self._codec = codec
        self._door = door
        self._needs = dict.fromkeys(door.outputs, ("Write",))
        self._look_every_s = look_every_s
        self._within_s = within_s
        self._away = False
        self._lanes = LaneChooser(1)
        self._looking: asyncio.Task[None] | None = None
        self._producer = LaneProducer(
            **connection.client(),
            enable_idempotence=True,
            max_batch_size=1_000_000,
            max_request_size=MAX_MESSAGE_BYTES,
            retry_backoff_ms=20,
        )

    @property
    def lanes(self) -> int:
        """New calls spread over so many."""
        return self._lanes.lanes

    async def publish(self, topic: str, record: Any) -> None:
        """Returns once every in-sync replica has the event. While Kafka is away it waits, `within_s` at most.

        BrokerError: it is not known to be there, and may still get there; publish it again, as the same record.
        Refused: Kafka won't have it from us.
        """
        lane = self._lanes.lane(record.call_id)
        value, headers = self._codec.encode(topic, record), cloudevents.headers(record, self._door.name)
        try:
            async with asyncio.timeout(self._within_s):
                await self._producer.send_and_wait(
                    topic,
                    value,
                    key=record.call_id.encode(),
                    partition=lane,
                    headers=headers,
                    timestamp_ms=max(record.at_ms, now_ms() - _OLDEST_MS),
                )
        except TimeoutError as problem:
            raise BrokerError(
                f"{topic} on {self._connection.brokers}: not acknowledged within {self._within_s:g} s. It may still "
                "get there; publish it again when Kafka is back"
            ) from problem
        except KafkaError as problem:
            raise (
                refusal(problem, self._connection, self._needs)
                or BrokerError(f"{topic} on {self._connection.brokers}: {type(problem).__name__}: {problem}")
            ) from problem
        if isinstance(record, CallEvent) and record.type == "ended":
            self._lanes.ended(record.call_id)

    async def __aenter__(self) -> Self:
        """Raises BrokerError where no broker answers, or where it lacks a topic of the door; Refused as `publish`."""
        try:
            await self._start()
            lanes = await self._lanes_there()
            self._lanes = LaneChooser(lanes, await self._begun(lanes))
        except BaseException:
            await self._producer.stop()
            raise
        self._looking = asyncio.create_task(self._look(), name="look-for-lanes")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        leaving = asyncio.create_task(self._producer.stop())
        await asyncio.wait({leaving}, timeout=_LEAVE_S)
        if leaving.done():
            leaving.result()
        else:  # only what somebody no longer waits for can be under way, and Kafka is away
            log.warning("left_unacknowledged", door=self._door.name)
            leaving.cancel()

    async def _start(self) -> None:
        try:
            await self._producer.start()
        except KafkaError as problem:
            raise (
                refusal(problem, self._connection, self._needs) or await why_not(self._connection, problem)
            ) from problem
        await self._producer.client.set_topics(self._door.outputs)
        deadline = time.monotonic() + _TOPICS_WITHIN_S
        while lacking := [name for name in self._door.outputs if not self._known(name)]:
            if unseen := sorted(self._producer.client.cluster.unauthorized_topics & set(lacking)):
                raise Refused(forbidden(unseen, self._connection, self._needs))
            if time.monotonic() > deadline:
                names = ", ".join(lacking)
                raise BrokerError(f"{self._connection.brokers} has no topic {names}; run `callbus topics apply`")
            await asyncio.sleep(_ASK_AGAIN_S)
            await self._producer.client.force_metadata_update()

    async def _look(self) -> None:
        """Use more lanes once two looks have shown them: by then the groups have found them too, and wait there."""
        before = self.lanes
        while True:
            await asyncio.sleep(self._look_every_s)
            seen = await self._lanes_there()
            lanes, before = min(before, seen), seen
            if lanes > self.lanes:
                try:
                    self._lanes.grow(lanes, await self._begun(lanes))
                    log.info("lanes_grown", door=self._door.name, lanes=lanes)
                except BrokerError as problem:
                    log.warning("lanes_not_grown", door=self._door.name, reason=str(problem))

    async def _lanes_there(self) -> int:
        """How many lanes every topic of the door has, as far as the broker tells."""
        away = not await self._producer.client.force_metadata_update()
        if away and not self._away:
            log.warning("kafka_away", door=self._door.name, then="what is published waits")
        elif self._away and not away:
            log.info("kafka_back", door=self._door.name)
        self._away = away
        return min(self._known(topic) for topic in self._door.outputs)

    async def _begun(self, lanes: int) -> dict[str, int]:
        """The calls of this door that run, and might be on another lane than `lanes` lanes would give them."""
        if CALL_EVENTS not in self._door.outputs:
            return {}
        there = self._known(CALL_EVENTS)
        return await recall(self._connection, self._codec, self._door.name, lanes, _RECALL_S, there)

    def _known(self, topic: str) -> int:
        return len(self._producer.client.cluster.partitions_for_topic(topic) or ())
