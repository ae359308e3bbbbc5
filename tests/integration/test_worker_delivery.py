"""callbus.worker on a real broker: at-least-once, as a group's choice and as a topic's."""

from collections import Counter
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.kafka import Connection
from tests.builders import utterance
from tests.integration import working
from tests.integration.working import TOPOLOGY, Echo, kafka, lane_of, publish, read, running

__all__ = ["kafka"]

pytestmark = pytest.mark.broker


async def records_and_markers(connection: Connection, topic: str) -> int:
    """How many offsets the topic has used: a transaction leaves a marker beside its records."""
    consumer = AIOKafkaConsumer(**connection.client(), isolation_level="read_uncommitted")
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, lane) for lane in range(TOPOLOGY.lanes)])
        return sum(ends.values())
    finally:
        await consumer.stop()


async def test_a_group_may_choose_at_least_once(kafka: Connection) -> None:
    """No transaction, every output, and the next worker begins where the last one committed."""
    loose = replace(TOPOLOGY.group("translation"), delivery="at-least-once")
    said = [utterance(f"call-{n % 5}", f"{n}", start_ms=n) for n in range(200)]
    async with running(kafka, loose, Echo()):
        await publish(kafka, "transcripts", said[:150], lane_of)
        await read(kafka, "translations", 150)
    async with running(kafka, loose, Echo()):
        await publish(kafka, "transcripts", said[150:], lane_of)
        found = await read(kafka, "translations", 200)
    assert Counter(record.text for _, record in found) == Counter(u.text for u in said)
    assert await records_and_markers(kafka, "translations") == 200


async def test_a_topic_may_be_at_least_once_where_its_group_is_exactly_once(
    kafka: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records go out at once, in no transaction, and before the offsets that they came of are committed."""
    topics = TOPOLOGY.topics | {"translations": replace(TOPOLOGY.topic("translations"), delivery="at-least-once")}
    monkeypatch.setattr(working, "TOPOLOGY", replace(TOPOLOGY, topics=topics))
    said = [utterance(f"call-{n % 5}", f"{n}", start_ms=n) for n in range(100)]
    async with running(kafka, "translation", Echo()):
        await publish(kafka, "transcripts", [*said, utterance("call-0", "poison", start_ms=1000)], lane_of)
        found = await read(kafka, "translations", 100)
        await read(kafka, "translation-dead-letters", 1)
    assert Counter(record.text for _, record in found) == Counter(u.text for u in said)
    assert await records_and_markers(kafka, "translations") == 100
    assert await records_and_markers(kafka, "translation-dead-letters") == 2
