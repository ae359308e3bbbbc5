"""One group between two topics on a real broker: what the tests of transactions act with and look through."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from callbus.worker.kip447 import TransactionalProducer, fetch_offsets
from callbus.worker.records import OutRecord

LANES = 4
DEADLINE_S = 20.0


class Stage:
    """One group between an input and an output topic of four lanes each, with names of its own."""

    def __init__(self, broker: str, open_until: AsyncExitStack) -> None:
        self.broker = broker
        self.id = uuid.uuid4().hex[:8]
        self.input, self.output, self.group = f"in-{self.id}", f"out-{self.id}", f"group-{self.id}"
        self._open_until = open_until

    async def make_topics(self) -> None:
        async with self.admin() as admin:
            await admin.create_topics([NewTopic(name, LANES, 1) for name in (self.input, self.output)])

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def producer(self, transactional_id: str = "", **settings: Any) -> TransactionalProducer:
        defaults = {"retry_backoff_ms": 20, "transaction_timeout_ms": 30_000, "max_batch_size": 1_000_000}
        producer = TransactionalProducer(
            bootstrap_servers=self.broker, transactional_id=transactional_id or self.id, **(defaults | settings)
        )
        await producer.start()
        self._open_until.push_async_callback(producer.stop)
        return producer

    async def member(self, **settings: Any) -> AIOKafkaConsumer:
        """A consumer that is in the group and has lanes."""
        consumer = AIOKafkaConsumer(
            self.input,
            bootstrap_servers=self.broker,
            group_id=self.group,
            enable_auto_commit=False,
            heartbeat_interval_ms=200,
            retry_backoff_ms=20,
            **settings,
        )
        await consumer.start()
        self._open_until.push_async_callback(consumer.stop)
        await until(lambda: consumer.assignment() and consumer._coordinator.generation > 0)
        return consumer

    async def visible(self, topic: str = "", isolation_level: str = "read_committed") -> list[ConsumerRecord]:
        """Everything that a reader of this isolation can read now, by lane and offset."""
        topic = topic or self.output
        reader = AIOKafkaConsumer(bootstrap_servers=self.broker, isolation_level=isolation_level, fetch_max_wait_ms=50)
        await reader.start()
        try:
            lanes = [TopicPartition(topic, lane) for lane in range(LANES)]
            reader.assign(lanes)
            await reader.seek_to_beginning()
            ends = await reader.end_offsets(lanes)  # for read_committed, where the oldest open transaction begins
            read: list[ConsumerRecord] = []
            deadline = time.monotonic() + DEADLINE_S
            while any([await reader.position(lane) < ends[lane] for lane in lanes]):
                assert time.monotonic() < deadline, f"read only {len(read)} records"
                for records in (await reader.getmany(timeout_ms=100)).values():
                    read += records
            return sorted(read, key=lambda record: (record.partition, record.offset))
        finally:
            await reader.stop()

    async def values(self, isolation_level: str = "read_committed") -> list[bytes | None]:
        return [record.value for record in await self.visible(isolation_level=isolation_level)]

    def outputs(self, *values: bytes, lane: int = 0) -> list[OutRecord]:
        return [OutRecord(self.output, lane, b"call", value) for value in values]

    def next_offset(self, offset: int, lane: int = 0) -> dict[TopicPartition, int]:
        return {TopicPartition(self.input, lane): offset}


async def until(true: Callable[[], Any]) -> None:
    """Wait for a condition of this process; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.02)


async def stable_offsets(
    consumer: AIOKafkaConsumer, lanes: Iterable[TopicPartition]
) -> dict[TopicPartition, int | None]:
    """The committed offsets, once no transaction is pending on them."""
    async with asyncio.timeout(DEADLINE_S):
        stable: dict[TopicPartition, int | None] = {}
        left = set(lanes)
        while left:
            found, left = await fetch_offsets(consumer, left)
            stable |= found
            await asyncio.sleep(0.01)
        return stable


async def move_on(consumer: AIOKafkaConsumer) -> None:
    """A rebalance: the group goes on to its next generation."""
    coordinator = consumer._coordinator
    before = coordinator.generation
    coordinator.request_rejoin()
    await until(lambda: coordinator.generation > before and consumer.assignment())
