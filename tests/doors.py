"""`callbus door` as a process: its log, its calls, its end."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.cli import started
from tests.lines import counted

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
async def running(brokers: str, spool: Path, *arguments: str) -> AsyncIterator[Door]:
    """`callbus door plain` on a free port."""
    given = ("--brokers", brokers, "--listen", "0", "--spool", spool, "--log-json")
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


async def ready(http: int) -> None:
    """Wait until the door has found its Kafka, by its own word."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(LIMIT_S):
        while (await session.get(f"http://127.0.0.1:{http}/readyz")).status != 200:
            await asyncio.sleep(0.05)
