"""Three brokers, everything on all of them: one dies by kill -9 under load and comes back, then another one dies."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from callbus.codec import Codec, codec_of
from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.subscriber import subscribe
from callbus.topics import connected
from tests.brokers import three_brokers
from tests.chaos.checker import check
from tests.chaos.graph import PURE
from tests.integration.exchange import Exchange, everything, working
from tests.integration.growing import Graph
from tests.until import until

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.alone]

LANES = 3
GROUP, TRANSACTIONAL_ID = "count", "count-0"
LONGEST_PUBLISH_S = 15.0
ENOUGH = 200  # outputs after a death: the graph is at work again


class Watched:
    """A door that measures how long its publishing takes. What it can't publish fails the test."""

    def __init__(self, door: Publisher) -> None:
        self.longest_s = 0.0
        self._door = door

    async def publish(self, topic: str, record: Any) -> None:
        began_s = time.monotonic()
        await self._door.publish(topic, record)
        self.longest_s = max(self.longest_s, time.monotonic() - began_s)


@asynccontextmanager
async def outputs(connection: Connection, codec: Codec) -> AsyncIterator[list[float]]:
    """When each output of the last group was seen."""
    seen_s: list[float] = []

    async def watch() -> None:
        while True:
            received = await events.next()
            seen_s.extend([time.monotonic()] * len(received))

    async with subscribe(connection, codec, ["finished"]) as events:
        task = asyncio.create_task(watch())
        try:
            yield seen_s
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_brokers_die_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """First the coordinator of a group, which comes back; then that of its transactions, which doesn't.

    The door publishes all along. What every group made of it is what a replay from scratch makes, once and in order.
    """
    with three_brokers(tmp_path / "kafka") as cluster:
        connection = Connection(cluster.bootstrap_servers)
        own = Graph(connection, tmp_path / "graph")
        await own.apply(LANES)
        topology = own.load(LANES)
        codec, exchange = codec_of(topology), Exchange()
        async with (
            working(topology, connection, members=1),
            outputs(connection, codec) as seen_s,
            Publisher(connection, codec, topology.producers["door"]) as publisher,
        ):
            door = Watched(publisher)
            await exchange.begin(door, "call", 12)
            async with exchange.talking(door):
                await at_work(seen_s)
                assert await least_copies(connection) == 3
                first = cluster.nodes[await coordinator(connection, GROUP, "__consumer_offsets")]
                await asyncio.to_thread(first.kill)
                died_s = [time.monotonic()]
                await at_work(seen_s)
                await asyncio.to_thread(first.start)
                async with asyncio.timeout(60):
                    while await least_copies(connection) < 3:
                        await asyncio.sleep(0.2)
                second = cluster.nodes[await coordinator(connection, TRANSACTIONAL_ID, "__transaction_state")]
                await asyncio.to_thread(second.kill)
                died_s.append(time.monotonic())
                await at_work(seen_s)
            await exchange.end(door)
            reader, behind = await everything(connection, topology)
        silent_s = [max(b - a for a, b in pairwise(seen_s) if at - 1 < b < at + 20) for at in died_s]
        sent = sum(len(its) for call in exchange.calls for its in call.sent.values())
        print(f"{sent} published, longest {door.longest_s:.1f} s; silence after each death {silent_s} s")
    assert not behind
    assert check(topology, codec, PURE, reader.records) == []
    assert (
        sum(len(m) for (topic, _), m in reader.records.items() if topic in topology.producers["door"].outputs) == sent
    )
    assert door.longest_s < LONGEST_PUBLISH_S


async def at_work(seen_s: list[float]) -> None:
    enough = len(seen_s) + ENOUGH
    await until(lambda: len(seen_s) >= enough)


async def least_copies(connection: Connection) -> int:
    """Of all lanes of all topics, Kafka's own among them: the fewest replicas that are in sync."""
    async with connected(connection) as admin:
        return min(len(lane["isr"]) for topic in await admin.describe_topics() for lane in topic["partitions"])


async def coordinator(connection: Connection, name: str, topic: str) -> int:
    """The node that leads the lane of Kafka's own `topic` where this group or transactional id is kept."""
    async with connected(connection) as admin:
        [described] = await admin.describe_topics([topic])
    lanes = described["partitions"]
    number = java_hash(name) % len(lanes)
    return next(int(lane["leader"]) for lane in lanes if lane["partition"] == number)


def java_hash(text: str) -> int:
    """String.hashCode, as Kafka makes it positive."""
    found = 0
    for letter in text:
        found = (31 * found + ord(letter)) & 0xFFFFFFFF
    return found & 0x7FFFFFFF if found != 0x80000000 else 0
