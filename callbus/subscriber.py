"""Reads events as a subscriber does: committed ones only, typed, in no consumer group."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from callbus.codec import Codec
from callbus.errors import CodecError
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.lanes import LANES_SEEN_WITHIN_MS
from callbus.refusals import explained
from callbus.topics import connected, lanes_of


@dataclass(frozen=True, slots=True)
class Received:
    """One message. `record` is None for a tombstone, and where the bytes are no event: `problem` says why."""

    topic: str
    lane: int
    offset: int
    timestamp_ms: int
    call_id: str
    record: Any = None
    problem: str | None = None


class Subscription:
    """The messages of some topics, each lane in order. A lane that is added while it is open is read from its start."""

    def __init__(self, consumer: AIOKafkaConsumer, codec: Codec, grows: bool) -> None:
        """`grows`: read lanes that are added later, too."""
        self._consumer = consumer
        self._codec = codec
        self._grows = grows

    async def next(self, wait_s: float = 0.2) -> list[Received]:
        """What has arrived, or nothing if nothing does within `wait_s`."""
        if self._grows:
            await self._take_new_lanes()
        batches = await self._consumer.getmany(timeout_ms=round(wait_s * 1000))
        return [self._received(message) for messages in batches.values() for message in messages]

    async def until_end(self) -> AsyncIterator[Received]:
        """Everything up to where the topics end now; then it stops."""
        partitions = list(self._consumer.assignment())
        ends = await self._consumer.end_offsets(partitions)
        left = {tp for tp in partitions if await self._consumer.position(tp) < ends[tp]}
        while left:
            for received in await self.next():
                yield received
            left = {tp for tp in left if await self._consumer.position(tp) < ends[tp]}

    async def _take_new_lanes(self) -> None:
        """Those that the client's metadata has shown since: it is renewed every `LANES_SEEN_WITHIN_MS`."""
        mine = self._consumer.assignment()
        there = {
            TopicPartition(topic, lane)
            for topic in {tp.topic for tp in mine}
            for lane in self._consumer.partitions_for_topic(topic) or ()
        }
        if added := there - mine:
            positions = {tp: await self._consumer.position(tp) for tp in mine}
            self._consumer.assign([*mine, *added])  # which forgets the positions
            for tp, position in positions.items():
                self._consumer.seek(tp, position)
            await self._consumer.seek_to_beginning(*added)

    def _received(self, message: Any) -> Received:
        call_id = (message.key or b"").decode(errors="replace")
        place = (message.topic, message.partition, message.offset, message.timestamp, call_id)
        if message.value is None:
            return Received(*place)
        try:
            return Received(*place, record=self._codec.decode(message.topic, message.value))
        except CodecError as problem:
            return Received(*place, problem=str(problem))


@asynccontextmanager
async def subscribe(
    connection: Connection,
    codec: Codec,
    topics: Collection[str],
    start: Literal["beginning", "now"] = "now",
    lanes: Collection[int] | None = None,
) -> AsyncIterator[Subscription]:
    """Subscribe to every lane of `topics`, or only to `lanes`. BrokerError where there is no broker or no such topic.

    On entering, the position is fixed: what is published from then on will be seen, also on lanes that are added.
    """
    partitions = await _partitions(connection, topics, lanes)
    consumer = AIOKafkaConsumer(
        **connection.client(),
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        metadata_max_age_ms=LANES_SEEN_WITHIN_MS,
    )
    try:
        await consumer.start()
        consumer.assign(partitions)
        if partitions:  # none where the broker does not have `lanes` yet
            await (consumer.seek_to_beginning if start == "beginning" else consumer.seek_to_end)(*partitions)
            await asyncio.gather(*(consumer.position(tp) for tp in partitions))
        else:
            await asyncio.sleep(0)  # aiokafka can't close a client whose tasks have not begun
        yield Subscription(consumer, codec, grows=lanes is None)
    except KafkaError as problem:
        raise explained(problem, connection, dict.fromkeys(topics, ("Read",))) from problem
    finally:
        await consumer.stop()


async def _partitions(
    connection: Connection, topics: Collection[str], lanes: Collection[int] | None
) -> list[TopicPartition]:
    async with connected(connection) as admin:
        there = await lanes_of(admin, connection, dict.fromkeys(topics, ("Read",)))
    return [TopicPartition(topic, lane) for topic in topics for lane in there[topic] if lanes is None or lane in lanes]
