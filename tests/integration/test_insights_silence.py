"""Calls that nobody else ends, on a real broker: the insights group gives up on them, and takes it back."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from callbus.clock import now_ms
from consumers.insights.app import Insights
from consumers.insights.open_calls import OpenCalls
from schemas.records import CallEvent, CallInsight
from tests.integration.joining import LANES, PATIENCE_S, Graph, graph, shared
from tests.integration.visible import visible
from tests.unit.test_insights import life, said
from tests.until import until

__all__ = ["graph"]

pytestmark = pytest.mark.broker

IDLE_MS = 700


def patient(graph: Graph, idle_ms: int = IDLE_MS) -> Graph:
    """The same graph with a group that gives up so soon."""
    return replace(graph, group=replace(graph.group, idle_after_ms=idle_ms))


async def words(graph: Graph) -> list[tuple[int, CallEvent]]:
    """What stands on the topic of the call events by now, with its lane, but for what the doors said."""
    topic = graph.name("call-events")
    found = await visible(graph.connection, topic, LANES)
    told = [(record.partition, graph.codec.decode(topic, record.value)) for record in found]
    return [(lane, event) for lane, event in told if event.type in ("interrupted", "reopened")]


def newest(enough: Callable[[CallInsight], bool]) -> Callable[[list[CallInsight]], bool]:
    return lambda insights: bool(insights) and enough(insights[-1])


async def test_a_call_of_which_only_its_start_came_is_given_up(graph: Graph) -> None:
    """After `idle_after` its insight is interrupted and complete, and its call events say so, on its lane."""
    graph = patient(graph)
    began_ms = time.time() * 1000
    async with graph.running():
        await graph.send("call-events", life("started"), lane=2)
        [*_, found] = await graph.insights(newest(lambda insight: insight.interrupted))
        [(lane, word)] = await words(graph)
    assert found.complete
    assert found.ended_at_ms
    assert began_ms <= found.ended_at_ms <= time.time() * 1000 - IDLE_MS
    assert {stage.reason for stage in found.completeness} == {"nothing more came"}
    assert (lane, word.type, word.stage, word.call_id, word.at_ms) == (
        2,
        "interrupted",
        "insights",
        "call-1",
        found.ended_at_ms,
    )


async def test_what_comes_after_all_reopens_it(graph: Graph) -> None:
    """The insight is open again at once, and is given up once more when nothing follows."""
    graph = patient(graph)
    async with graph.running():
        await graph.send("call-events", life("started"))
        await graph.insights(newest(lambda insight: insight.interrupted))
        await graph.send("entities", said(1))
        found = await graph.insights(newest(lambda insight: insight.interrupted and insight.turns == 1))

        async def twice() -> bool:
            return len(await words(graph)) == 3

        await until(twice)
        last = await graph.insights(newest(lambda insight: insight.revision > found[-1].revision + 1))
        told = [word.type for _, word in await words(graph)]
    assert told == ["interrupted", "reopened", "interrupted"]
    assert any(not insight.interrupted and insight.ended_at_ms is None and insight.turns for insight in last)
    assert (last[-1].interrupted, last[-1].complete) == (True, True)


async def test_a_restart_forgets_no_open_call(graph: Graph) -> None:
    """Which calls are open is learnt from the table, with the time they were last heard of."""
    graph = patient(graph, 60_000)
    began_ms = time.time() * 1000
    async with graph.running(member="a"):
        await graph.send("call-events", life("started"))
        await graph.insights(bool)
    stopped_ms = time.time() * 1000
    graph = patient(graph, 300)
    async with graph.running(member="a"):
        [*_, found] = await graph.insights(newest(lambda insight: insight.interrupted))
    assert found.ended_at_ms
    assert began_ms <= found.ended_at_ms < stopped_ms


async def test_each_call_is_given_up_by_its_lanes_owner(graph: Graph) -> None:
    """Two members, and lanes that moved between them: every call gets one word, on its own lane."""
    graph = patient(graph, 3_000)
    calls = {f"call-{n}": n % LANES for n in range(9)}
    async with graph.running() as first:
        for call, lane in calls.items():
            await graph.send("call-events", replace(life("started"), call_id=call), lane=lane)
        async with graph.running() as second:
            await until(lambda: shared(LANES, first, second))
            await graph.insights(lambda found: {i.call_id for i in found if i.interrupted} == calls.keys())
            told = await words(graph)
    assert sorted((word.call_id, lane) for lane, word in told) == sorted(calls.items())


async def test_a_call_that_is_done_is_left_alone(graph: Graph) -> None:
    """Nothing is waited for there."""
    graph = patient(graph)
    async with graph.running():
        await graph.send_call("call-done", lane=1)
        await graph.send("call-events", life("started"), lane=1)
        await graph.insights(newest(lambda insight: insight.interrupted))
        assert {word.call_id for _, word in await words(graph)} == {"call-1"}


async def backlog(graph: Graph) -> list[str]:
    """A call that was heard of long ago, and whose next event waits behind many others. What it is told."""
    async with patient(graph, 60_000).running(member="a"):
        await graph.send("call-events", life("started"))
        await graph.insights(bool)
    silent_s = time.monotonic() + IDLE_MS / 1000
    topic = graph.name("entities")
    value = graph.codec.encode(topic, replace(said(0), call_id="call-2"))
    sent = [await graph.producer.send(topic, value, key=b"call-2", partition=1) for _ in range(3_000)]
    await asyncio.gather(*sent)
    await graph.send("entities", said(1))
    await asyncio.sleep(silent_s - time.monotonic())
    graph = patient(graph)
    async with graph.running(member="a"):
        await graph.insights(lambda found: any(i.turns == 1 and i.call_id == "call-1" for i in found))
        told = await words(graph)
    return [word.type for _, word in told if word.call_id == "call-1"]


async def test_a_call_is_not_silent_while_its_events_wait_to_be_read(graph: Graph) -> None:
    """After a long stand-still of this group the backlog is read first."""
    assert await backlog(graph) == []


async def test_a_call_is_not_silent_while_its_events_wait_in_the_group(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched is not taken in: on a busy machine some time lies between the two."""
    taking, go_on = asyncio.Event(), asyncio.Event()
    take = Insights._take

    async def held(insights: Insights, events: Sequence[Any]) -> None:
        taking.set()
        await go_on.wait()
        await take(insights, events)

    async with patient(graph, 60_000).running() as app:
        await graph.send("call-events", life("started"))
        monkeypatch.setattr(Insights, "_take", held)
        go_on.set()
        await graph.insights(bool)
        go_on.clear()
        taking.clear()
        await graph.send("entities", said(1))
        await taking.wait()
        await app._open._look(now_ms() + 1)
        assert await words(graph) == []
        go_on.set()
        await graph.insights(newest(lambda insight: insight.turns == 1))

        async def given_up() -> bool:
            await app._open._look(now_ms() + 1)
            return [word.type for _, word in await words(graph)] == ["interrupted"]

        await until(given_up)


async def test_it_needs_the_look_at_the_backlog(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the same call is told that it was interrupted."""

    async def every_lane(_: OpenCalls) -> set[int]:
        return set(range(LANES))

    monkeypatch.setattr(OpenCalls, "_read_up", every_lane)
    async with asyncio.timeout(4 * PATIENCE_S):
        assert "interrupted" in await backlog(graph)
