"""`callbus.groups` on a real broker: what Kafka tells of a group is what the group does."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition

from callbus import groups, topics
from callbus.dead_letters.ledger import Letter, settlement_record
from callbus.dead_letters.letters import dead_letter
from callbus.errors import BrokerError, TopologyError
from callbus.groups import GroupReader, GroupReading, LaneLag
from callbus.kafka import Connection
from callbus.topology import Group, Topic, Topology
from callbus.worker.assignor import LaneAssignor
from callbus.worker.records import Headers, Input
from callbus.worker.retry_log import Entry, entry_record, settled_record
from tests.integration.applied import applied

pytestmark = pytest.mark.broker

LANES = 4
WITHIN_S = 20.0


class Reluctant(ConsumerRebalanceListener):  # type: ignore[misc]
    """Lets its lanes go only when it may: the group is rebalancing until then."""

    def __init__(self, may: asyncio.Event) -> None:
        self._may = may

    async def on_partitions_revoked(self, revoked: Any) -> None:
        if revoked:
            await self._may.wait()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Nothing to do."""


class Graph:
    """One group with two inputs, with names of its own, on four lanes; and what happens to it."""

    def __init__(self, broker: str, open_until: AsyncExitStack) -> None:
        name = uuid.uuid4().hex[:8]
        self.connection = Connection(broker)
        self.group = Group(name=f"qa-{name}", inputs=(f"live-{name}", f"backlog-{name}"))
        self.live, self.backlog = self.group.inputs
        self.topology = Topology(
            path=Path("topology.yaml"),
            root=Path(),
            lanes=LANES,
            topics={
                topic: Topic(name=topic, schema="Utterance", partitions=LANES, retention_ms=3_600_000)
                for topic in self.group.inputs
            },
            groups={self.group.name: self.group},
            producers={},
            models={},
            lines={(): 1},
        )
        self.reader: GroupReader
        self.producer: AIOKafkaProducer
        self.may_rejoin = asyncio.Event()
        self.may_rejoin.set()
        self._open_until = open_until

    async def open(self) -> None:
        enter = self._open_until.enter_async_context
        await applied(self.connection, self.topology)
        self.reader = await enter(groups.reader(self.connection, self.topology))
        self.producer = await enter(AIOKafkaProducer(**self.connection.client()))

    async def publish(self, topic: str, lane: int, count: int = 1, age_s: float = 0.0, size_bytes: int = 4) -> None:
        at_ms = round((time.time() - age_s) * 1000)
        for _ in range(count):
            await self.producer.send_and_wait(topic, bytes(size_bytes), b"call", partition=lane, timestamp_ms=at_ms)

    async def record(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> int:
        """A record on lane 0; the offset it got."""
        sent = await self.producer.send_and_wait(topic, value, key, partition=0, headers=list(headers))
        offset: int = sent.offset
        return offset

    async def transact(self, topic: str, lane: int, count: int, *, size_bytes: int = 4, abort: bool = False) -> None:
        """Each event in a transaction of its own, as an idle worker writes."""
        settings = self.connection.client()
        async with AIOKafkaProducer(**settings, transactional_id=uuid.uuid4().hex) as producer:
            for _ in range(count):
                await producer.begin_transaction()
                await producer.send_and_wait(topic, bytes(size_bytes), b"call", partition=lane)
                await (producer.abort_transaction() if abort else producer.commit_transaction())

    async def join(self, member: str) -> AIOKafkaConsumer:
        """A member that polls nothing and commits what a test says."""
        consumer = AIOKafkaConsumer(
            **self.connection.client(),
            group_id=self.group.name,
            group_instance_id=member,
            partition_assignment_strategy=[LaneAssignor(member)],
            enable_auto_commit=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=200,
            retry_backoff_ms=20,
        )
        consumer.subscribe(self.group.inputs, listener=Reluctant(self.may_rejoin))
        self._open_until.push_async_callback(consumer.stop)
        await consumer.start()
        return consumer

    async def commit(self, offsets: dict[tuple[str, int], int], topic: str = "") -> None:
        """From outside of the group, which is empty then."""
        consumer = AIOKafkaConsumer(
            **self.connection.client(), group_id=self.group.name, enable_auto_commit=False, retry_backoff_ms=20
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(*place) for place in offsets])
            await consumer.commit({TopicPartition(*place): offset for place, offset in offsets.items()})
        finally:
            await consumer.stop()

    async def read(self, before: GroupReading | None = None) -> GroupReading:
        name = self.group.name
        return (await self.reader.read([name], {name: before} if before else None))[name]

    async def lag(self, topic: str, lane: int) -> LaneLag:
        (its,) = (await self.reader.lags([self.group.name])).values()
        (one,) = [lag for lag in its.lanes if (lag.topic, lag.lane) == (topic, lane)]
        return one

    async def until(self, true: Callable[[GroupReading], bool]) -> GroupReading:
        async with asyncio.timeout(WITHIN_S):
            while not true(reading := await self.read()):
                await asyncio.sleep(0.05)
            return reading


