"""The insights group on a real broker: what it reads, what it writes, and what survives. Names are unique per test."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic
from faust.transport.drivers import aiokafka as stock

from callbus.codec import Codec
from callbus.errors import BrokerError, CodecError
from callbus.faust_host import HostedApp
from callbus.kafka import Connection
from callbus.topics import connected
from callbus.topology import Group, Topic, Topology, derived_topics, load
from consumers.insights import runner
from consumers.insights.join import Input
from schemas.records import CallInsight, DeadLetter
from tests.unit.test_insights import WHOLE_CALL, judged, life, said, stages

pytestmark = pytest.mark.broker

LANES = 3
PATIENCE_S = 20
STREAMS = ("call-events", "entities", "classifications", "qa-evaluations")


@dataclass(frozen=True)
class Graph:
    """The project's own graph under names of this test's own, on the broker."""

    connection: Connection
    topology: Topology
    group: Group
    codec: Codec
    topics: tuple[Topic, ...]
    producer: AIOKafkaProducer

    def name(self, topic: str) -> str:
        return f"{self.group.name}-{topic}"

    async def send(self, topic: str, event: Any, *, lane: int = 1, producer: AIOKafkaProducer | None = None) -> None:
        value = event if isinstance(event, bytes) else self.codec.encode(self.name(topic), event)
        key = b"call-1" if isinstance(event, bytes) else event.call_id.encode()
        await (producer or self.producer).send_and_wait(self.name(topic), value, key=key, partition=lane)

    async def send_call(self, call_id: str = "call-1", *, lane: int = 1) -> None:
        for topic, events in zip(STREAMS, WHOLE_CALL, strict=True):
            for event in events:
                await self.send(topic, replace(event, call_id=call_id), lane=lane)

    async def read(self, topic: str, enough: Callable[[list[Any]], bool]) -> list[tuple[int, Any]]:
        """Everything on an output topic with its lane, once `enough` of its records are there."""
        consumer = AIOKafkaConsumer(
            self.name(topic), **self.connection.client(), auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        await consumer.start()
        found: list[tuple[int, Any]] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not enough([record for _, record in found]):
                    message = await consumer.getone()
                    record = self.codec.decode(message.topic, message.value)
                    assert message.key.decode() == record.call_id
                    assert dict(message.headers)["ce_id"].decode() == record.event_id
                    found.append((message.partition, record))
        finally:
            await consumer.stop()
        return found

    async def insights(self, enough: Callable[[list[CallInsight]], bool]) -> list[CallInsight]:
        return [record for _, record in await self.read("call-insights", enough)]

    async def committed(self, topic: str, lane: int = 1) -> int | None:
        async with connected(self.connection) as admin:
            offsets = await admin.list_consumer_group_offsets(self.group.name)
        found = offsets.get(TopicPartition(self.name(topic), lane))
        return found.offset if found else None

    @asynccontextmanager
    async def running(self, codec: Codec | None = None, member: str | None = None) -> AsyncIterator[Any]:
        """The group, ready; stopped in good order at the end."""
        group = runner(self.topology, self.group, codec or self.codec, self.connection, member)
        run = asyncio.create_task(group.run())
        ready = asyncio.create_task(group.ready())
        await asyncio.wait([run, ready], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
        try:
            assert ready.done(), run.done() and run.exception()
            yield group
        finally:
            ready.cancel()
            group.stop()
            await asyncio.wait_for(run, PATIENCE_S)


@pytest.fixture
async def graph(broker: str) -> AsyncIterator[Graph]:
    connection = Connection(broker)
    real = load(Path(__file__).parents[2] / "topology.yaml")
    name = f"insights_{uuid.uuid4().hex[:8]}"

    def own(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}-{topic}" for topic in names)

    topics = {
        f"{name}-{topic.name}": replace(topic, name=f"{name}-{topic.name}", partitions=LANES)
        for topic in real.topics.values()
    }
    groups = {
        (name if group.name == "insights" else group.name): replace(
            group,
            name=name if group.name == "insights" else group.name,
            inputs=own(group.inputs),
            outputs=own(group.outputs),
        )
        for group in real.groups.values()
    }
    topology = replace(real, lanes=LANES, topics=topics, groups=groups)
    group = topology.group(name)
    needed = (*(topics[topic] for topic in (*group.inputs, *group.outputs)), *derived_topics(group, LANES))
    async with connected(connection) as admin:
        await admin.create_topics(
            [NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config()) for topic in needed]
        )

        async def there() -> bool:
            return {topic.name for topic in needed} <= set(await admin.list_topics())

        await until(there)
    codec = Codec({topic.name: topic.schema for topic in topology.all_topics() if topic.schema})
    producer = AIOKafkaProducer(**connection.client())
    await producer.start()
    yield Graph(connection, topology, group, codec, needed, producer)
    await producer.stop()
    async with connected(connection) as admin:
        await admin.delete_topics([topic.name for topic in needed])


def complete(insights: list[CallInsight]) -> bool:
    return bool(insights) and insights[-1].complete


async def until(condition: Callable[[], Any]) -> None:
    """Returns once the (awaitable) condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_a_call_becomes_one_insight(graph: Graph) -> None:
    """Events of the four topics come out as revisions of one insight, on the lane they came in on."""
    async with graph.running():
        await graph.send_call(lane=2)
        found = await graph.read("call-insights", complete)
    assert {lane for lane, _ in found} == {2}
    revisions = [insight.revision for _, insight in found]
    assert revisions == sorted(set(revisions))
    assert set(stages(found[-1][1]).values()) == {"complete"}


