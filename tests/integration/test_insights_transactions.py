"""The insights group and other people's transactions, on a real broker: what was aborted is never seen."""

import asyncio
import uuid
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaProducer
from faust.transport.drivers import aiokafka as stock

from callbus.faust_host import HostedApp
from consumers.insights.join import Input
from tests.integration.joining import LANES, PATIENCE_S, Graph, graph
from tests.unit.test_insights import said
from tests.until import until

__all__ = ["graph"]

pytestmark = pytest.mark.broker


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
