"""`callbus door` as a process that records: through AudioSocket to Kafka and the disk, through a kill."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from callbus.audio import decode_file
from callbus.broker import EmbeddedBroker
from schemas.records import AudioChunk, CallEvent, Recording
from tests.cli import TOPOLOGY, started
from tests.clients.audiosocket import Leg
from tests.integration.test_line import broker, published, steps
from tests.integration.test_line_door import LIMIT_S, Door, received
from tests.lines import chunks_of, counted

pytestmark = pytest.mark.broker

__all__ = ["broker"]

RULES = """modes:
  - {mode: hybrid, when: {more_calls_than: 0}}
  - {mode: post-call}
"""
UNTIL = "\ngroups:\n"


@asynccontextmanager
async def door(broker: EmbeddedBroker, folder: Path, *arguments: str) -> AsyncIterator[Door]:
    """`callbus door asterisk` whose first call is post-call and whose second is hybrid."""
    before, rest = TOPOLOGY.read_text("utf-8").split("\nmodes:\n")
    graph = folder / "topology.yaml"
    graph.write_text(f"{before}\n{RULES}{UNTIL}{rest.split(UNTIL)[1]}", "utf-8")
    process = started(
        "door", "asterisk", "--brokers", broker.bootstrap_servers, "--listen", "0", "--log-json", "--http", "0",
        "--spool", folder / "spool", "--recordings", folder / "recordings", "--topology", graph,
        "--most-bytes-per-second", "100000000", *arguments,
    )  # fmt: skip
    try:
        yield Door(process)
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)


async def ports(it: Door) -> tuple[int, tuple[str, int]]:
    """Where its metrics are, and where calls come in."""
    http = int(str((await it.says("http"))["port"]))
    return http, ("127.0.0.1", int(str((await it.says("ready"))["port"])))


async def events(broker: EmbeddedBroker, call_id: UUID) -> list[CallEvent]:
    found = [event for event in await published(broker, "call-events") if event.call_id == str(call_id)]
    assert all(isinstance(event, CallEvent) for event in found)
    return found


async def audio(broker: EmbeddedBroker, call_id: UUID) -> list[AudioChunk]:
    return [chunk for chunk in await published(broker, "call-audio") if chunk.call_id == str(call_id)]


async def recorded(broker: EmbeddedBroker, call_id: UUID) -> tuple[Recording, NDArray[np.int16]]:
    """The only recording of this call, and its samples."""
    found: dict[str, Recording] = {}
    for event in await published(broker, "call-recordings"):
        if event.call_id == str(call_id):
            assert found.setdefault(event.event_id, event) == event
    [recording] = found.values()
    return recording, samples_of(recording)


def samples_of(recording: Recording) -> NDArray[np.int16]:
    content = Path(recording.uri.removeprefix("file://")).read_bytes()
    assert hashlib.sha256(content).hexdigest() == recording.sha256
    return decode_file(content)[0]


def of(samples: int) -> NDArray[np.int16]:
    return np.frombuffer(counted(samples), dtype="<i2")


async def test_calls_are_recorded_sample_for_sample(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """One post-call, and beside it one hybrid, whose first leg is the agent's because the door was told so."""
    later, both = uuid4(), uuid4()
    async with door(broker, tmp_path, "--agent-first") as it:
        http, address = await ports(it)
        first = await Leg.of(later, address)
        await first.speak(counted(20_000))
        await received(http, 40_000, "asterisk")
        second = await Leg.of(both, address)
        await second.speak(counted(16_160))
        await received(http, 40_000 + 32_320, "asterisk")
        await first.hang_up()
        await second.hang_up()
        assert (await it.stopped())[0] == 0
    for call_id, mode in ((later, "post-call"), (both, "hybrid")):
        told = await events(broker, call_id)
        assert steps(told, str(call_id)) == ["started", "ended"]
        assert told[0].attributes == {"mode": mode}
    recording, (agent, caller) = await recorded(broker, later)
    assert (recording.channels, recording.revision, recording.duration_ms) == (("agent", "caller"), 1, 2_500)
    assert np.array_equal(agent, of(20_000))
    assert not caller.any()
    assert await audio(broker, later) == []
    recording, (agent, _) = await recorded(broker, both)
    assert recording.revision == 2
    assert np.array_equal(agent, of(16_160))
    chunks = await audio(broker, both)
    assert b"".join(chunk.payload for chunk in chunks_of(chunks, str(both), "agent")) == counted(16_160)
    assert all(chunk.heard_again for chunk in chunks)
    assert list((tmp_path / "recordings" / "unfinished").iterdir()) == []


async def test_a_killed_door_publishes_the_recording_of_what_was_heard(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """At its next start; at most the quarter second in hand is lost, and the call ends as interrupted."""
    call_id = uuid4()
    async with door(broker, tmp_path) as it:
        http, address = await ports(it)
        leg = await Leg.of(call_id, address)
        await leg.speak(counted(40_000))
        await received(http, 80_000, "asterisk")
        it.process.kill()
        await asyncio.to_thread(it.process.wait, LIMIT_S)
        leg.reset()
    assert [path.suffix for path in (tmp_path / "recordings" / "unfinished").iterdir()] == [".pcm"] * 2
    async with door(broker, tmp_path) as it:
        await ports(it)
        assert (await it.stopped())[0] == 0
    assert steps(await events(broker, call_id), str(call_id)) == ["started", "interrupted", "ended"]
    recording, (caller, agent) = await recorded(broker, call_id)
    assert recording.channels == ("caller", "agent")
    assert 38_000 < len(caller) <= 40_000
    assert np.array_equal(caller, of(len(caller)))
    assert not agent.any()
    assert await audio(broker, call_id) == []
