"""The insights group, and the project's own graph under names of a test's own: what the tests of it act with."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from callbus.codec import Codec
from callbus.kafka import Connection
from callbus.topics import connected
from callbus.topology import Group, Topic, Topology, derived_topics, load
from consumers.insights import runner
from consumers.insights.join import Input
from schemas.records import CallInsight
from tests.cli import TOPOLOGY
from tests.integration.exchange import lanes_of
from tests.unit.test_insights import WHOLE_CALL, life
from tests.unit.test_insights_telling import summed_up
from tests.until import until

LANES = 3
PATIENCE_S = 30
STREAMS = ("call-events", "entities", "classifications", "qa-evaluations", "summaries")
WHOLE_STREAMS: tuple[tuple[Input, ...], ...] = (
    (*WHOLE_CALL[0], life("judged", 9100, stage="alerts")),
    *WHOLE_CALL[1:],
    (summed_up(1, complete=True),),
)


@dataclass(frozen=True)
class Graph:
    """The project's own graph under names of this test's own, on the broker."""

    connection: Connection
    topology: Topology
    group: Group
    codec: Codec
    topics: tuple[Topic, ...]
    producer: AIOKafkaProducer

    def name(self, topic: str) -> str:
        return f"{self.group.name}-{topic}"

    async def send(self, topic: str, event: Any, *, lane: int = 1, producer: AIOKafkaProducer | None = None) -> None:
        value = event if isinstance(event, bytes) else self.codec.encode(self.name(topic), event)
        key = b"call-1" if isinstance(event, bytes) else event.call_id.encode()
        await (producer or self.producer).send_and_wait(self.name(topic), value, key=key, partition=lane)

    async def send_call(self, call_id: str = "call-1", *, lane: int = 1) -> None:
        for topic, events in zip(STREAMS, WHOLE_STREAMS, strict=True):
            for event in events:
                await self.send(topic, replace(event, call_id=call_id), lane=lane)

    async def read(self, topic: str, enough: Callable[[list[Any]], bool]) -> list[tuple[int, Any]]:
        """Everything on an output topic with its lane, once `enough` of its records are there."""
        consumer = AIOKafkaConsumer(
            self.name(topic), **self.connection.client(), auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        await consumer.start()
        found: list[tuple[int, Any]] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not enough([record for _, record in found]):
                    message = await consumer.getone()
                    record = self.codec.decode(message.topic, message.value)
                    assert message.key.decode() == record.call_id
                    assert dict(message.headers)["ce_id"].decode() == record.event_id
                    found.append((message.partition, record))
        finally:
            await consumer.stop()
        return found

    async def insights(self, enough: Callable[[list[CallInsight]], bool]) -> list[CallInsight]:
        return [record for _, record in await self.read("call-insights", enough)]

    async def committed(self, topic: str, lane: int = 1) -> int | None:
        async with connected(self.connection) as admin:
            offsets = await admin.list_consumer_group_offsets(self.group.name)
        found = offsets.get(TopicPartition(self.name(topic), lane))
        return found.offset if found else None

    @asynccontextmanager
    async def running(self, codec: Codec | None = None, member: str | None = None) -> AsyncIterator[Any]:
        """The group, ready; stopped in good order at the end."""
        async with joined(self.topology, self.group, codec or self.codec, self.connection, member) as app:
            yield app


@pytest.fixture
async def graph(broker: str) -> AsyncIterator[Graph]:
    connection = Connection(broker)
    real = load(TOPOLOGY)
    name = f"insights_{uuid.uuid4().hex[:8]}"

    def own(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}-{topic}" for topic in names)

    topics = {
        f"{name}-{topic.name}": replace(topic, name=f"{name}-{topic.name}", partitions=LANES)
        for topic in real.topics.values()
    }
    groups = {
        (name if group.name == "insights" else group.name): replace(
            group,
            name=name if group.name == "insights" else group.name,
            inputs=own(group.inputs),
            outputs=own(group.outputs),
        )
        for group in real.groups.values()
    }
    topology = replace(real, lanes=LANES, topics=topics, groups=groups)
    group = topology.group(name)
    needed = (*(topics[topic] for topic in (*group.inputs, *group.outputs)), *derived_topics(group, LANES))
    async with connected(connection) as admin:
        await admin.create_topics(
            [NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config()) for topic in needed]
        )

        async def there() -> bool:
            return {topic.name for topic in needed} <= set(await admin.list_topics())

        await until(there)
    codec = Codec({topic.name: topic.schema for topic in topology.all_topics() if topic.schema})
    producer = AIOKafkaProducer(**connection.client())
    await producer.start()
    yield Graph(connection, topology, group, codec, needed, producer)
    await producer.stop()
    async with connected(connection) as admin:
        await admin.delete_topics([topic.name for topic in needed])


def complete(insights: list[CallInsight]) -> bool:
    return bool(insights) and insights[-1].complete


def shared(lanes: int, *members: Any) -> bool:
    """Whether the members have all lanes among them, and each has some."""
    return all(member.lanes for member in members) and lanes_of(members) == list(range(lanes))


@asynccontextmanager
async def joined(
    topology: Topology, group: Group, codec: Codec, connection: Connection, member: str | None = None
) -> AsyncIterator[Any]:
    """The insights app as a member of its group, ready; stopped in good order at the end."""
    app = runner(topology, group, codec, connection, member)
    run, ready = asyncio.create_task(app.run()), asyncio.create_task(app.ready())
    await asyncio.wait([run, ready], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
    try:
        assert ready.done(), run.done() and run.exception()
        yield app
    finally:
        ready.cancel()
        app.stop()
        await asyncio.wait_for(run, PATIENCE_S)
