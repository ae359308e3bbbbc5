"""What the broker has at the end: every committed record of every topic, and every group's committed offsets."""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.kafka import Connection
from callbus.topics import connected
from callbus.topology import Topology

Place = tuple[str, int]  # topic and lane


class Everything:
    """A reader from the very beginning. `records` holds what is committed, by topic and lane, in order of offset."""

    def __init__(self, connection: Connection, topics: Collection[str], lanes: int) -> None:
        self.records: dict[Place, list[Any]] = defaultdict(list)
        self._connection = connection
        self._places = [TopicPartition(topic, lane) for topic in topics for lane in range(lanes)]

    async def start(self) -> None:
        settings: dict[str, Any] = self._connection.client() | {"enable_auto_commit": False, "fetch_max_wait_ms": 50}
        self._reader = AIOKafkaConsumer(**settings, isolation_level="read_committed", max_partition_fetch_bytes=4 << 20)
        self._marks = AIOKafkaConsumer(**settings, isolation_level="read_uncommitted")
        await self._reader.start()
        await self._marks.start()
        self._reader.assign(self._places)
        await self._reader.seek_to_beginning(*self._places)

    async def stop(self) -> None:
        await self._reader.stop()
        await self._marks.stop()

    async def catch_up(self, limit_s: float) -> list[str]:
        """Read to the high watermarks of now. Says which places it could not, because a transaction is open there."""
        ends: dict[TopicPartition, int] = await self._marks.end_offsets(self._places)
        deadline = time.monotonic() + limit_s
        while behind := [tp for tp in self._places if await self._reader.position(tp) < ends[tp]]:
            if time.monotonic() > deadline:
                return [
                    f"{tp.topic}[{tp.partition}] can be read to {await self._reader.position(tp)} of {ends[tp]}: "
                    "a transaction is still open there"
                    for tp in behind
                ]
            for tp, messages in (await self._reader.getmany(timeout_ms=100)).items():
                self.records[tp.topic, tp.partition] += messages
        return []

    def count(self) -> int:
        return sum(map(len, self.records.values()))


async def committed_offsets(connection: Connection, topology: Topology) -> dict[str, Mapping[Place, int]]:
    """By group, the committed offset of each of its input lanes; 0 where there is none."""
    found: dict[str, Mapping[Place, int]] = {}
    async with connected(connection) as admin:
        for name, group in topology.groups.items():
            offsets = await admin.list_consumer_group_offsets(name)
            found[name] = {
                (topic, lane): max(0, offsets[tp].offset) if (tp := TopicPartition(topic, lane)) in offsets else 0
                for topic in group.inputs
                for lane in range(topology.lanes)
            }
    return found
