"""How a worker lets go of its clients: soon, whatever they wait for."""

import asyncio
import time

import pytest
import structlog

from callbus.kafka import Connection
from callbus.worker import ending, kip345
from callbus.worker.kip447 import GroupMetadata


class Client:
    """Says goodbye to a Kafka that does not answer, or dies of it."""

    def __init__(self, waits_s: float = 0.0, problem: Exception | None = None, deaf: bool = False) -> None:
        self.waits_s, self.problem, self.deaf, self.stopped = waits_s, problem, deaf, False

    async def stop(self) -> None:
        try:
            await asyncio.sleep(self.waits_s)
        except asyncio.CancelledError:
            if self.deaf:
                await asyncio.sleep(self.waits_s)
            raise
        if self.problem:
            raise self.problem
        self.stopped = True


async def test_the_slow_ones_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and though one does not even hear that it is cancelled."""
    monkeypatch.setattr(ending, "_STOP_S", 0.2)
    quick, began_s = Client(), time.monotonic()
    await ending.let_go([Client(60), Client(60), Client(60, deaf=True), Client(60), quick])
    assert time.monotonic() - began_s < 0.7
    assert quick.stopped


async def test_what_one_of_them_died_of_is_told() -> None:
    """A fault of the code is logged; what Kafka has to do with was told already."""
    with structlog.testing.capture_logs() as lines:
        await ending.let_go([Client(problem=ZeroDivisionError()), Client()])
    assert [line["event"] for line in lines] == ["client_not_stopped"]


async def test_nobody_waits_long_for_leave_of_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that takes what one says and never answers: the session's timeout moves the lanes."""
    monkeypatch.setattr(kip345, "_LEAVE_S", 0.3)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port, began_s = server.sockets[0].getsockname()[1], time.monotonic()
        with structlog.testing.capture_logs() as lines:
            await kip345.leave(Connection(f"127.0.0.1:{port}"), GroupMetadata("group", 1, "member", "0"))
        assert time.monotonic() - began_s < 5
        server.close_clients() if hasattr(server, "close_clients") else None
    assert [line["event"] for line in lines] == ["not_left"]