@pytest.fixture
async def graph(broker: str) -> AsyncIterator[Graph]:
    async with AsyncExitStack() as open_until:
        graph = Graph(broker, open_until)
        await graph.open()
        yield graph


def lanes_of(reading: GroupReading) -> dict[str, tuple[int, ...]]:
    return {member.name: member.lanes for member in reading.membership.members}


async def test_a_group_that_never_ran_has_no_members_yet(graph: Graph) -> None:
    """No error: it is behind by all there is, and no lane of it is read."""
    await graph.publish(graph.live, 1, count=3, age_s=60)
    reading = await graph.read()
    assert (reading.membership.state, reading.membership.members) == ("dead", ())
    assert (reading.lanes, reading.unowned) == (LANES, (0, 1, 2, 3))
    assert (reading.events, reading.waiting, reading.dead) == (3, 0, 0)
    assert 60 <= reading.seconds < 90
    assert (await graph.lag(graph.live, 1)).committed is None


async def test_members_come_and_go(graph: Graph) -> None:
    """Static names and hosts; who reads which lane; and when all are gone, nobody reads any."""
    one = await graph.join("gpu-1")
    alone = await graph.until(lambda reading: reading.membership.state == "stable")
    assert lanes_of(alone) == {"gpu-1": (0, 1, 2, 3)}
    assert [member.static for member in alone.membership.members] == [True]
    assert alone.membership.members[0].host

    graph.may_rejoin.clear()
    joining = asyncio.create_task(graph.join("gpu-2"))
    between = await graph.until(lambda reading: reading.membership.state == "rebalancing")
    assert between.unowned == ()
    graph.may_rejoin.set()
    two = await joining
    both = await graph.until(lambda reading: reading.membership.state == "stable")
    assert lanes_of(both) == {"gpu-1": (0, 1), "gpu-2": (2, 3)}
    assert both.unowned == ()

    await one.stop()
    await two.stop()
    gone = await graph.until(lambda reading: reading.membership.state == "empty")  # once the session is over
    assert gone.unowned == (0, 1, 2, 3)


async def test_lag_before_and_after_a_commit(graph: Graph) -> None:
    """Events and seconds of exactly what is not committed; all inputs add up, the oldest counts."""
    await graph.publish(graph.live, 0, count=2, age_s=30)
    await graph.publish(graph.live, 0, count=3, age_s=10)
    await graph.publish(graph.backlog, 2, age_s=20)
    before = await graph.read()
    assert before.events == 6
    assert 30 <= before.seconds < 50

    await graph.commit({(graph.live, 0): 2})
    lag = await graph.lag(graph.live, 0)
    assert (lag.committed, lag.end, lag.events) == (2, 5, 3)
    assert 10 <= lag.seconds < 25

    await graph.commit({(graph.live, 0): 5, (graph.backlog, 2): 1})
    after = await graph.read()
    assert (after.events, after.seconds) == (0, 0.0)


async def test_markers_are_no_lag(graph: Graph) -> None:
    """Committed behind the last event, with its transaction's marker and an aborted one still ahead."""
    await graph.transact(graph.live, 0, 3)
    await graph.transact(graph.live, 0, 2, abort=True)
    lag = await graph.lag(graph.live, 0)
    assert (lag.end, lag.events) == (10, 3)
    await graph.commit({(graph.live, 0): 5})  # the third event stands at 4
    lag = await graph.lag(graph.live, 0)
    assert (lag.committed, lag.end, lag.events, lag.seconds) == (5, 10, 0, 0.0)


async def test_what_is_in_an_open_transaction_is_no_lag_yet(graph: Graph) -> None:
    """Nobody may read it, so nobody is late with it."""
    settings = graph.connection.client()
    async with AIOKafkaProducer(**settings, transactional_id=uuid.uuid4().hex) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(graph.live, b"said", b"call", partition=3)
        assert (await graph.lag(graph.live, 3)).events == 0
        await producer.commit_transaction()
    assert (await graph.lag(graph.live, 3)).events == 1


