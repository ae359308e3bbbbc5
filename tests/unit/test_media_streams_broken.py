"""What is broken on the WebSocket door, and what 1,000 broken connections leave behind: nothing."""

import asyncio
import base64
import gc
import json
import random
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from producers import media_streams
from producers.media_streams import connection, serving
from schemas.records import CallEvent
from tests.clients.media_stream import dial
from tests.clients.ringing import FAST, Door, open_files
from tests.unit.media_streams import FRAME, UPGRADE, answer, open_door, raw, serve, start_message, text_frame
from tests.until import until


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("rubbish", 1007),
        ('{"event": "start"}', 1007),
        ('{"event": "media", "media": {"payload": "AAAA"}}', 1008),
        ('{"event": "stop"}', 1008),
    ],
)
async def test_a_stranger_s_first_message_closes_it(tmp_path: Path, first: str, code: int) -> None:
    """Whoever does not begin as the protocol does is none of it."""
    async with open_door(serve, tmp_path) as door:
        before = door.refused("garbage")
        async with dial(door.address) as platform:
            await platform.socket.send_str(first)
            assert await platform.closed() == code
        assert door.refused("garbage") == before + 1
        assert door.kept.events == []


async def test_a_format_that_no_leg_can_have_is_refused(tmp_path: Path) -> None:
    """1003, before a call begins."""
    async with open_door(serve, tmp_path) as door:
        async with dial(door.address) as platform:
            await platform.start(encoding="audio/opus")
            assert await platform.closed() == 1003
        assert door.kept.events == []


async def test_too_much_garbage_ends_the_call(tmp_path: Path) -> None:
    """1007; some of it is put up with."""
    async with open_door(serve, tmp_path) as door:
        async with dial(door.address) as platform:
            await platform.start()
            for _ in range(connection.MALFORMED_MESSAGES + 1):
                await platform.socket.send_str("rubbish")
            assert await platform.closed() == 1007
        assert await door.kept.ended(platform.call_sid) == ["started", "interrupted", "ended"]


async def test_a_fault_of_the_door_ends_that_call_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1011, one log line, and the next call is served."""

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    async with open_door(serve, tmp_path) as door:
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(media_streams.calls.Carried, "hear", broken)
            async with dial(door.address) as platform:
                await platform.start()
                await platform.media("inbound", FRAME, 0)
                assert await platform.closed() == 1011
        assert [one["reason"] for one in logs if one["event"] == "connection_failed"] == ["ZeroDivisionError"]
        assert await door.kept.ended(platform.call_sid) == ["started", "interrupted", "ended"]
        async with dial(door.address) as platform:
            await platform.start()
            assert await platform.stop() == 1000


@pytest.mark.parametrize("reason", ["silent", "stopping"])
async def test_who_reads_nothing_is_closed_all_the_same(
    tmp_path: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing more can be told to it, and it holds its own end open."""
    monkeypatch.setattr(serving, "_LEAVE_S", 60.0)
    loop, files = asyncio.get_running_loop(), open_files()
    admission = replace(FAST, silent_after_s=2 if reason == "silent" else 60)
    async with open_door(serve, tmp_path, admission) as door:
        left = files + 2 if reason == "stopping" else open_files() + 1  # the spool's lock; the client's
        before = door.refused(reason)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await loop.sock_connect(client, door.address)
        await loop.sock_sendall(client, UPGRADE + text_frame(start_message("CA1")))
        await until(lambda: door.line.running == 1)
        pings = text_frame(bytes(125), opcode=9) * 2_000
        with suppress(ConnectionError):
            for _ in range(60):  # 15 MB of answers fill every buffer
                await loop.sock_sendall(client, pings)
        if reason == "stopping":
            door.stopping.set()
        assert await door.kept.ended("CA1") == ["started", "interrupted", "ended"]
        await until(lambda: open_files() <= left, limit_s=20)
        assert door.refused(reason) == before + 1
        client.close()


def broken_connection(chance: random.Random, number: int) -> bytes:
    """What a broken connection has sent until it broke."""
    call = UPGRADE + text_frame(start_message(f"CA{number}"))
    payload = base64.b64encode(FRAME).decode()
    media = text_frame(json.dumps({"event": "media", "media": {"track": "inbound", "payload": payload}}).encode())
    garbage = chance.randbytes(chance.randrange(1, 2_000))
    whole = chance.choice(
        [
            b"",
            garbage,
            UPGRADE + garbage,
            call + garbage,
            call + media * chance.randrange(20) + garbage,
            call + text_frame(garbage[:100]) + media,
            call + text_frame(b"{}", opcode=2) * 60,
            call + text_frame(b"\x03\xe8", opcode=8),
        ]
    )
    return whole[: chance.randrange(len(whole) + 1)] if chance.random() < 0.5 else whole


async def test_a_thousand_broken_connections_leave_nothing_behind(tmp_path: Path) -> None:
    """No task, no file descriptor, no call; and the next call is served."""
    chance = random.Random(7)  # noqa: S311 -- garbage that can be repeated

    async def break_one(door: Door, number: int) -> None:
        reader, writer = await raw(door)
        with suppress(ConnectionError):
            writer.write(broken_connection(chance, number))
            await writer.drain()
            await asyncio.wait({asyncio.create_task(answer(reader))}, timeout=chance.choice((0, 0, 0.05)))
        if chance.random() < 0.5:
            writer.transport.abort()
        writer.close()

    async with open_door(serve, tmp_path) as door:
        async with dial(door.address) as platform:
            await platform.start()
            await platform.stop()
        await until(lambda: door.line.left == 0)
        gc.collect()
        tasks, files = len(asyncio.all_tasks()), open_files()
        for number in range(0, 1_000, 50):
            await asyncio.gather(*(break_one(door, number + each) for each in range(50)))
        await until(lambda: door.line.running == 0 and door.line.left == 0, limit_s=20)
        await until(lambda: len(asyncio.all_tasks()) <= tasks and open_files() <= files, limit_s=20)
        assert all(door.kept.steps(call_id)[-1] == "ended" for call_id in {one.call_id for one in door.kept.events})
        assert sum(one.type == "started" for one in door.kept.events if isinstance(one, CallEvent)) > 100
        async with dial(door.address) as platform:
            await platform.start()
            await platform.speak({"inbound": FRAME * 20})
            assert await platform.stop() == 1000
        assert await door.kept.ended(platform.call_sid) == ["started", "ended"]
