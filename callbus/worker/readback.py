"""Reads parts of topics back, committed records only: what a lane's owner must know before it opens the lane."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.kafka import MAX_MESSAGE_BYTES, Connection


class ReadBack:
    """One client for all readings of a worker, one after the other. Start it before them."""

    def __init__(self, connection: Connection) -> None:
        self._consumer = AIOKafkaConsumer(
            **connection.client(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=20,
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        )

    async def start(self) -> None:
        """KafkaError where no broker answers."""
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(self, starts: Mapping[TopicPartition, int]) -> AsyncIterator[tuple[TopicPartition, Any]]:
        """Every record from these offsets up to the high watermarks.

        Not only up to the last stable offset: when a group's offsets are stable already, the marker of the same
        transaction may still be on its way to a topic, and its records must not be missed.
        """
        if not starts:
            return
        self._consumer.assign(list(starts))
        for tp, start in starts.items():
            self._consumer.seek(tp, start)
        left = set(starts)
        while left:
            for tp, messages in (await self._consumer.getmany(*left, timeout_ms=50)).items():
                for message in messages:
                    yield tp, message
            for tp in list(left):
                end = self._consumer.highwater(tp)  # known from the first answer on
                if end is not None and await self._consumer.position(tp) >= end:
                    left.discard(tp)

    async def position(self, tp: TopicPartition) -> int:
        """Where the last reading of this lane ended: nothing stands between its last record and here."""
        position: int = await self._consumer.position(tp)
        return position
