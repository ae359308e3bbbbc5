"""A plan carried out on a real broker. Names are unique per test: the broker is shared."""

import asyncio
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from callbus.check import check_broker
from callbus.errors import BrokerError, PlanRefused
from callbus.kafka import Connection
from callbus.release import release
from callbus.topics import apply, connected, plan, read
from callbus.topology import Topology, load

pytestmark = pytest.mark.broker

SMALL = """
lanes: {lanes}
topics:
  {p}-calls: {{schema: Call, retention: {retention}}}
  {p}-insights: {{schema: Insight, {kept}, public: true}}
producers:
  door: {{outputs: [{p}-calls]}}
groups:
  {g}: {{inputs: [{p}-calls], outputs: [{p}-insights], state: Memory}}
"""


class Graph:
    """A small topology with names of its own, to be written again with other numbers."""

    def __init__(self, folder: Path) -> None:
        self.prefix = f"t{uuid.uuid4().hex[:8]}"
        self._folder = folder
        for name in ("Call", "Insight", "Memory", "DeadLetter"):
            (folder / f"{name}.avsc").write_text(f'{{"type": "record", "name": "{name}", "fields": []}}')

    @property
    def calls(self) -> str:
        return f"{self.prefix}-calls"

    def load(self, lanes: int = 2, retention: str = "7d", kept: str = "compacted: true") -> Topology:
        path = self._folder / "topology.yaml"
        path.write_text(SMALL.format(p=self.prefix, g=self.prefix, lanes=lanes, retention=retention, kept=kept))
        return load(path, avro=self._folder)


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    return Graph(tmp_path)


async def carry_out(admin: AIOKafkaAdminClient, topology: Topology) -> None:
    await apply(admin, plan(topology, await read(admin)))
    deadline = time.monotonic() + 10  # a change may reach the broker that is asked a moment later
    while not plan(topology, await read(admin)).empty:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_topics_are_created_and_then_there_is_nothing_to_do(broker: str, graph: Graph) -> None:
    """Declared, dead letters and progress stand on the broker with the graph's lanes and settings."""
    topology = graph.load()
    async with connected(Connection(broker)) as admin:
        await carry_out(admin, topology)
        state = await read(admin)
    for topic in topology.all_topics():
        assert state.topics[topic.name].lanes == 2
        assert topic.config().items() <= state.topics[topic.name].overrides.items()
    assert f"{graph.prefix}-progress" in state.topics
    assert f"{graph.prefix}-dead-letters" in state.topics


async def test_growing_lanes_keeps_every_event_where_it_was(broker: str, graph: Graph) -> None:
    """2 → 5 lanes for all topics at once; an event published before stays on its lane at its offset."""
    async with connected(Connection(broker)) as admin:
        await carry_out(admin, graph.load(lanes=2))
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            sent = await producer.send_and_wait(graph.calls, b"event", key=b"call", partition=1)
        wider = graph.load(lanes=5)
        await carry_out(admin, wider)
        state = await read(admin)
    assert {state.topics[topic.name].lanes for topic in wider.all_topics()} == {5}
    lane = TopicPartition(graph.calls, 1)
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        consumer.assign([lane])
        consumer.seek(lane, sent.offset)
        record = await asyncio.wait_for(consumer.getone(), 10)
    assert record.value == b"event"


async def test_a_growth_that_was_broken_off_goes_on(broker: str, graph: Graph) -> None:
    """Each step stands on the broker when the next one begins: the door's topic comes last, and the rest is a plan."""
    async with connected(Connection(broker)) as admin:
        await carry_out(admin, graph.load(lanes=2))
        wider = graph.load(lanes=5)
        whole = plan(wider, await read(admin))
        assert whole.grow[-1].topic == graph.calls
        await apply(admin, replace(whole, grow=tuple(grow for grow in whole.grow if grow.topic != graph.calls)))
        state = await read(admin)
        assert {name for name, topic in state.topics.items() if topic.lanes == 2 and graph.prefix in name} == {
            graph.calls
        }
        rest = plan(wider, state)
        assert [grow.topic for grow in rest.grow] == [graph.calls]
        await carry_out(admin, wider)


