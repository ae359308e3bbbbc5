"""A worker whose log is not what it was: what is lost is said aloud, and never taken for what was done."""

import asyncio

import pytest
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import CommitFailedError
from confluent_kafka.admin import AdminClient

from callbus.consumer import Outcome, Retry
from callbus.errors import BrokerError
from callbus.kafka import Connection
from schemas.records import Utterance
from tests.builders import utterance
from tests.integration.working import Echo, kafka, publish, read, running
from tests.until import until

__all__ = ["kafka"]

pytestmark = pytest.mark.broker

LANE = TopicPartition("transcripts", 0)


async def committed_by_hand(connection: Connection, offset: int) -> None:
    """The group has come so far on lane 0, whatever the log holds. A member that ended stays in it for its session."""
    consumer = AIOKafkaConsumer(**connection.client(), group_id="translation", enable_auto_commit=False)
    await consumer.start()
    consumer.assign([LANE])
    async with asyncio.timeout(60):
        while not await _accepted(consumer, offset):
            await asyncio.sleep(0.2)
    await consumer.stop()


async def _accepted(consumer: AIOKafkaConsumer, offset: int) -> bool:
    try:
        await consumer.commit({LANE: offset})
    except CommitFailedError:
        return False
    return True


def said(*numbers: int) -> list[object]:
    return [utterance("call", f"{n}", start_ms=n) for n in numbers]


async def test_what_expires_before_it_is_read_is_told(kafka: Connection) -> None:
    """Where from, and how many at most; the group goes on with what there is."""
    await publish(kafka, "transcripts", said(*range(8)), lambda _: 0)
    await committed_by_hand(kafka, 2)
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    await admin.delete_records({LANE: RecordsToDelete(5)})
    await admin.close()
    with structlog.testing.capture_logs() as lines:
        async with running(kafka, "translation", Echo()):
            found = await read(kafka, "translations", 3)
    assert [record.text for _, record in found] == ["5", "6", "7"]
    [line] = [line for line in lines if line["event"] == "inputs_expired"]
    assert (line["topic"], line["lane"], line["first_offset"], line["at_most"]) == ("transcripts", 0, 2, 3)


async def test_what_never_was_to_be_read_is_no_loss(kafka: Connection) -> None:
    """A new group begins where the log begins, and the end of a transaction is no input."""
    await publish(kafka, "transcripts", said(*range(8)), lambda _: 0)
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    await admin.delete_records({LANE: RecordsToDelete(5)})
    await admin.close()
    with structlog.testing.capture_logs() as lines:
        async with running(kafka, "translation", Echo()):
            assert len(await read(kafka, "translations", 3)) == 3
    assert "inputs_expired" not in [line["event"] for line in lines]


class Later(Echo):
    """Asks for a retry of everything."""

    def one(self, event: Utterance) -> Outcome:
        return Retry("not now")


async def test_a_group_whose_offsets_kafka_has_dropped_does_not_begin_anew(kafka: Connection) -> None:
    """It stood still for longer than `offsets.retention.minutes`; its retry log shows that it has worked. Who tells it
    where to go on is obeyed."""
    await publish(kafka, "transcripts", said(0, 1, 2), lambda _: 0)
    async with running(kafka, "translation", Later()) as worker:
        owned = worker._ownership
        await until(lambda: 0 in owned.lanes and len(owned.lanes[0].waiting) == 3)
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    await asyncio.to_thread(admin.delete_consumer_groups(["translation"])["translation"].result, 20)
    with pytest.raises(BrokerError, match=r"lane 0: Kafka has dropped.*translation-retry shows.*--topic transcripts "):
        async with running(kafka, "translation", Echo()) as worker:
            await until(lambda: worker._meter.current == "stopped")
    await committed_by_hand(kafka, 3)
    async with running(kafka, "translation", Echo()):
        found = await read(kafka, "translations", 3)
    assert [record.text for _, record in found] == ["0", "1", "2"]


async def test_a_log_that_is_shorter_than_what_was_done_ends_the_worker(kafka: Connection) -> None:
    """New inputs would have the offsets of old ones, and be passed over: it says so, and what to do."""
    await publish(kafka, "transcripts", said(*range(3)), lambda _: 0)
    await committed_by_hand(kafka, 100)
    with pytest.raises(BrokerError, match=r"had come to offset 100.*--reset-offsets --to-latest"):
        async with running(kafka, "translation", Echo()) as worker:
            await until(lambda: worker._meter.current == "stopped")
