"""Kafka's answers about groups, offsets and records, each in as few requests as there are brokers. Decides nothing.

On aiokafka's admin client and protocol classes: a consumer would know one position per lane, and two groups read the
same lane at two. What it touches that is private is held by tests/integration/test_groups.py.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import LeaderNotAvailableError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from callbus.groups.reckoning import Stretch
from callbus.kafka import Connection
from callbus.topics import lanes_of
from callbus.worker.kip345 import DescribeGroupsRequest
from callbus.worker.kip447_requests import OffsetFetchRequest

START, END = -2, -1  # ListOffsets' words for a lane's first offset, and for the one behind its last
_READ_COMMITTED = 1
_WAIT_MS = 20  # where nothing comes, which should not happen before the end
_ANSWER_BYTES = 16 * 1024 * 1024  # of one fetch; what has no room in it is asked for again

Leaders = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of a stretch to read: up to so many records, in about so many bytes.

    With `first`, at least its first record, however large it is and whatever stands before it.
    """

    records: int
    size_bytes: int
    first: bool = True


@dataclass(slots=True)
class _Reading:
    """A stretch while it is being read."""

    start: int
    end: int
    position: int
    records: list[Any] = field(default_factory=list)
    size_bytes: int = 0
    stuck: bool = False  # the last answer held no whole batch of it

    def over(self, effort: Effort) -> bool:
        if self.position >= self.end or (self.stuck and not effort.first):
            return True
        enough = len(self.records) >= effort.records or self.size_bytes >= effort.size_bytes
        return enough and bool(self.records or not effort.first)

    def take(self, tp: TopicPartition, aborted: Any, raw: bytes, effort: Effort) -> None:
        batches = MemoryRecords(raw)
        self.stuck = not batches.has_next()
        self.size_bytes += len(raw)
        found = PartitionRecords(tp, batches, aborted, self.position, None, None, False, _READ_COMMITTED)
        for record in found:
            if record.offset >= self.end:
                self.position = self.end
                break
            if len(self.records) >= effort.records:
                break
            self.records.append(record)
            self.position = record.offset + 1
        else:  # behind the last record may be markers
            self.position = max(self.position, found.next_fetch_offset)


class Cluster:
    """Requests to the brokers. Each raises a KafkaError as it comes; its `retriable` says whether to ask again."""

    def __init__(self, admin: AIOKafkaAdminClient, connection: Connection) -> None:
        self._admin = admin
        self._connection = connection

    async def leaders(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        """Every lane of these topics in order, and the broker that leads it. Raises as `lanes_of`."""
        there = await lanes_of(self._admin, self._connection, dict.fromkeys(topics, ("Read",)))
        found = {TopicPartition(topic, lane): leader for topic in topics for lane, leader in there[topic].items()}
        if headless := [tp for tp, leader in found.items() if leader < 0]:
            raise LeaderNotAvailableError(f"{headless[0].topic} lane {headless[0].partition}")
        return found

    async def offsets(self, leaders: Leaders, which: int) -> dict[TopicPartition, int]:
        """Where each lane starts (START), or its last stable offset (END), which is its end for who reads committed."""
        found: dict[TopicPartition, int] = {}
        for response in await self._ask_leaders(
            leaders, lambda lanes: OffsetRequest(-1, _READ_COMMITTED, _by_topic((*tp, which) for tp in lanes))
        ):
            for topic, lanes in response.topics:
                for lane, code, _, offset in lanes:
                    _raise_for(code, f"{topic} lane {lane}")
                    found[TopicPartition(topic, lane)] = offset
        return found

    async def group(
        self, group: str, places: Iterable[TopicPartition]
    ) -> tuple[Any, dict[TopicPartition, int | None], dict[TopicPartition, str]]:
        """The group's entry in a DescribeGroups v4 response, and what it has committed on each of `places`: offsets,
        and the notes beside them."""
        coordinator = await self._admin.find_coordinator(group)
        described, fetched = await asyncio.gather(
            self._admin._send_request(DescribeGroupsRequest([group]), coordinator),
            self._admin._send_request(OffsetFetchRequest(group, places, require_stable=False), coordinator),
        )
        (entry,) = described.groups
        _raise_for(entry[0], f"group {group}")
        _raise_for(fetched.error_code, f"group {group}")
        committed: dict[TopicPartition, int | None] = {}
        notes: dict[TopicPartition, str] = {}
        for topic, lanes, _ in fetched.topics:
            for lane, offset, _, note, code, _ in lanes:
                _raise_for(code, f"group {group}, {topic} lane {lane}")
                committed[TopicPartition(topic, lane)] = offset if offset >= 0 else None
                notes[TopicPartition(topic, lane)] = note or ""
        return entry, committed, notes

    async def read(
        self, leaders: Leaders, stretches: Mapping[TopicPartition, tuple[int, int]], effort: Effort
    ) -> dict[TopicPartition, Stretch]:
        """The committed records of each stretch, given as (start, end), the end not behind the last stable offset."""
        readings = {tp: _Reading(start, end, start) for tp, (start, end) in stretches.items()}
        while left := {tp: leaders[tp] for tp, reading in readings.items() if not reading.over(effort)}:
            await self._fetch(left, readings, effort)
        return {tp: Stretch(r.start, r.end, min(r.position, r.end), r.records) for tp, r in readings.items()}

    async def _fetch(self, leaders: Leaders, readings: Mapping[TopicPartition, _Reading], effort: Effort) -> None:
        """One round. Each leader answers with at least one batch, however large, of at least one lane (KIP-74)."""

        def request(lanes: Iterable[TopicPartition]) -> FetchRequest:
            places = ((*tp, readings[tp].position, effort.size_bytes) for tp in lanes)
            return FetchRequest(_WAIT_MS, 1, _ANSWER_BYTES, _READ_COMMITTED, _by_topic(places))

        for response in await self._ask_leaders(leaders, request):
            for topic, lanes in response.topics:
                for lane, code, *_, aborted, _, raw in lanes:  # as in v11, which Kafka has since 2.3
                    tp = TopicPartition(topic, lane)
                    if code == OffsetOutOfRangeError.errno and not effort.first:
                        readings[tp].stuck = True  # retention was faster
                        continue
                    _raise_for(code, f"{topic} lane {lane}")
                    readings[tp].take(tp, aborted, raw or b"", effort)

    async def _ask_leaders(self, leaders: Leaders, request: Any) -> list[Any]:
        lanes: dict[int, list[TopicPartition]] = defaultdict(list)
        for tp, leader in leaders.items():
            lanes[leader].append(tp)
        asked = (self._admin._send_request(request(its), leader) for leader, its in lanes.items())
        return list(await asyncio.gather(*asked))


def _by_topic(places: Iterable[tuple[Any, ...]]) -> list[tuple[str, list[tuple[Any, ...]]]]:
    topics: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for topic, *place in places:
        topics[topic].append(tuple(place))
    return list(topics.items())


def _raise_for(code: int, where: str) -> None:
    if code:
        raise for_code(code)(where)
