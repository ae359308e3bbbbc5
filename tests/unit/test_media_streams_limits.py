"""What keeps strangers out of the WebSocket door, and what 1,000 broken connections leave behind: nothing."""

import asyncio
import base64
import functools
import gc
import json
import random
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from callbus.errors import InputError
from producers import media_streams
from producers.line import client_tls, server_tls
from producers.media_streams import connection, serving
from schemas.records import CallEvent
from tests.certificates import localhost
from tests.clients.media_stream import dial
from tests.clients.ringing import FAST, Door, open_files, ringing
from tests.until import until

NAME = "media_streams"
TOKEN = "correct-horse-battery"  # noqa: S105 -- of these tests
FRAME = b"\xff" * 160
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

serve = functools.partial(media_streams.serve, rejoin_s=0.2)
secret = functools.partial(serve, token=TOKEN)
open_door = functools.partial(ringing, name=NAME)


def text_frame(data: bytes, fin: bool = True, opcode: int = 1) -> bytes:
    """A WebSocket frame as a client sends it (RFC 6455 § 5.2), masked with zeros."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return bytes([(0x80 if fin else 0) | opcode]) + length + bytes(4) + data


def start_message(call_sid: str) -> bytes:
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    about = {"streamSid": f"MZ{call_sid}", "callSid": call_sid, "tracks": ["inbound"], "mediaFormat": form}
    return json.dumps({"event": "start", "sequenceNumber": "1", "start": about}).encode()


async def raw(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*door.address)


async def answer(reader: asyncio.StreamReader) -> bytes:
    """All that the door says until it closes."""
    async with asyncio.timeout(60):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_strangers_are_not_heard(tmp_path: Path) -> None:
    """An address that is not on the list is closed before a byte is read, and before a TLS handshake."""
    certificate, key = localhost(tmp_path)
    admission = replace(FAST, allow=(ip_network("10.0.0.0/8"),))
    for tls in (None, server_tls(certificate, key)):
        async with open_door(serve, tmp_path, admission, tls) as door:
            before = door.refused("address")
            reader, writer = await raw(door)
            assert await answer(reader) == b""
            writer.close()
            assert (door.refused("address"), door.refused("tls")) == (before + 1, 0)
            assert door.kept.events == []


async def test_a_call_over_tls(tmp_path: Path) -> None:
    """The platform trusts the operator's certificate; who speaks no TLS is turned away."""
    certificate, key = localhost(tmp_path)
    async with open_door(serve, tmp_path, FAST, server_tls(certificate, key)) as door:
        async with dial(door.address, tls=client_tls(certificate)) as platform:
            await platform.start()
            await platform.speak({"inbound": FRAME * 20})
            assert await platform.stop() == 1000
        assert await door.kept.ended(platform.call_sid) == ["started", "ended"]
        before = door.refused("tls")
        reader, writer = await raw(door)
        writer.write(UPGRADE)
        await answer(reader)
        writer.close()
        await until(lambda: door.refused("tls") == before + 1)
        with pytest.raises((aiohttp.ClientConnectionError, ssl.SSLError)):
            async with dial(door.address):
                pass


@pytest.mark.parametrize(
    ("path", "headers", "parameters"),
    [
        ("/", {"Authorization": f"Bearer {TOKEN}"}, {}),
        ("/", {"Authorization": f"bearer  {TOKEN}"}, {}),
        (f"/streams/{TOKEN}", {}, {}),
        ("/", {}, {"token": TOKEN}),
        ("/streams", {}, {"token": TOKEN, "queue": "child"}),
    ],
)
async def test_the_token_lets_in(
    tmp_path: Path, path: str, headers: Mapping[str, str], parameters: Mapping[str, str]
) -> None:
    """In a header, at the path's end, or in the custom parameters; it is in no event and in no log line."""
    with capture_logs() as logs:
        async with open_door(secret, tmp_path) as door:
            async with dial(door.address, path, headers=headers) as platform:
                await platform.start(parameters=parameters)
                await platform.speak({"inbound": FRAME * 20})
                assert await platform.stop() == 1000
            assert await door.kept.ended(platform.call_sid) == ["started", "ended"]
            assert TOKEN not in str([*logs, *door.kept.events])


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", f"Basic {TOKEN}", "Bearer caf\u00e9", f"Bearer {TOKEN}x", "x"]
)
async def test_a_wrong_token_in_the_header_keeps_out(tmp_path: Path, header: str) -> None:
    """Before the WebSocket is opened, whatever else is right."""
    async with open_door(secret, tmp_path) as door:
        before = door.refused("token")
        with pytest.raises(aiohttp.WSServerHandshakeError) as told:
            async with dial(door.address, f"/{TOKEN}", headers={"Authorization": header}):
                pass
        assert told.value.status == 401
        assert door.refused("token") == before + 1


