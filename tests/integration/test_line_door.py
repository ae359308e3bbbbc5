"""`callbus door` as a process, with real connections: from the socket to Kafka, through stops and restarts."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from callbus.broker import EmbeddedBroker
from tests.cli import started
from tests.integration.test_line import broker, published, steps
from tests.lines import assert_whole, chunks_of, counted

pytestmark = pytest.mark.broker

__all__ = ["broker"]

LIMIT_S = 60.0


class Door:
    """A running `callbus door plain` with its log."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.log: list[dict[str, object]] = []

    async def says(self, event: str) -> dict[str, object]:
        """Wait for this line of its log."""
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.to_thread(self._until, event)

    async def call(self, call_id: str, samples: int) -> asyncio.StreamWriter:
        """A call that has said so much and stays open."""
        _, writer = await asyncio.open_connection("127.0.0.1", int(str((await self.says("ready"))["port"])))
        writer.write(call_id.encode() + b"\n" + counted(samples))
        await writer.drain()
        return writer

    async def stopped(self) -> tuple[int, str]:
        """Its exit code and what it said last."""
        self.process.send_signal(signal.SIGTERM)
        _, stderr = await asyncio.to_thread(self.process.communicate, timeout=LIMIT_S)
        return self.process.returncode, stderr

    def _until(self, event: str) -> dict[str, object]:
        for line in self.log:
            if line["event"] == event:
                return line
        assert self.process.stderr
        for text in self.process.stderr:
            if text.startswith("{"):
                self.log.append(json.loads(text))
                if self.log[-1]["event"] == event:
                    return self.log[-1]
        raise AssertionError(f"it ended without {event}: {self.log}")


@asynccontextmanager
async def door(broker: EmbeddedBroker, spool: Path, *arguments: str) -> AsyncIterator[Door]:
    given = ("--brokers", broker.bootstrap_servers, "--listen", "0", "--spool", spool, "--log-json")
    process = started("door", "plain", *given, *arguments)
    try:
        yield Door(process)
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


async def received(http: int, size: int, door: str = "plain") -> None:
    """Wait until the door has taken so many bytes of audio, by its own metrics."""
    wanted = f'callbus_door_received_bytes_total{{door="{door}"}} {float(size)}'
    async with aiohttp.ClientSession() as session, asyncio.timeout(LIMIT_S):
        while wanted not in await (await session.get(f"http://127.0.0.1:{http}/metrics")).text():
            await asyncio.sleep(0.05)


async def test_a_door_takes_calls_and_is_stopped(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """One call ends by itself, one with the door; all of both is in Kafka, and the exit code is 0."""
    async with door(broker, tmp_path / "spool", "--http", "0") as it:
        http = int(str((await it.says("http"))["port"]))
        whole = await it.call("whole", 20_000)
        whole.close()
        await whole.wait_closed()
        cut = await it.call("cut", 12_345)
        await received(http, 2 * (20_000 + 12_345))
        async with aiohttp.ClientSession() as session:
            assert (await session.get(f"http://127.0.0.1:{http}/readyz")).status == 200
        other = started(
            "door", "plain", "--brokers", broker.bootstrap_servers, "--spool", tmp_path / "other",
            "--listen", str((await it.says("ready"))["port"]),
        )  # fmt: skip
        _, stderr = await asyncio.to_thread(other.communicate, timeout=LIMIT_S)
        assert other.returncode == 7
        assert "can't be listened on (Address already in use" in stderr
        code, _ = await it.stopped()
        assert code == 0
        cut.close()
    assert list((tmp_path / "spool" / "calls").iterdir()) == []
    events, audio = await published(broker, "call-events"), await published(broker, "call-audio")
    assert steps(events, "whole") == ["started", "ended"]
    assert steps(events, "cut") == ["started", "interrupted", "ended"]
    assert_whole(chunks_of(audio, "whole", "unknown"), 20_000)
    assert_whole(chunks_of(audio, "cut", "unknown"), 12_345)


async def test_what_is_left_is_told_and_sent_by_the_next(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Kafka goes away during a call and the door is stopped: its exit code is 5, and nothing is lost."""
    async with door(broker, tmp_path / "spool", "--http", "0", "--leave-within", "0.5") as it:
        http = int(str((await it.says("http"))["port"]))
        await it.says("ready")
        await asyncio.to_thread(broker.kill)
        one = await it.call("one", 50_000)
        await received(http, 100_000)
        code, stderr = await it.stopped()
        assert code == 5
        one.close()
        assert "1 call could not be sent to Kafka whole; what is left waits there" in stderr
    await asyncio.to_thread(broker.start)
    async with door(broker, tmp_path / "spool") as it:
        await it.says("ready")
        assert (await it.stopped())[0] == 0
    assert steps(await published(broker, "call-events"), "one") == ["started", "interrupted", "ended"]
    assert_whole(chunks_of(await published(broker, "call-audio"), "one", "unknown"), 50_000)
