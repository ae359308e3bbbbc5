"""Faust as its documentation shows it: an agent that goes through a stream and sends. Stock faust-streaming.

At least once (its default). A send is not awaited until its acknowledgement (`await topic.send()` queues it), and
offsets are committed by Faust's own interval. Its own settings throughout, but: no web server, topics that exist
already, and the lane of each output named. Values are raw bytes to Faust; the agent reads and writes them as the bare
loop does.
"""

import sys
import tempfile
from pathlib import Path

import faust

from tests.bench.bus.bare import stage_of
from tests.bench.bus.order import Order


def main(order: Order) -> None:
    """Run until killed."""
    app = faust.App(
        order.group,
        broker=f"kafka://{order.brokers}",
        key_serializer="raw",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / "bench-bus-faust",  # it makes a folder even for a store in memory
    )
    source = app.topic(order.input, key_type=bytes, value_type=bytes)
    target = app.topic(order.output, key_type=bytes, value_type=bytes)
    work = stage_of(order.group, order.schema, order.headers)

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def relay(stream: faust.Stream[bytes]) -> None:
        async for event in stream.events():
            value, _ = work(event.value)
            await target.send(key=event.key, value=value, partition=event.message.partition)

    sys.argv = ["faust", "worker", "--loglevel", "warn", "--without-web"]
    app.main()