@pytest.mark.parametrize(
    "parameters", [{}, {"token": "wrong"}, {"token": ""}, {"token": "caf\u00e9"}, {"token": "\udc80"}]
)
@pytest.mark.parametrize("path", ["/", f"/{TOKEN}/", f"/{TOKEN}x", f"/?{TOKEN}"])
async def test_no_token_keeps_out(tmp_path: Path, path: str, parameters: Mapping[str, str]) -> None:
    """1008, and no call begins."""
    async with open_door(secret, tmp_path) as door:
        before = door.refused("token")
        async with dial(door.address, path) as platform:
            await platform.start(parameters=parameters)
            assert await platform.closed() in (1007, 1008)
        assert door.kept.events == []
        assert door.refused("token") == before + 1 or parameters == {"token": "\udc80"}


async def test_a_broken_request_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A token may be in it."""
    async with open_door(secret, tmp_path) as door:
        asks = UPGRADE.replace(b"\r\n\r\n", f"\r\nSec-WebSocket-Protocol: {TOKEN}\r\n\r\n{{".encode()).decode()
        for request in (asks, f"GET /{TOKEN} rubbish\r\n\r\n", f"GET /{TOKEN} HTTP/1.1\r\nbad header\r\n\r\n"):
            reader, writer = await raw(door)
            writer.write(request.encode())
            await reader.read(1)
            writer.close()
    assert TOKEN not in caplog.text


async def test_an_empty_token_is_no_token(tmp_path: Path) -> None:
    """It would let everybody in."""
    with pytest.raises(InputError):
        async with open_door(functools.partial(serve, token=""), tmp_path):
            pass


async def test_a_request_that_is_no_websocket_is_turned_away(tmp_path: Path) -> None:
    """426, and the connection is closed."""
    async with open_door(serve, tmp_path) as door:
        reader, writer = await raw(door)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await answer(reader)).startswith(b"HTTP/1.1 426 ")
        writer.close()


async def test_a_call_too_many_is_told_to_try_again_later(tmp_path: Path) -> None:
    """1013; the call that runs hears nothing of it. The line counts it, once."""
    async with open_door(serve, tmp_path, replace(FAST, most_calls=1)) as door, dial(door.address) as first:
        await first.start()
        await until(lambda: door.line.running == 1)
        before = door.refused("calls")
        async with dial(door.address) as second:
            await second.start()
            assert await second.closed() == 1013
        assert door.refused("calls") == before + 1
        await first.speak({"inbound": FRAME * 20})
        assert await first.stop() == 1000
        assert await door.kept.ended(first.call_sid) == ["started", "ended"]


async def test_connections_have_a_ceiling_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that never begin a call can't fill the process."""
    monkeypatch.setattr(serving, "_SPARE", 2)
    async with open_door(serve, tmp_path, replace(FAST, most_calls=1)) as door:
        before = door.refused("connections")
        sockets = [await raw(door) for _ in range(4)]
        assert await answer(sockets[-1][0]) == b""
        assert door.refused("connections") == before + 1
        for _, writer in sockets:
            writer.close()


async def test_who_sends_too_fast_is_closed(tmp_path: Path) -> None:
    """1008; more than the rate and its burst, in bytes of the socket. The call is interrupted at once."""
    async with open_door(serve, tmp_path, replace(FAST, most_bytes_per_second=32_000)) as door:
        before = door.refused("pace")
        async with dial(door.address) as platform:
            await platform.start()
            with suppress(ConnectionError, aiohttp.ClientError):
                await platform.speak({"inbound": FRAME * 1_000})
            assert await platform.closed() == 1008
        assert await door.kept.ended(platform.call_sid) == ["started", "interrupted", "ended"]
        assert door.refused("pace") == before + 1