async def test_an_insight_is_live(graph: Graph) -> None:
    """An event shows in the insight a moment after it was published."""
    async with graph.running():
        await graph.send("call-events", life("started"))
        await graph.insights(lambda insights: len(insights) == 1)
        waited = []
        for n in range(10):
            published = time.monotonic()
            await graph.send("entities", said(n))
            await graph.insights(lambda insights, n=n: insights and insights[-1].turns == n + 1)  # type: ignore[misc]
            waited.append(time.monotonic() - published)
    print("latency, reader's start included, ms:", [round(s * 1000) for s in waited])
    assert sorted(waited)[5] < 1


async def test_a_burst_is_joined_in_few_publications(graph: Graph) -> None:
    """Many calls at once: every one gets complete, batches publish a call once, and no send is awaited alone."""
    calls = [f"call-{n}" for n in range(100)]
    for n, call in enumerate(calls):
        await graph.send_call(call, lane=n % LANES)
    begun = time.monotonic()
    async with graph.running():
        found = await graph.insights(lambda insights: len({i.call_id for i in insights if i.complete}) == len(calls))
    events = len(calls) * sum(len(stream) for stream in WHOLE_CALL)
    print(f"{events} events in {time.monotonic() - begun:.1f} s from start to stop, {len(found)} publications")
    assert all(insight.turns == 2 for insight in found if insight.complete)
    assert len(found) < events / 2


async def test_a_restart_goes_on_where_it_was(graph: Graph) -> None:
    """What was known of a call comes back from the changelog: the revision goes on, and nothing is published twice."""
    async with graph.running(member="a"):
        await graph.send("call-events", life("started"))
        await graph.send("entities", said(1))
        before = await graph.insights(lambda insights: bool(insights) and insights[-1].turns == 1)
    async with graph.running(member="a"):
        await graph.send("entities", said(1))
        await graph.send("entities", said(2))
        after = await graph.insights(lambda insights: bool(insights) and insights[-1].turns == 2)
    assert after[:-1] == before
    assert after[-1].revision == before[-1].revision + 1
    assert after[-1].started_at_ms == 1000


async def test_lanes_move_with_what_is_known(graph: Graph) -> None:
    """A second member takes lanes over with their calls' state, and gives them back when it leaves."""
    calls = {f"call-{lane}": lane for lane in range(LANES)}

    async def everywhere(turn: int) -> None:
        for call, lane in calls.items():
            await graph.send("entities", replace(said(turn), call_id=call), lane=lane)
        await graph.insights(lambda insights: {i.call_id for i in insights if i.turns == turn} == calls.keys())

    async with graph.running() as first:
        await everywhere(1)
        async with graph.running() as second:

            async def shared() -> bool:
                return sorted(first.lanes + second.lanes) == [0, 1, 2] and bool(first.lanes and second.lanes)

            await until(shared)
            await everywhere(2)

        async def back() -> bool:
            return bool(first.lanes == [0, 1, 2])

        await until(back)
        await everywhere(3)


@pytest.mark.slow
async def test_lanes_that_move_under_load_lose_nothing(graph: Graph) -> None:
    """While calls pour in, a member joins and leaves again and again: every call still ends complete, none short."""
    calls: list[str] = []
    moved = asyncio.Event()

    async def pour() -> None:
        while not moved.is_set():
            calls.append(f"call-{len(calls)}")
            await graph.send_call(calls[-1], lane=len(calls) % LANES)

    async with graph.running():
        pouring = asyncio.create_task(pour())
        for _ in range(6):
            async with graph.running():
                known = len(calls)
                await until(lambda known=known: more(calls, known + 10))  # type: ignore[misc]
        moved.set()
        await pouring
        found = await graph.insights(lambda insights: len({i.call_id for i in insights if i.complete}) == len(calls))
    last = {insight.call_id: insight for insight in found}
    assert all(insight.complete and insight.turns == 2 for insight in last.values())


async def more(calls: list[str], count: int) -> bool:
    return len(calls) >= count


