"""`callbus demo`: real calls onto real Kafka, and what is understood of them, on one machine and in one command."""

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from callbus.broker import EmbeddedBroker, start_detached
from callbus.cli.demo_view import View
from callbus.cli.stack import Groups, apply_topics
from callbus.codec import codec_of
from callbus.errors import CallbusError
from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.subscriber import Subscription, subscribe
from callbus.topology import Topology
from producers.player import Play, find, play
from schemas.records import CallInsight, UtteranceEntities

PATIENCE_S = 60.0  # after the last chunk; an insight that takes longer is shown as far as it is
CHAT_SPEED = 4.0  # nobody watches three minutes of typing; audio keeps its own time


async def demo(topology: Topology, samples: Path, speed: float, keep: bool, as_json: bool) -> None:
    """Start everything, play the samples, show what comes out, and leave nothing behind unless `keep`."""
    started = time.monotonic()
    view = View(as_json)
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="callbus-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        connection = Connection(await _start_broker(stack, folder, keep, view))
        groups = Groups(topology, connection, folder, view.group_is)
        stack.push_async_callback(groups.stop)
        groups.start()
        plan = await apply_topics(topology, connection)
        view.done("topics", f"{len(plan.create)} created" if plan.create else "as topology.yaml has them")
        await groups.ready()
        view.done("ready", f"{time.monotonic() - started:.1f} s after the command")
        codec = codec_of(topology)
        events = await stack.enter_async_context(subscribe(connection, codec, ["entities", "call-insights"]))
        door = await stack.enter_async_context(Publisher(connection, codec, topology.producers["player"]))
        work = asyncio.ensure_future(_play_and_watch(view, events, door, samples, speed))
        await groups.unless_failed(work)
    if keep:
        view.done("kept", f"the broker at {connection.brokers}, with every event; `callbus broker stop` ends it")


async def _start_broker(stack: AsyncExitStack, folder: Path, keep: bool, view: View) -> str:
    """A broker of our own that ends with us; with `keep`, the one of `callbus broker start`. Its address."""
    started = time.monotonic()
    with view.fetching() as on_progress:
        if keep:
            status = await asyncio.to_thread(start_detached, on_progress=on_progress)
            address = str(status.bootstrap_servers)
        else:
            broker = EmbeddedBroker(folder / "kafka")
            stack.callback(broker.stop)
            await asyncio.to_thread(broker.start, on_progress)
            address = broker.bootstrap_servers
    view.done("broker", f"Apache Kafka at {address}, {time.monotonic() - started:.1f} s")
    return address


async def _play_and_watch(view: View, events: Subscription, door: Publisher, samples: Path, speed: float) -> None:
    live, recorded, written = _plays(samples)
    with view.calls([*live, *recorded, *written]):
        watching = asyncio.create_task(_watch(view, events, {p.call_id for p in (*live, *recorded, *written)}))
        try:
            played = await asyncio.gather(
                play(door, [*live, *recorded], speed, view.progress),
                play(door, written, speed * CHAT_SPEED, view.progress),
            )
            ends = [progress for part in played for progress in part]
            with suppress(TimeoutError):
                await asyncio.wait_for(watching, PATIENCE_S)
        finally:
            watching.cancel()
            await asyncio.wait([watching])
    insights = view.insights
    view.table(ends, insights)
    if any(not (insight := insights.get(end.call_id)) or not insight.complete for end in ends):
        raise CallbusError("some calls came to no complete insight; the table shows how far each got")


async def _watch(view: View, events: Subscription, calls: set[str]) -> dict[str, CallInsight]:
    """Show turns as they come, until every call's insight is complete."""
    while not calls <= {call_id for call_id, insight in view.insights.items() if insight.complete}:
        for received in await events.next():
            if received.call_id not in calls:
                continue
            match received.record:
                case UtteranceEntities() as turn:
                    view.turn(turn)
                case CallInsight() as insight:
                    view.insight(insight, time.time() * 1000)
    return view.insights


def _plays(samples: Path) -> tuple[list[Play], list[Play], list[Play]]:
    """Every audio file live, the first of them once more as a recording, and the chats."""
    files = find([samples])
    sound = [path for path in files if path.suffix != ".json"]
    chats = [path for path in files if path.suffix == ".json" and "chat" in path.stem]
    return (
        [Play(path=path).named() for path in sound],
        [Play(path=path, call_id=f"{path.stem}-rec-{os.getpid():x}", as_recording=True) for path in sound[-1:]],
        [Play(path=path).named() for path in chats],
    )
