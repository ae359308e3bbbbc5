"""Doors and subscribers while lanes are added: which lanes they use, and what a door knows that is started again."""

import asyncio
import time
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer

from callbus import subscriber
from callbus.codec import codec_of
from callbus.errors import BrokerError
from callbus.lanes import CALL_EVENTS, LaneChooser
from callbus.publisher import Publisher
from callbus.recall import recall
from callbus.subscriber import subscribe
from schemas.records import CallEvent
from tests.integration.exchange import DEADLINE_S, told
from tests.integration.growing import FEW, LOOK_S, MANY, Graph, grown
from tests.until import until

pytestmark = pytest.mark.broker

DAY_S = 24 * 3600.0

__all__ = ["grown"]


async def test_a_door_recalls_its_own_calls_that_run(grown: Graph) -> None:
    """Not those that ended, nor another door's, nor those of long ago; nor what is no event."""
    topology = grown.load(FEW)
    codec, door = codec_of(topology), topology.producers["door"]
    days_ago_ms = time.time_ns() // 1_000_000 - 3 * 86_400_000
    async with Publisher(grown.connection, codec, door) as mine:
        await mine.publish(CALL_EVENTS, told("long-ago", "started", days_ago_ms))
        for call_id in ("runs", "ended", "held"):
            await mine.publish(CALL_EVENTS, told(call_id, "started"))
        await mine.publish(CALL_EVENTS, told("held", "held"))
        await mine.publish(CALL_EVENTS, told("ended", "ended"))
    async with Publisher(grown.connection, codec, replace(door, name="other")) as other:
        await other.publish(CALL_EVENTS, told("others", "started"))
    async with AIOKafkaProducer(**grown.connection.client()) as stranger:
        await stranger.send_and_wait(CALL_EVENTS, b"junk", key=b"junk", partition=0)
    found = await recall(grown.connection, codec, "door", FEW, DAY_S, FEW)
    assert found == {call_id: LaneChooser(FEW).lane(call_id) for call_id in ("runs", "held")}


async def test_a_door_reads_nothing_when_lanes_are_old(grown: Graph) -> None:
    """An event on the newest lane that is older than any call it could ask for: all of those know all lanes."""
    topology = grown.load(FEW)
    codec = codec_of(topology)
    days_ago_ms = time.time_ns() // 1_000_000 - 3 * 86_400_000
    async with AIOKafkaProducer(**grown.connection.client()) as producer:

        async def put(event: CallEvent, lane: int) -> None:
            value, headers = codec.encode(CALL_EVENTS, event), [("ce_source", b"callbus/door")]
            sent = {"key": event.call_id.encode(), "headers": headers, "timestamp_ms": event.at_ms}
            await producer.send_and_wait(CALL_EVENTS, value, partition=lane, **sent)

        await put(told("new", "started"), 0)
        assert await recall(grown.connection, codec, "door", FEW, DAY_S, FEW) == {"new": 0}
        await put(told("old", "started", days_ago_ms), FEW - 1)
        assert await recall(grown.connection, codec, "door", FEW, DAY_S, FEW) == {}
        await put(told("newer", "started"), FEW - 1)
        assert await recall(grown.connection, codec, "door", FEW, DAY_S, FEW) == {}


async def test_a_door_without_its_topics_says_so(grown: Graph) -> None:
    """The name and what to do; it does not wait for ever."""
    door = replace(grown.load(FEW).producers["door"], outputs=("said", "unsaid"))
    with pytest.raises(BrokerError, match=r"has no topic unsaid; run `callbus topics apply`"):
        async with Publisher(grown.connection, codec_of(grown.load(FEW)), door):
            pass


async def test_a_subscriber_sees_new_lanes(grown: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on means from the beginning of a lane that is added later; each event is seen once."""
    monkeypatch.setattr(subscriber, "LANES_SEEN_WITHIN_MS", 200)
    topology = grown.load(FEW)
    codec, door = codec_of(topology), topology.producers["door"]
    seen: list[tuple[int, str]] = []
    async with (
        subscribe(grown.connection, codec, [CALL_EVENTS]) as events,
        Publisher(grown.connection, codec, door, LOOK_S) as mine,
    ):
        for n in range(20):
            await mine.publish(CALL_EVENTS, told(f"before-{n}", "started"))
        while len(seen) < 10:
            seen += [(one.lane, one.call_id) for one in await events.next()]
        await grown.apply(MANY)
        await until(lambda: mine.lanes == MANY)
        for n in range(20):
            await mine.publish(CALL_EVENTS, told(f"after-{n}", "started"))
        async with asyncio.timeout(DEADLINE_S):
            while len(seen) < 40:
                seen += [(one.lane, one.call_id) for one in await events.next()]
    assert sorted(call_id for _, call_id in seen) == sorted(
        f"{when}-{n}" for when in ("before", "after") for n in range(20)
    )
    assert {lane for lane, _ in seen} == set(range(MANY))


async def test_a_lane_that_is_not_there_yet_is_empty(grown: Graph) -> None:
    """topology.yaml may name more lanes than the broker has: what is on those is nothing."""
    codec = codec_of(grown.load(MANY))
    async with subscribe(grown.connection, codec, [CALL_EVENTS], "beginning", lanes=[MANY - 1]) as events:
        assert [received async for received in events.until_end()] == []
