"""The insights group on a real broker: what it reads, what it writes, and what survives. Names are unique per test."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from callbus.codec import Codec
from callbus.errors import BrokerError, CodecError
from callbus.topics import connected
from callbus.topology import derived_topics
from consumers.insights import runner
from schemas.records import CallInsight, DeadLetter
from tests.integration.joining import LANES, PATIENCE_S, WHOLE_STREAMS, Graph, complete, graph, shared
from tests.unit.test_insights import judged, life, said, stages
from tests.until import until

__all__ = ["graph"]

pytestmark = pytest.mark.broker


def _all_told(insights: list[CallInsight]) -> bool:
    """Complete, and alerts too, which is not waited for."""
    return complete(insights) and set(stages(insights[-1]).values()) == {"complete"}


async def test_a_call_becomes_one_insight(graph: Graph) -> None:
    """Events of the four topics come out as revisions of one insight, on the lane they came in on."""
    async with graph.running():
        await graph.send_call(lane=2)
        found = await graph.read("call-insights", _all_told)
    assert {lane for lane, _ in found} == {2}
    revisions = [insight.revision for _, insight in found]
    assert revisions == sorted(set(revisions))
    ids = [insight.event_id for _, insight in found]
    assert [insight.previous_id for _, insight in found] == ["", *ids[:-1]]


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
    events = len(calls) * sum(len(stream) for stream in WHOLE_STREAMS)
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
            await until(lambda: shared(LANES, first, second))
            await everywhere(2)
        await until(lambda: shared(LANES, first))
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
                await until(lambda known=known: len(calls) >= known + 10)  # type: ignore[misc]
        moved.set()
        await pouring
        found = await graph.insights(lambda insights: len({i.call_id for i in insights if i.complete}) == len(calls))
    last = {insight.call_id: insight for insight in found}
    assert all(insight.complete and insight.turns == 2 for insight in last.values())


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


async def test_the_changelog_is_the_one_in_the_graph(graph: Graph) -> None:
    """Faust derives the name of its changelog; the graph, which creates it, derives the same."""
    app = runner(graph.topology, graph.group, graph.codec, graph.connection)._app
    derived = {topic.name for topic in derived_topics(graph.group, LANES)}
    assert app.tables.changelog_topics == {f"{graph.group.name}-calls-changelog"} <= derived
