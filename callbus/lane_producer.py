"""A Kafka producer for topics whose lanes grow."""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

KNOWN_WITHIN_S = 5.0  # how long one broker may take to hear of a lane that another one has shown
_ASK_AGAIN_S = 0.05


class LaneProducer(AIOKafkaProducer):  # type: ignore[misc]
    """An AIOKafkaProducer that asks the broker again before it takes a lane for one that does not exist.

    aiokafka's own looks into metadata that may be `metadata_max_age_ms` old, and fails with an AssertionError.
    """

    async def send(
        self, topic: str, value: Any = None, key: Any = None, partition: int | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """As AIOKafkaProducer's. Raises UnknownTopicOrPartitionError for a lane that does not appear within 5 s."""
        if partition is not None:
            await self.until_known(topic, partition)
        return await super().send(topic, value, key, partition, *args, **kwargs)

    async def until_known(self, topic: str, lane: int) -> None:
        """Returns once the broker has shown the lane; UnknownTopicOrPartitionError after 5 s."""
        deadline = time.monotonic() + KNOWN_WITHIN_S
        while lane not in (known := await self.partitions_for(topic)):
            if time.monotonic() > deadline:
                raise UnknownTopicOrPartitionError(f"{topic} has lanes 0 to {max(known)}, and no lane {lane}")
            await asyncio.sleep(_ASK_AGAIN_S)
            await self.client.force_metadata_update()
