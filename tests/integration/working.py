"""A worker in the test's own process, on a broker of its own with every topic of the graph: run, publish, read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from callbus.broker import EmbeddedBroker
from callbus.codec import codec_of
from callbus.consumer import Outcome, Reject
from callbus.ids import event_id
from callbus.kafka import Connection
from callbus.topology import Group, load
from callbus.worker.limits import Limits
from callbus.worker.worker import Worker
from schemas.records import Translation, Utterance
from tests.builders import PROVENANCE
from tests.integration.applied import applied

TOPOLOGY = load(Path(__file__).parents[2] / "topology.yaml")
CODEC = codec_of(TOPOLOGY)
LIMITS = Limits(offsets_only_commit_ms=50)


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Connection]:
    """A broker of one's own with every topic of the graph: groups and topics have their real names."""
    with EmbeddedBroker(tmp_path / "kafka") as broker:
        connection = Connection(broker.bootstrap_servers)
        await applied(connection, TOPOLOGY)
        yield connection


class Echo:
    """Translates by saying it again, and refuses "poison"."""

    def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
        return [self.one(event) for event in events]

    def one(self, event: Utterance) -> Outcome:
        if event.text == "poison":
            return Reject("this text is poison")
        return [
            Translation(
                event_id=event_id(event.call_id, "translation", event.event_id),
                call_id=event.call_id,
                at_ms=event.at_ms,
                utterance_id=event.event_id,
                kind=event.kind,
                speaker=event.speaker,
                start_ms=event.start_ms,
                end_ms=event.end_ms,
                confidence=event.confidence,
                status="pass_through",
                source_text=event.text,
                source_language=event.language,
                language="en",
                text=event.text,
                provenance=PROVENANCE,
            )
        ]


@asynccontextmanager
async def running(
    connection: Connection, group: str | Group, consumer: Any, member: str = "0", limits: Limits = LIMITS
) -> AsyncIterator[Worker]:
    """A worker that is stopped gracefully at the end, and whose failure fails the test."""
    group = TOPOLOGY.group(group) if isinstance(group, str) else group
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(TOPOLOGY, group, consumer, CODEC, connection, thread, member, limits)
        task = asyncio.create_task(worker.run())
        try:
            settled = asyncio.create_task(worker.settled.wait())
            await asyncio.wait({task, settled}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            assert settled.done(), task
            yield worker
        finally:
            worker.stop()
            await task


async def publish(connection: Connection, topic: str, records: Sequence[Any], lane_of: Callable[[str], int]) -> None:
    producer = AIOKafkaProducer(**connection.client(), enable_idempotence=True)
    await producer.start()
    for record in records:
        raw = record if isinstance(record, bytes) else CODEC.encode(topic, record)
        call_id = "garbage" if isinstance(record, bytes) else record.call_id
        await producer.send(topic, raw, key=call_id.encode(), partition=lane_of(call_id))
    await producer.stop()


async def read(connection: Connection, topic: str, count: int, timeout_s: float = 20) -> list[Any]:
    """All committed records of a topic, waiting until there are at least `count`, as (lane, record)."""
    consumer = AIOKafkaConsumer(**connection.client(), isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(topic, lane) for lane in range(TOPOLOGY.lanes)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    found: list[Any] = []
    try:
        async with asyncio.timeout(timeout_s):
            while len(found) < count:
                for tp, messages in (await consumer.getmany(timeout_ms=200)).items():
                    found += [(tp.partition, CODEC.decode(topic, message.value)) for message in messages]
        for messages in (await consumer.getmany(timeout_ms=300)).values():
            found += [(m.partition, CODEC.decode(topic, m.value)) for m in messages]
    finally:
        await consumer.stop()
    return found


def lane_of(call_id: str) -> int:
    return sum(call_id.encode()) % 8
