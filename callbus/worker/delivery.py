"""How what is finished gets to Kafka: exactly once, in a transaction that the group fences, or at least once."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata

from callbus.worker.kip447 import BatchProducer, GroupFenced, GroupMetadata, TransactionalProducer
from callbus.worker.records import OutRecord

Offsets = Mapping[tuple[str, int], int]  # (topic, lane): the next offset to read


class Delivery(Protocol):
    """Publishes records and commits the offsets that they came of."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def deliver(self, records: Sequence[OutRecord], offsets: Offsets, member: GroupMetadata) -> None:
        """Returns once all of it is on the brokers. GroupFenced: the group has moved on, and nothing of it counts.

        Another KafkaError: read again from what is committed.
        """
        ...


class ExactlyOnce:
    """Records and offsets become visible together or not at all."""

    def __init__(self, producer: TransactionalProducer) -> None:
        self._producer = producer

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def deliver(self, records: Sequence[OutRecord], offsets: Offsets, member: GroupMetadata) -> None:
        """Acknowledged records first, then the offsets with the frozen membership, then the end of the transaction."""
        async with self._producer.transaction():
            await self._producer.publish(records)
            await self._producer.send_offsets_to_transaction(_structured(offsets), member)


class AtLeastOnce:
    """Records first, then the offsets: after a crash between the two the records come twice, with the same ids."""

    def __init__(self, producer: BatchProducer, consumer: AIOKafkaConsumer) -> None:
        self._producer = producer
        self._consumer = consumer

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def deliver(self, records: Sequence[OutRecord], offsets: Offsets, member: GroupMetadata) -> None:
        await self._producer.publish(records)
        if GroupMetadata.of(self._consumer) != member:
            raise GroupFenced(f"group {member.group_id}: the lanes were assigned anew meanwhile")
        try:
            await self._consumer.commit(_structured(offsets))
        except CommitFailedError as problem:
            raise GroupFenced(f"group {member.group_id}: {problem}") from problem


def _structured(offsets: Offsets) -> dict[TopicPartition, Any]:
    return {TopicPartition(topic, lane): OffsetAndMetadata(offset, "") for (topic, lane), offset in offsets.items()}