async def test_an_unreadable_event_is_put_aside(graph: Graph) -> None:
    """Bytes that are not Avro become a dead letter, the call's insight says so, and everything else goes on."""
    async with graph.running():
        await graph.send("call-events", life("started"))
        await graph.send("classifications", b"not avro")
        letters = await graph.read("dead-letters", bool)
        found = await graph.insights(lambda insights: any(i.completeness[4].state == "failed" for i in insights))
        await graph.send("classifications", judged(1, complete=True))
        await graph.insights(lambda insights: any(i.completeness[4].state == "complete" for i in insights))
    (lane, letter) = letters[0]
    assert isinstance(letter, DeadLetter)
    assert (lane, letter.call_id, letter.value, letter.error) == (1, "call-1", b"not avro", "CodecError")
    assert "could not be read" in (found[-1].completeness[4].reason or "")


class Broken(Codec):
    """Writes no insight."""

    def encode(self, topic: str, record: Any) -> bytes:
        if isinstance(record, CallInsight):
            raise CodecError("broken on purpose")
        return super().encode(topic, record)


async def test_a_failure_stops_with_nothing_committed(graph: Graph) -> None:
    """When a batch cannot be published the group stops with that error; the inputs come again to the next one."""
    broken = Broken({topic.name: topic.schema for topic in graph.topics if topic.schema})
    await graph.send_call()
    with pytest.raises(CodecError, match="broken on purpose"):
        await asyncio.wait_for(runner(graph.topology, graph.group, broken, graph.connection).run(), PATIENCE_S)
    assert await graph.committed("call-events") is None
    async with graph.running():
        await graph.insights(complete)


async def test_a_missing_topic_is_said(graph: Graph) -> None:
    """Without its topics the group says which are missing and what to do, and does not wait for ever."""
    stranger = replace(graph.group, name=f"{graph.group.name}_new")
    with pytest.raises(BrokerError, match=f"no topic {stranger.name}-calls-changelog, .*: run `callbus topics apply`"):
        await runner(graph.topology, stranger, graph.codec, graph.connection).run()


async def test_it_creates_no_topic(graph: Graph) -> None:
    """Running leaves no topic behind that `callbus topics apply` did not make."""
    async with connected(graph.connection) as admin:
        before = set(await admin.list_topics())
        async with graph.running():
            await graph.send_call()
            await graph.insights(complete)
        mine = {topic for topic in await admin.list_topics() if topic.startswith(graph.group.name)}
    assert mine <= before


async def transaction(graph: Graph, *events: Input, commit: bool) -> None:
    producer = AIOKafkaProducer(**graph.connection.client(), transactional_id=f"t-{uuid.uuid4().hex}")
    await producer.start()
    await producer.begin_transaction()
    for event in events:
        await graph.send("entities", event, producer=producer)
    await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()


async def test_aborted_transactions_are_not_seen(graph: Graph) -> None:
    """Only committed utterances count, and offsets move past the aborted ones."""
    async with graph.running():
        await transaction(graph, said(0), commit=True)
        await transaction(graph, said(1), said(2), said(3), commit=False)
        await transaction(graph, said(4), commit=True)
        found = await graph.insights(lambda insights: bool(insights) and insights[-1].turns >= 2)

        async def committed() -> bool:
            return await graph.committed("entities") == 7  # 0, marker, 2-4 aborted, marker, 6

        await until(committed)
    assert found[-1].turns == 2
    assert "entities-4" in found[-1].provenance.origin_ids


class Stock(HostedApp):
    """The same app on the driver that Faust ships."""

    def _new_transport(self) -> Any:
        return stock.Transport(self.conf.broker_consumer, self)


@pytest.mark.parametrize(
    ("kind", "seen"), [(HostedApp, [b"entities-2"]), (Stock, [b"entities-1", b"entities-2"])], ids=["ours", "stock"]
)
async def test_the_driver_makes_the_difference(graph: Graph, kind: type[HostedApp], seen: list[bytes]) -> None:
    """Faust's own driver delivers the records of an aborted transaction, ours does not."""
    await transaction(graph, said(1), commit=False)
    await transaction(graph, said(2), commit=True)
    app = kind(group=f"{graph.group.name}-{kind.__name__}", lanes=LANES, connection=graph.connection)
    topic = app.topic(graph.name("entities"), key_type=bytes, value_type=bytes)
    found: list[bytes] = []
    last = asyncio.Event()

    async def collect(stream: Any) -> None:
        async for value in stream:
            found.append(graph.codec.decode(graph.name("entities"), value).event_id.encode())
            if found[-1] == b"entities-2":
                last.set()

    app.agent(topic, name="collect")(collect)
    assert isinstance(app, faust.App)
    stopping, app_topics = asyncio.Event(), [graph.name("entities")]
    run = asyncio.create_task(app.run(stopping, app_topics))
    await asyncio.wait_for(last.wait(), PATIENCE_S)
    stopping.set()
    await run
    assert found == seen


def test_the_changelog_is_the_one_in_the_graph() -> None:
    """Faust derives the name of its changelog; the graph, which creates it, derives the same."""
    real = load(Path(__file__).parents[2] / "topology.yaml")
    names: Mapping[str, Topic] = {topic.name: topic for topic in derived_topics(real.group("insights"), real.lanes)}
    assert "insights-calls-changelog" in names
