"""The insights group while lanes are added: Faust tables stay with the lanes whose calls they hold."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from callbus import faust_driver, topics
from callbus.broker import EmbeddedBroker
from callbus.codec import codec_of
from callbus.kafka import Connection
from callbus.subscriber import subscribe
from callbus.topology import Topology, load
from schemas.records import CallInsight
from tests.cli import TOPOLOGY
from tests.integration.applied import applied
from tests.integration.exchange import DEADLINE_S, lanes_of
from tests.integration.growing import FEW, MANY
from tests.integration.joining import STREAMS, WHOLE_STREAMS, joined, shared
from tests.until import until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

HALF_WAY = 4  # steps: then the inputs of the group differ in lanes
_WHOLE = dict(zip(STREAMS, WHOLE_STREAMS, strict=True))
FIRST_HALF = {topic: _WHOLE[topic] for topic in ("call-events", "classifications")}
SECOND_HALF = {topic: _WHOLE[topic] for topic in ("entities", "qa-evaluations", "summaries")}


async def test_insights_grow_with_running_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two members, growth broken off half-way, then finished, then a restart.

    A running call's insight goes on from its state at every point, and a call on a new lane gets its own.
    """
    monkeypatch.setattr(faust_driver, "LANES_SEEN_WITHIN_MS", 200)
    real = load(TOPOLOGY)

    def lanes(count: int) -> Topology:
        return replace(
            real, lanes=count, topics={name: replace(topic, partitions=count) for name, topic in real.topics.items()}
        )

    few, many = lanes(FEW), lanes(MANY)
    with EmbeddedBroker(tmp_path / "kafka") as broker:
        connection, codec, group = Connection(broker.bootstrap_servers), codec_of(real), real.group("insights")
        await applied(connection, few)
        latest: dict[str, CallInsight] = {}
        async with (
            subscribe(connection, codec, ["call-insights"], "beginning") as events,
            AIOKafkaProducer(**connection.client(), metadata_max_age_ms=200) as producer,
        ):

            async def send(call_id: str, lane: int, events: Mapping[str, Sequence[Any]]) -> None:
                for topic, records in events.items():
                    for record in records:
                        value = codec.encode(topic, replace(record, call_id=call_id))
                        await producer.send_and_wait(topic, value, key=call_id.encode(), partition=lane)

            async def insight(call_id: str, enough: Callable[[CallInsight], bool]) -> CallInsight:
                async with asyncio.timeout(DEADLINE_S):
                    while call_id not in latest or not enough(latest[call_id]):
                        latest.update({one.call_id: one.record for one in await events.next()})
                return latest[call_id]

            async def go_on(prefix: str) -> None:
                """The second half of a call on every old lane: whoever has the lane now knows the first one."""
                for lane in range(FEW):
                    began = latest[f"{prefix}-{lane}"].revision
                    await send(f"{prefix}-{lane}", lane, SECOND_HALF)
                    assert (await insight(f"{prefix}-{lane}", lambda one: one.complete)).revision > began

            async with joined(few, group, codec, connection, "a") as a:
                async with joined(few, group, codec, connection, "b"):
                    for prefix, lane in itertools.product(("half", "all", "again"), range(FEW)):
                        await send(f"{prefix}-{lane}", lane, FIRST_HALF)
                        await insight(f"{prefix}-{lane}", lambda _: True)
                    async with topics.connected(connection) as admin:
                        plan = topics.plan(many, await topics.read(admin))
                        await topics.apply(admin, replace(plan, grow=tuple(g for g in plan.grow if g.step < HALF_WAY)))
                    await until(lambda: lanes_known(a) == MANY)
                async with joined(few, group, codec, connection, "b") as b:  # lanes are dealt anew while topics differ
                    await until(lambda: shared(FEW, a, b))
                    await go_on("half")
                    await applied(connection, many)
                    began_s = time.monotonic()
                    await until(lambda: lanes_of([a, b]) == list(range(MANY)))
                    print(f"shared out {time.monotonic() - began_s:.2f} s")
                    await go_on("all")
                    await send("late", MANY - 1, FIRST_HALF)
                    revision = (await insight("late", lambda _: True)).revision
            async with joined(many, group, codec, connection, "a"):
                await go_on("again")
                await send("late", MANY - 1, SECOND_HALF)
                assert (await insight("late", lambda one: one.complete)).revision > revision


def lanes_known(app: Any) -> int:
    """The most lanes of a topic of its group that the app's client has heard of."""
    client = app._app.consumer._thread._consumer._client
    return max(len(client.cluster.partitions_for_topic(topic) or ()) for topic in client.cluster.topics())