@pytest.mark.parametrize("opening", [b"GET / HTTP/1.1\r\nX: ", UPGRADE + text_frame(b"", fin=False)])
async def test_what_never_becomes_a_message_is_counted_too(tmp_path: Path, opening: bytes) -> None:
    """Headers without an end, fragments without an end."""
    endless = b"x" * 4_000 if opening.startswith(b"GET / HTTP/1.1\r\nX") else text_frame(b"", False, 0) * 600
    async with open_door(serve, tmp_path, replace(FAST, most_bytes_per_second=2_000)) as door:
        before = door.refused("pace")
        reader, writer = await raw(door)
        with suppress(ConnectionError):
            writer.write(opening)
            for _ in range(4):
                writer.write(endless)
                await writer.drain()
        await until(lambda: door.refused("pace") == before + 1)
        await answer(reader)
        writer.close()


@pytest.mark.parametrize("began", [False, True])
async def test_a_message_too_long_is_refused(tmp_path: Path, began: bool) -> None:
    """1009, by its header alone."""
    async with open_door(serve, tmp_path) as door:
        async with dial(door.address) as platform:
            if began:
                await platform.start()
            await platform.socket.send_str("x" * connection.MESSAGE_BYTES)
            assert await platform.closed() == 1009
        assert await door.kept.ended(platform.call_sid) if began else not door.kept.events


@pytest.mark.parametrize("began", [False, True])
async def test_a_silent_connection_is_closed(tmp_path: Path, began: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """1008: one that says nothing at first, and one that doesn't even answer a ping."""
    monkeypatch.setattr(serving, "FIRST_S", 0.3)
    async with open_door(serve, tmp_path, replace(FAST, silent_after_s=0.3)) as door:
        reason = "silent" if began else "first_message"
        before = door.refused(reason)
        async with dial(door.address, answers_pings=False) as platform:
            await (platform.start() if began else platform.connected())
            assert await platform.closed() == 1008
        assert door.refused(reason) == before + 1
        if began:
            assert await door.kept.ended(platform.call_sid) == ["started", "interrupted", "ended"]


async def test_who_sends_no_silence_but_answers_pings_stays(tmp_path: Path) -> None:
    """For several times the limit; some platforms send nothing while nobody speaks."""
    async with open_door(serve, tmp_path, replace(FAST, silent_after_s=0.2)) as door:
        async with dial(door.address) as platform:
            await platform.start()
            closed = asyncio.create_task(platform.closed())  # reads, and so answers
            done, _ = await asyncio.wait({closed}, timeout=1.0)
            assert not done
            await platform.send("stop")
            assert await closed == 1000
        assert await door.kept.ended(platform.call_sid) == ["started", "ended"]


async def test_who_only_answers_pings_is_closed_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call is not kept for ever for somebody who never says anything."""
    monkeypatch.setattr(connection, "MUTE", 3)
    async with (
        open_door(serve, tmp_path, replace(FAST, silent_after_s=0.2)) as door,
        dial(door.address) as platform,
    ):
        await platform.start()
        assert await platform.closed() == 1008


@pytest.mark.parametrize("opening", [b"", b"GET / HTTP/1.1\r\nHost: ", UPGRADE, UPGRADE + text_frame(b"{", fin=False)])
async def test_who_does_not_say_which_call_is_closed(
    tmp_path: Path, opening: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it got stuck in."""
    monkeypatch.setattr(serving, "FIRST_S", 0.3)
    async with open_door(serve, tmp_path) as door:
        before = door.refused("first_message")
        reader, writer = await raw(door)
        writer.write(opening)
        await answer(reader)
        writer.close()
        assert door.refused("first_message") == before + 1


async def test_who_has_gone_is_not_counted_as_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port scan, a load balancer that asks whether the door is there."""
    monkeypatch.setattr(serving, "FIRST_S", 0.2)
    async with open_door(serve, tmp_path) as door:
        before = door.refused("first_message")
        _, writer = await raw(door)
        writer.close()
        await asyncio.sleep(0.4)  # what is tested: that nothing happens then
        assert door.refused("first_message") == before


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
