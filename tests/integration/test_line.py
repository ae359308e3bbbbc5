"""A door's line on a real Kafka: away and back, and the door itself killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from callbus.broker import EmbeddedBroker
from callbus.kafka import Connection
from callbus.publisher import Publisher
from producers.line import Line, Spool
from producers.line.events import Event
from schemas.records import AudioChunk, CallEvent
from tests.cli import ROOT
from tests.integration.applied import applied
from tests.integration.test_kafka_states import quiet
from tests.integration.visible import visible
from tests.integration.working import CODEC, TOPOLOGY
from tests.lines import SOUNDING, assert_whole, chunks_of, counted
from tests.until import until

pytestmark = pytest.mark.broker

DOOR = TOPOLOGY.producers["plain"]
FRAME = 400  # 50 ms

__all__ = ["quiet"]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """One of the test's own, which it may kill."""
    broker = EmbeddedBroker(tmp_path / "kafka")
    await asyncio.to_thread(broker.start)
    try:
        await applied(Connection(broker.bootstrap_servers), TOPOLOGY)
        yield broker
    finally:
        await asyncio.to_thread(broker.kill)


@asynccontextmanager
async def door(broker: EmbeddedBroker, spool: Path, leave_within_s: float = 10.0) -> AsyncIterator[Line]:
    connection = Connection(broker.bootstrap_servers)
    async with (
        Publisher(connection, CODEC, DOOR, within_s=2.0) as kafka,
        Line(kafka, "plain", Spool(spool), leave_within_s=leave_within_s) as line,
    ):
        yield line


async def published(broker: EmbeddedBroker, topic: str) -> list[Any]:
    """What a reader of the topic sees, lane by lane."""
    records = await visible(Connection(broker.bootstrap_servers), topic, TOPOLOGY.lanes)
    return [CODEC.decode(topic, record.value) for record in records]


def steps(events: Sequence[CallEvent], call_id: str) -> list[str]:
    found = {event.event_id: event.type for event in events if event.call_id == call_id}
    return list(found.values())


async def test_kafka_is_away_while_calls_talk(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Calls go on, end and begin meanwhile; when it is back, all of it comes once and in order."""
    async with door(broker, tmp_path / "spool") as line:
        calls = [await line.begin(f"call-{n}", ["agent", "caller"], SOUNDING) for n in range(3)]
        said = 0

        async def talk(frames: int) -> None:
            nonlocal said
            for _ in range(frames):
                for call in calls:
                    await call.hear("agent", counted(FRAME, said))
                    await call.hear("caller", counted(FRAME, said))
                said += FRAME
                await asyncio.sleep(0.005)

        await talk(100)
        await until(lambda: line.behind_s == 0)
        await asyncio.to_thread(broker.kill)
        await talk(300)
        late = await line.begin("late", ["caller"], SOUNDING)
        await late.hear("caller", counted(5_000))
        await late.end()
        await until(lambda: line.behind_s > 3)  # longer than the publisher waits before it gives back
        assert line.left == 4
        await asyncio.to_thread(broker.start)
        await talk(100)
        for call in calls:
            await call.end()
        await until(lambda: line.left == 0)
    audio: list[Event] = await published(broker, "call-audio")
    for call_id in ("call-0", "call-1", "call-2"):
        for leg in ("agent", "caller"):
            assert_whole(chunks_of(audio, call_id, leg), said)
    assert_whole(chunks_of(audio, "late", "caller"), 5_000)
    events = await published(broker, "call-events")
    assert all(steps(events, f"call-{n}") == ["started", "ended"] for n in range(3))
    assert steps(events, "late") == ["started", "ended"]


@pytest.mark.parametrize("away", [False, True], ids=["kafka_there", "kafka_away"])
async def test_a_door_is_killed_in_the_middle_of_a_call(broker: EmbeddedBroker, tmp_path: Path, away: bool) -> None:
    """At most the chunk in hand is lost; at its next start the call ends as interrupted, and nothing is there twice
    but by its own id."""
    process = await asyncio.to_thread(started, broker, tmp_path / "spool")
    try:
        heard = await asyncio.to_thread(heard_until, process, 20_000)
        if away:
            await asyncio.to_thread(broker.kill)
            heard = await asyncio.to_thread(heard_until, process, heard + 60_000)
        os.kill(process.pid, signal.SIGKILL)
        rest, _ = await asyncio.to_thread(process.communicate)
        heard = max([heard, *map(int, rest.split("\n")[:-1])])
    finally:
        process.kill()
    if away:
        await asyncio.to_thread(broker.start)
    async with door(broker, tmp_path / "spool") as line:
        await until(lambda: line.left == 0)
    events, audio = await published(broker, "call-events"), await published(broker, "call-audio")
    assert steps(events, "talks") == ["started", "interrupted", "ended"]
    chunks = chunks_of(audio, "talks", "caller")
    samples = sum(len(chunk.payload) // 2 for chunk in chunks)
    assert_whole(chunks, samples)
    assert heard - 2_000 < samples <= heard + 160  # a frame may have come in before it could be told
    [never] = chunks_of(audio, "talks", "agent")
    assert (never.last, never.payload) == (True, b"")
    assert_in_order(audio)


def assert_in_order(audio: Sequence[AudioChunk]) -> None:
    """The sequences rise, but where what was sent already comes again after the restart."""
    sequences = [chunk.sequence for chunk in audio if chunk.channel == "caller"]
    again = [n for n in range(1, len(sequences)) if sequences[n] != sequences[n - 1] + 1]
    assert len(again) <= 1
    assert all(sequences[n] <= sequences[n - 1] for n in again)


def started(broker: EmbeddedBroker, spool: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.integration.talking", broker.bootstrap_servers, str(spool)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def heard_until(process: "subprocess.Popen[str]", samples: int) -> int:
    """Wait until its call has said so much; how much it has."""
    assert process.stdout
    for told in process.stdout:
        if int(told) >= samples:
            return int(told)
    raise AssertionError("it ended by itself")


async def test_a_stopped_door_leaves_the_rest_to_the_next(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka is away when it is stopped: it does not wait for ever, and what it kept comes at the next start."""
    monkeypatch.setattr("callbus.publisher._LEAVE_S", 0.5)
    async with door(broker, tmp_path / "spool", leave_within_s=0.5) as line:
        call = await line.begin("one", ["caller"], SOUNDING)
        await until(lambda: line.behind_s == 0)
        await asyncio.to_thread(broker.kill)
        for n in range(0, 40_000, FRAME):
            await call.hear("caller", counted(FRAME, n))
    assert line.left == 1
    await asyncio.to_thread(broker.start)
    async with door(broker, tmp_path / "spool") as line:
        await until(lambda: line.left == 0)
    assert steps(await published(broker, "call-events"), "one") == ["started", "interrupted", "ended"]
    assert_whole(chunks_of(await published(broker, "call-audio"), "one", "caller"), 40_000)
