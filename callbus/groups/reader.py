"""Readings of the graph's groups: what Kafka says (cluster) put together with what it comes to (reckoning).

async with groups.reader(connection, topology) as reader:
    lags = await reader.lags(["translation"])
    before = await reader.read(topology.groups)
    now = await reader.read(topology.groups, before)  # and rates(before[name], now[name])
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from callbus import topics
from callbus.clock import now_ms
from callbus.errors import BrokerError
from callbus.groups.cluster import END, START, Cluster, Effort, Leaders
from callbus.groups.membership import membership
from callbus.groups.reckoning import (
    GroupLag,
    GroupReading,
    LaneLag,
    Letters,
    Stretch,
    input_lag,
    letters,
    letters_start,
    next_offset,
    retry_lag,
)
from callbus.kafka import Connection
from callbus.refusals import Needs, refusal
from callbus.topology import Group, Topology
from callbus.worker import breaker

_WITHIN_S = 10.0
_AGAIN_S = 0.05
_UNREAD = Effort(records=500, size_bytes=32 * 1024)
_FINISHED = Effort(records=500, size_bytes=32 * 1024, first=False)
_WAITING = Effort(records=5_000, size_bytes=1024 * 1024)
_LETTERS = Effort(records=5_000, size_bytes=256 * 1024)

T = TypeVar("T")


@asynccontextmanager
async def reader(connection: Connection, topology: Topology) -> AsyncIterator["GroupReader"]:
    """A reader with a connection of its own. BrokerError when no broker answers."""
    async with topics.connected(connection) as admin:
        yield GroupReader(admin, topology, connection)


@dataclass(frozen=True, slots=True)
class _Log:
    """The lanes of some topics at one moment."""

    leaders: Leaders
    starts: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]

    def of(self, names: Collection[str]) -> list[TopicPartition]:
        """The lanes of these topics, in order."""
        return [tp for name in names for tp in self.leaders if tp.topic == name]

    def from_(self, begins: Mapping[TopicPartition, int]) -> dict[TopicPartition, tuple[int, int]]:
        """From there to the end."""
        return {tp: (min(begin, self.ends[tp]), self.ends[tp]) for tp, begin in begins.items()}


class GroupReader:
    """Reads how groups are doing. What the broker can't answer for a moment is asked again for ten seconds."""

    def __init__(self, admin: AIOKafkaAdminClient, topology: Topology, connection: Connection) -> None:
        self._cluster = Cluster(admin, connection)
        self._topology = topology
        self._connection = connection

    async def lags(self, names: Iterable[str]) -> dict[str, GroupLag]:
        """By group, how far it is behind on each lane of each of its inputs and of its retry topic.

        Raises TopologyError for a group that is not in the graph, BrokerError where a topic is missing or no broker
        answers. A group that never ran is behind by all there is.
        """
        groups = [self._topology.group(name) for name in names]

        async def read() -> dict[str, GroupLag]:
            log = await self._log({topic for group in groups for topic in _read_topics(group)})
            found = await asyncio.gather(*(self._group_lags(group, log) for group in groups))
            return {
                group.name: GroupLag(lags, stopped) for group, (_, lags, stopped) in zip(groups, found, strict=True)
            }

        return await self._patiently(read)

    async def read(
        self, names: Iterable[str], before: Mapping[str, GroupReading] | None = None
    ) -> dict[str, GroupReading]:
        """The groups as they are now, by name. With the reading `before` this one it says what was done since.

        Raises as `lags` does.
        """
        groups = [self._topology.group(name) for name in names]

        async def read() -> dict[str, GroupReading]:
            wanted = {topic for group in groups for topic in (*_read_topics(group), group.dead_letters)}
            log = await self._log(wanted)
            found = await asyncio.gather(
                *(self._reading(group, log, (before or {}).get(group.name)) for group in groups)
            )
            return {reading.group: reading for reading in found}

        return await self._patiently(read)

    async def _reading(self, group: Group, log: _Log, before: GroupReading | None) -> GroupReading:
        (described, lags, stopped), counted = await asyncio.gather(
            self._group_lags(group, log), self._letters(group, log, before)
        )
        at_s = time.monotonic()
        done = given_up = 0
        if before is not None:
            finished = await self._cluster.read(log.leaders, _finished(group, before, lags, log.starts), _FINISHED)
            done = before.done + sum(stretch.events for stretch in finished.values())
            known = before.letters
            fresh = (its.written - known[tp].written for tp, its in counted.items() if tp in known)
            given_up = before.given_up + sum(max(0, count) for count in fresh)
        return GroupReading(
            group=group.name,
            at_s=at_s,
            lanes=1 + max((tp.partition for tp in log.of(group.inputs)), default=-1),
            membership=membership(described, group.inputs),
            stopped=stopped,
            lags=lags,
            waiting=sum(lag.events for lag in lags if lag.topic == group.retries),
            letters=counted,
            done=done,
            given_up=given_up,
        )

    async def _group_lags(self, group: Group, log: _Log) -> tuple[Any, tuple[LaneLag, ...], str]:
        """What Kafka says of its members, its lags, and why it stopped itself, if it did."""
        places, note = log.of(_read_topics(group)), breaker.place(group)
        described, committed, notes = await self._cluster.group(group.name, [*places, note])
        begins = {tp: next_offset(committed.get(tp), log.starts[tp]) for tp in places}
        in_retries = {tp: begin for tp, begin in begins.items() if tp.topic == group.retries}
        in_inputs = {tp: begin for tp, begin in begins.items() if tp.topic in group.inputs}
        unread, waiting = await asyncio.gather(
            self._cluster.read(log.leaders, log.from_(in_inputs), _UNREAD),
            self._cluster.read(log.leaders, log.from_(in_retries), _WAITING),
        )
        now = now_ms()

        def lag(tp: TopicPartition) -> LaneLag:
            if tp in waiting:
                return retry_lag(tp, committed.get(tp), waiting[tp], now)
            return input_lag(tp, committed.get(tp), unread[tp], now)

        return described, tuple(lag(tp) for tp in places), notes[note]

    async def _letters(self, group: Group, log: _Log, before: GroupReading | None) -> dict[TopicPartition, Letters]:
        known = before.letters if before is not None else {}
        places = log.of([group.dead_letters])
        begins = {tp: letters_start(known.get(tp), log.starts[tp], log.ends[tp]) for tp in places}
        fresh: dict[TopicPartition, Stretch] = await self._cluster.read(log.leaders, log.from_(begins), _LETTERS)
        return {tp: letters(known.get(tp), log.starts[tp], fresh[tp]) for tp in places}

    async def _log(self, names: Collection[str]) -> _Log:
        leaders = await self._cluster.leaders(names)
        starts, ends = await asyncio.gather(self._cluster.offsets(leaders, START), self._cluster.offsets(leaders, END))
        return _Log(leaders, starts, ends)

    def _needs(self) -> Needs:
        groups = self._topology.groups.values()
        return {topic: ("Read",) for group in groups for topic in (*_read_topics(group), group.dead_letters)}

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        deadline_s, brokers = time.monotonic() + _WITHIN_S, self._connection.brokers
        while True:
            try:
                async with asyncio.timeout(_WITHIN_S):
                    return await read()
            except (KafkaError, OSError, TimeoutError) as problem:
                away = isinstance(problem, OSError | OffsetOutOfRangeError) or getattr(problem, "retriable", False)
                if refused := refusal(problem, self._connection, self._needs()):
                    raise refused from problem
                if not away:
                    raise BrokerError(
                        f"{brokers} does not say how the groups are: {type(problem).__name__}: {problem}; "
                        "see that we may describe its groups and read its topics"
                    ) from problem
                if time.monotonic() > deadline_s:
                    raise BrokerError(
                        f"{brokers} gave no answer for {_WITHIN_S:.0f} s ({type(problem).__name__}); see that "
                        "the broker is well"
                    ) from problem
            await asyncio.sleep(_AGAIN_S)


def _read_topics(group: Group) -> tuple[str, ...]:
    """What a group commits offsets of."""
    return (*group.inputs, *([group.retries] if group.runtime == "worker" else []))


def _finished(
    group: Group, before: GroupReading, lags: Iterable[LaneLag], starts: Mapping[TopicPartition, int]
) -> dict[TopicPartition, tuple[int, int]]:
    """Between which offsets the group has come on since, on the lanes of its inputs."""
    was = {TopicPartition(lag.topic, lag.lane): lag.committed for lag in before.lags}
    found: dict[TopicPartition, tuple[int, int]] = {}
    for lag in lags:
        tp = TopicPartition(lag.topic, lag.lane)
        if lag.topic in group.inputs and lag.committed is not None and tp in was:
            begin = next_offset(was[tp], starts[tp])
            if lag.committed > begin:
                found[tp] = (begin, lag.committed)
    return found
