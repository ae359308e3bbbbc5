"""A telephone exchange whose calls talk all the time, workers that take in what they say, and all that came of it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from callbus.codec import codec_of
from callbus.ids import event_id
from callbus.kafka import Connection
from callbus.lanes import CALL_EVENTS
from callbus.topology import Topology
from callbus.worker.clients import Timeouts
from callbus.worker.limits import Limits
from callbus.worker.worker import Worker
from schemas.records import CallEvent, CallEventType, Speaker
from tests.chaos.checker import uncommitted
from tests.chaos.events import spoken
from tests.chaos.graph import PURE
from tests.chaos.reading import Everything, committed_offsets
from tests.chaos.traffic import DOORS
from tests.until import until

DEADLINE_S = 30.0
TIMEOUTS = Timeouts(metadata_ms=300)


def told(call_id: str, kind: CallEventType, at_ms: int | None = None) -> CallEvent:
    """An event of the door about one of its calls; now, if not said otherwise."""
    return CallEvent(
        event_id=event_id(call_id, "door", kind),
        call_id=call_id,
        at_ms=at_ms or _now_ms(),
        type=kind,
        medium="phone",
        source="door",
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Door(Protocol):
    """What publishes."""

    async def publish(self, topic: str, record: Any) -> None: ...


@dataclass(slots=True)
class Call:
    """A call as its door has it: what it published, in order, by topic."""

    call_id: str
    channels: tuple[Speaker, ...]
    sent: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    said: int = 0

    async def step(self, door: Door, kind: CallEventType) -> None:
        await self._publish(door, CALL_EVENTS, told(self.call_id, kind))

    async def say(self, door: Door, last: bool = False) -> None:
        """The next event of every channel."""
        for channel in self.channels:
            event = spoken(self.call_id, channel, self.said, "end" if last else "speech")
            # Now, not long ago: retention goes by this, and 30 s after a broker's start it takes what is too old.
            await self._publish(door, DOORS[channel], replace(event, at_ms=_now_ms()))
        self.said += 1

    async def _publish(self, door: Door, topic: str, event: Any) -> None:
        await door.publish(topic, event)
        self.sent[topic].append(event.event_id)


class Exchange:
    """A telephone exchange: keeps its calls talking through whatever door it has."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def begin(self, door: Door, prefix: str, count: int) -> list[Call]:
        new = [Call(f"{prefix}-{n}", ("unknown",) if n % 3 == 2 else ("agent", "caller")) for n in range(count)]
        for call in new:
            await call.step(door, "started")
        self.calls += new
        return new

    @asynccontextmanager
    async def talking(self, door: Door) -> AsyncIterator[None]:
        """Every call says something all the time."""
        enough = asyncio.Event()

        async def talk() -> None:
            while not enough.is_set():
                await asyncio.gather(*(call.say(door) for call in self.calls))
                await asyncio.sleep(0.02)

        task = asyncio.create_task(talk())
        try:
            yield
        finally:
            enough.set()
            await task

    async def end(self, door: Door) -> None:
        for call in self.calls:
            await call.say(door, last=True)
            await call.step(door, "ended")


@asynccontextmanager
async def working(topology: Topology, connection: Connection, members: int) -> AsyncIterator[dict[str, list[Worker]]]:
    """So many members of every group of the chaos graph, with every lane open; their failure fails the test."""
    codec, limits = codec_of(topology), Limits(offsets_only_commit_ms=50)
    async with AsyncExitStack() as stack:
        thread = stack.enter_context(ThreadPoolExecutor(4))
        workers = {
            name: [
                Worker(topology, group, PURE[name], codec, connection, thread, member, limits, TIMEOUTS)
                for member in map(str, range(members))
            ]
            for name, group in topology.groups.items()
        }
        every = [worker for its in workers.values() for worker in its]
        tasks = [asyncio.create_task(worker.run()) for worker in every]
        try:
            await until(lambda: all(len(lanes_of(its)) == topology.lanes for its in workers.values()), tasks)
            yield workers
        finally:
            for worker in every:
                worker.stop()
            await asyncio.gather(*tasks)


async def everything(connection: Connection, topology: Topology) -> tuple[Everything, list[Any]]:
    """All that is committed, once every group has worked on all of it; and what was not worked on when time was up."""
    reader = Everything(connection, [topic.name for topic in topology.all_topics()], topology.lanes)
    await reader.start()
    deadline = time.monotonic() + DEADLINE_S
    try:
        while True:
            before = reader.count()
            late = await reader.catch_up(DEADLINE_S)
            offsets = await committed_offsets(connection, topology)
            behind = [*late, *uncommitted(topology, reader.records, offsets)]
            if time.monotonic() > deadline or (not behind and reader.count() == before):
                return reader, behind
            await asyncio.sleep(0.1)
    finally:
        await reader.stop()


def lanes_of(members: Collection[Any]) -> list[int]:
    return sorted(lane for member in members for lane in member.lanes)