async def test_a_change_keeps_what_the_operator_set(broker: str, graph: Graph) -> None:
    """Longer retention is applied; a setting that is not ours stays."""
    async with connected(Connection(broker)) as admin:
        first = graph.load(retention="7d")
        made = plan(first, await read(admin))
        made = replace(
            made, create=tuple(replace(c, config={**c.config, "compression.type": "lz4"}) for c in made.create)
        )
        await apply(admin, made)
        await carry_out(admin, graph.load(retention="14d"))
        overrides = (await read(admin)).topics[graph.calls].overrides
    assert overrides["retention.ms"] == str(14 * 86_400_000)
    assert overrides["compression.type"] == "lz4"


async def test_a_refused_plan_changes_nothing(broker: str, graph: Graph) -> None:
    """One topic that would lose data stops the whole plan, the harmless parts too."""
    async with connected(Connection(broker)) as admin:
        await carry_out(admin, graph.load(lanes=2, retention="7d"))
        wider = graph.load(lanes=4, retention="1d")
        made = plan(wider, await read(admin))
        assert len(made.grow) == len(wider.all_topics())
        with pytest.raises(PlanRefused, match=f"{graph.calls}: retention 7d → 1d"):
            await apply(admin, made)
        state = await read(admin)
    assert state.topics[graph.calls].lanes == 2
    assert state.topics[graph.calls].config["retention.ms"] == str(7 * 86_400_000)


async def test_shrinking_and_uncompacting_are_refused(broker: str, graph: Graph) -> None:
    """Fewer lanes for every topic and a compacted topic made to forget: each is named."""
    async with connected(Connection(broker)) as admin:
        await carry_out(admin, graph.load(lanes=3))
        fewer = graph.load(lanes=2, kept="retention: 7d")
        made = plan(fewer, await read(admin))
    reasons = [refusal.reason for refusal in made.refused]
    assert sum("can't take lanes away" in reason for reason in reasons) == len(fewer.all_topics())
    assert sum("cleanup.policy compact → delete" in reason for reason in reasons) == 1


async def test_foreign_topics_are_left_alone(broker: str, graph: Graph) -> None:
    """Applying another graph lists this one's topics as unmanaged and changes none of them."""
    other = Graph(graph._folder)
    async with connected(Connection(broker)) as admin:
        await carry_out(admin, other.load())
        before = (await read(admin)).topics[other.calls]
        topology = graph.load()
        assert other.calls in plan(topology, await read(admin)).unmanaged
        await carry_out(admin, topology)
        assert (await read(admin)).topics[other.calls] == before


async def test_topics_made_meanwhile_are_said(broker: str, graph: Graph) -> None:
    """Two people apply the same plan: the second is told which topics exist already."""
    async with connected(Connection(broker)) as admin:
        made = plan(graph.load(), await read(admin))
        await apply(admin, made)
        with pytest.raises(BrokerError, match=f"{graph.calls}: .*already exists"):
            await apply(admin, made)


async def test_a_broker_that_is_away_is_said(graph: Graph) -> None:
    """The address and what to do, not a trace."""
    with pytest.raises(BrokerError, match=r"no Kafka broker answers at 127.0.0.1:1 .*callbus broker start"):
        async with connected(Connection("127.0.0.1:1")):
            pass


async def test_the_broker_says_its_release_and_check_compares_its_topics(broker: str, graph: Graph) -> None:
    """The release is told from the supported metadata.version; missing topics are a warning of `check`."""
    async with connected(Connection(broker)) as admin:
        assert (await release(admin) or "0").startswith(("3.", "4."))
        topology = graph.load()
        findings = await check_broker(topology, Connection(broker))
        assert any("callbus topics plan" in finding.message for finding in findings)
        await carry_out(admin, topology)
        findings = await check_broker(topology, Connection(broker))
        assert not any("callbus topics plan" in finding.message for finding in findings)


async def test_check_asks_for_how_long_offsets_are_kept(broker: str, graph: Graph) -> None:
    """Longer than any input, or a group that stands still begins anew. The embedded broker keeps them for 400 days."""
    findings = await check_broker(graph.load(retention="400d"), Connection(broker))
    assert not any("offsets.retention.minutes" in finding.message for finding in findings)
    findings = await check_broker(graph.load(retention="401d"), Connection(broker))
    [said] = [finding.message for finding in findings if "offsets.retention.minutes" in finding.message]
    assert "offsets.retention.minutes=576000" in said and "set it to 577440" in said