async def test_a_large_lag_is_as_good_as_exact(graph: Graph) -> None:
    """More than is looked at: every second offset is a marker, and the rest is taken to be like that too."""
    await graph.transact(graph.live, 0, 100, size_bytes=1_000)
    lag = await graph.lag(graph.live, 0)
    assert lag.end == 200
    assert lag.events == pytest.approx(100, abs=5)


async def test_events_larger_than_a_glance_have_their_age(graph: Graph) -> None:
    """The first record of every lane is found, however large the records are."""
    for lane in range(LANES):
        await graph.publish(graph.live, lane, count=2, age_s=10 + lane, size_bytes=200_000)
    (lags,) = (await graph.reader.lags([graph.group.name])).values()
    found = {lag.lane: lag for lag in lags.lanes if lag.topic == graph.live}
    assert [lag.events for lag in found.values()] == [2] * LANES
    assert all(10 + lane <= found[lane].seconds < 30 + lane for lane in range(LANES))


async def test_progress_is_counted_in_events(graph: Graph) -> None:
    """Between two readings, without the markers, and over more than two."""
    await graph.transact(graph.live, 0, 10)
    await graph.publish(graph.backlog, 1, count=4)
    first = await graph.read()
    await graph.commit({(graph.live, 0): 12})
    second = await graph.read(first)
    await graph.commit({(graph.live, 0): 20, (graph.backlog, 1): 4})
    third = await graph.read(second)
    assert (first.done, second.done, third.done) == (0, 6, 14)
    assert groups.rates(first, third).done == pytest.approx(14 / (third.at_s - first.at_s))


async def test_a_lane_that_was_set_back_is_no_progress(graph: Graph) -> None:
    """Somebody reset the offsets: the lag is there again, and the rate is not negative."""
    await graph.publish(graph.live, 0, count=4)
    await graph.commit({(graph.live, 0): 4})
    before = await graph.read()
    await graph.commit({(graph.live, 0): 1})
    after = await graph.read(before)
    assert (after.done, after.events) == (0, 3)


async def test_what_waits_counts_until_it_is_settled(graph: Graph) -> None:
    """Entries of the retry topic, with the age of the oldest; settled ones don't, though nothing was committed."""
    entries = [Entry(f"{graph.live}:{n}", Input(graph.live, 0, n, b"call", b"said", (), 0)) for n in range(3)]
    for one in entries:
        out = entry_record(graph.group.retries, one)
        await graph.record(out.topic, out.key, out.value, out.headers)
    waiting = await graph.read()
    assert (waiting.waiting, waiting.events) == (3, 3)
    assert 0 < waiting.seconds < WITHIN_S
    for one in entries:
        out = settled_record(graph.group.retries, one)
        await graph.record(out.topic, out.key, out.value, out.headers)
    settled = await graph.read()
    assert (settled.waiting, settled.events, settled.seconds) == (0, 0, 0.0)


async def test_dead_letters_count_until_they_are_settled(graph: Graph) -> None:
    """Letters are counted across readings, and what was sent back or dropped is none any more."""
    said = dead_letter(
        group=graph.group.name,
        topic=graph.live,
        lane=0,
        offset=1,
        timestamp_ms=0,
        key=b"call",
        value=b"said",
        headers=(),
        problem=ValueError(),
    )
    await graph.record(graph.group.dead_letters, b"call", b"a letter", ())
    first = await graph.read()
    offset = await graph.record(graph.group.dead_letters, b"call", b"another", ())
    second = await graph.read(first)
    letter = Letter(lane=0, offset=offset, said=said, size_bytes=4)
    out = settlement_record(graph.group.dead_letters, letter, "dropped", 0, "somebody")
    await graph.record(out.topic, out.key, out.value, out.headers)
    third = await graph.read(second)
    assert [reading.dead for reading in (first, second, third, await graph.read())] == [1, 2, 1, 1]
    assert [reading.given_up for reading in (first, second, third)] == [0, 1, 1]


async def test_a_missing_topic_says_what_to_do(graph: Graph) -> None:
    """As everywhere: apply the topics."""
    async with topics.connected(graph.connection) as admin:
        await admin.delete_topics([graph.backlog])
        async with asyncio.timeout(WITHIN_S):
            while graph.backlog in await admin.list_topics():
                await asyncio.sleep(0.05)
    with pytest.raises(BrokerError, match=f"no topic {graph.backlog}; run `callbus topics apply`"):
        await graph.read()


async def test_a_group_that_is_not_in_the_graph(graph: Graph) -> None:
    """Is a mistake of who asks, even if Kafka knows a group of that name."""
    with pytest.raises(TopologyError, match="no group nobody"):
        await graph.reader.lags(["nobody"])
