"""One group between two topics on a real broker: what the tests of transactions act with and look through."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from callbus.kafka import Connection
from callbus.worker.kip447 import TransactionalProducer, fetch_offsets
from callbus.worker.records import OutRecord
from tests.integration.visible import visible
from tests.until import until

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

    async def visible(self, isolation_level: str = "read_committed") -> list[ConsumerRecord]:
        """The output as a reader of this isolation can read it now, by lane and offset."""
        return await visible(Connection(self.broker), self.output, LANES, isolation_level)

    async def values(self, isolation_level: str = "read_committed") -> list[bytes | None]:
        return [record.value for record in await self.visible(isolation_level)]

    def outputs(self, *values: bytes, lane: int = 0) -> list[OutRecord]:
        return [OutRecord(self.output, lane, b"call", value) for value in values]

    def next_offset(self, offset: int, lane: int = 0) -> dict[TopicPartition, int]:
        return {TopicPartition(self.input, lane): offset}


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
