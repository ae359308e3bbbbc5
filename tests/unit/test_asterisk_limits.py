"""What keeps strangers out of the telephone doors, and what 1,000 broken connections leave behind: nothing."""

import asyncio
import random
import socket
import ssl
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from producers import asterisk
from producers.asterisk import connection, plain, serving
from producers.asterisk.protocol import HANG_UP_FRAME
from producers.line import Call, client_tls, server_tls
from tests.certificates import localhost
from tests.clients.audiosocket import Leg, packet
from tests.clients.ringing import FAST, Door, open_files, ringing
from tests.until import until

SECOND = bytes(16_000)
SERVES = [pytest.param(asterisk.serve, id="asterisk"), pytest.param(plain.serve, id="plain")]


def opening(serve: Any, call_id: UUID) -> bytes:
    """How a connection says which call it belongs to."""
    return f"{call_id}\r".encode() if serve is plain.serve else packet(0x01, call_id.bytes)


def speech(serve: Any, audio: bytes) -> bytes:
    return audio if serve is plain.serve else packet(0x10, audio)


def last_word(serve: Any) -> bytes:
    return b"" if serve is plain.serve else HANG_UP_FRAME


@pytest.fixture
def call_id() -> UUID:
    return uuid.uuid4()


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What the door needs, and what the exchange needs."""
    certificate, key = localhost(tmp_path)
    return server_tls(certificate, key), client_tls(certificate)


@pytest.mark.parametrize("serve", SERVES)
async def test_strangers_are_not_heard(serve: Any, tmp_path: Path, call_id: UUID) -> None:
    """An address that is not on the list is closed at once; nothing that it sends is looked at."""
    async with ringing(serve, tmp_path, replace(FAST, allow=(ip_network("10.0.0.0/8"),))) as door:
        before = door.refused("address")
        stranger = await Leg.connect(door.address)
        with suppress(OSError):
            await stranger.send(opening(serve, call_id))
            assert await stranger.said() == b""
        await until(lambda: door.refused("address") == before + 1)
    assert door.kept.events == []


async def test_strangers_are_closed_before_the_handshake(tmp_path: Path, tls: Any) -> None:
    """TLS costs nothing for who is not on the list."""
    door_tls, exchange_tls = tls
    admission = replace(FAST, allow=(ip_network("10.0.0.0/8"),))
    async with ringing(asterisk.serve, tmp_path, admission, door_tls) as door:
        before = door.refused("tls")
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await Leg.connect(door.address, exchange_tls)
        assert door.refused("tls") == before


async def test_a_network_that_is_allowed_gets_in(tmp_path: Path, call_id: UUID) -> None:
    """The list lets in what it names."""
    async with ringing(asterisk.serve, tmp_path, replace(FAST, allow=(ip_network("127.0.0.0/8"),))) as door:
        leg = await Leg.of(call_id, door.address)
        await leg.speak(SECOND)
        await leg.hang_up()
        assert await door.kept.ended(call_id) == ["started", "ended"]


@pytest.mark.parametrize("serve", SERVES)
async def test_a_call_too_many_is_hung_up_on(serve: Any, tmp_path: Path) -> None:
    """Kindly, so that the exchange goes on with its caller; the calls that run hear nothing of it."""
    first, second = uuid.uuid4(), uuid.uuid4()
    async with ringing(serve, tmp_path, replace(FAST, most_calls=1)) as door:
        leg = await Leg.connect(door.address)
        await leg.send(opening(serve, first) + speech(serve, SECOND))
        await until(lambda: door.line.running == 1)
        other = await Leg.connect(door.address)
        await other.send(opening(serve, second) + speech(serve, SECOND))
        assert await other.said() == last_word(serve)
        other.reset()
        await leg.send(speech(serve, SECOND))
        await leg.close()
        assert await door.kept.ended(first) == ["started", "ended"]
        assert door.kept.steps(str(second)) == []


async def test_connections_have_a_ceiling_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that never begin a call can't fill the process: two for each call, and a few."""
    monkeypatch.setattr(serving, "_SPARE", 1)
    async with ringing(asterisk.serve, tmp_path, replace(FAST, most_calls=1)) as door:
        before = door.refused("connections")
        legs = [await Leg.connect(door.address) for _ in range(4)]
        assert await legs[-1].said() == b""
        assert door.refused("connections") == before + 1
        for leg in legs:
            leg.reset()


@pytest.mark.parametrize("serve", SERVES)
async def test_one_address_can_t_take_all_the_places(serve: Any, tmp_path: Path, call_id: UUID) -> None:
    """Idle connections from one address, however many: a call from another begins."""
    async with ringing(serve, tmp_path, replace(FAST, most_calls=1, most_opening=4)) as door:
        before = door.refused("opening_calls")
        idle = [await Leg.connect(door.address) for _ in range(60)]
        await until(lambda: door.refused("opening_calls") == before + 56)
        leg = Leg(*await asyncio.open_connection(*door.address, local_addr=("127.0.0.2", 0)))
        await leg.send(opening(serve, call_id) + speech(serve, SECOND))
        await until(lambda: door.line.running == 1)
        await leg.close()
        assert await door.kept.ended(call_id) == ["started", "ended"]
        for one in idle:
            one.reset()


@pytest.mark.parametrize("serve", SERVES)
async def test_many_calls_at_once_are_no_strangers(serve: Any, tmp_path: Path) -> None:
    """All of them were there before the door looked, and say which calls they are."""
    async with ringing(serve, tmp_path, replace(FAST, most_opening=2)) as door:
        call_ids = [uuid.uuid4() for _ in range(50)]
        sockets = [socket.create_connection(door.address) for _ in call_ids]
        for one, call_id in zip(sockets, call_ids, strict=True):
            one.sendall(opening(serve, call_id) + speech(serve, SECOND))
        await until(lambda: door.line.running == 50)
        for one in sockets:
            one.close()
        for call_id in call_ids:
            await door.kept.ended(call_id)


@pytest.mark.parametrize("serve", SERVES)
async def test_who_does_not_say_which_call_is_closed(
    serve: Any, tmp_path: Path, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it sends a byte now and then."""
    monkeypatch.setattr(connection, "OPENING_S", 0.3)
    async with ringing(serve, tmp_path) as door:
        before = door.refused("opening")
        leg = await Leg.connect(door.address)
        closed = asyncio.create_task(leg.said())
        for byte in opening(serve, call_id):
            leg.writer.write(bytes([byte]))
            if (await asyncio.wait({closed}, timeout=0.05))[0]:
                break
        with suppress(ConnectionError):
            await closed
        await until(lambda: door.refused("opening") == before + 1)


@pytest.mark.parametrize("serve", SERVES)
async def test_a_silent_connection_is_hung_up_on(serve: Any, tmp_path: Path, call_id: UUID) -> None:
    """A leg whose exchange has died without a word does not run for ever; the call is interrupted."""
    async with ringing(serve, tmp_path, replace(FAST, silent_after_s=0.3)) as door:
        before = door.refused("silent")
        leg = await Leg.connect(door.address)
        await leg.send(opening(serve, call_id) + speech(serve, SECOND))
        assert await leg.said() == last_word(serve)
        leg.reset()
        assert await door.kept.ended(call_id) == ["started", "interrupted", "ended"]
        assert door.refused("silent") == before + 1


@pytest.mark.parametrize("serve", SERVES)
async def test_who_sends_too_fast_is_hung_up_on(serve: Any, tmp_path: Path, call_id: UUID) -> None:
    """More than the rate and its burst; the call is interrupted."""
    async with ringing(serve, tmp_path, replace(FAST, most_bytes_per_second=32_000)) as door:
        before = door.refused("pace")
        leg = await Leg.connect(door.address)
        with suppress(ConnectionError):
            await leg.send(opening(serve, call_id))
            for _ in range(10):
                await leg.send(speech(serve, SECOND))
        leg.reset()
        assert await door.kept.ended(call_id) == ["started", "interrupted", "ended"]
        assert door.refused("pace") == before + 1


@pytest.mark.parametrize("serve", SERVES)
async def test_a_door_reads_no_faster_than_it_keeps(
    serve: Any, tmp_path: Path, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the line is busy with what came, the rest waits in TCP, not in this process."""
    free, real = asyncio.Event(), Call.hear

    async def slow(call: Call, *heard: Any) -> None:
        await free.wait()
        await real(call, *heard)

    monkeypatch.setattr(Call, "hear", slow)
    size, stuck = 32_000_000, 0
    async with ringing(serve, tmp_path) as door:
        leg = await Leg.connect(door.address)
        leg.writer.write(opening(serve, call_id))
        block = speech(serve, bytes(50_000))
        for _ in range(size // 50_000):
            leg.writer.write(block)
        unsent = leg.writer.transport.get_write_buffer_size
        last = -1
        while last != unsent():  # until nothing more moves
            last = unsent()
            await asyncio.sleep(0.3)
        stuck = unsent()
        free.set()
        await until(lambda: unsent() < stuck)
        leg.reset()
        await door.kept.ended(call_id)
    assert stuck > size // 2


async def test_a_call_over_tls(tmp_path: Path, tls: Any, call_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are the operator's; the exchange trusts them; the door's last word comes through."""
    monkeypatch.setattr(connection, "LINGER_S", 0.2)  # TLS has no half of a close: both sides wait for the other
    door_tls, exchange_tls = tls
    async with ringing(asterisk.serve, tmp_path, FAST, door_tls) as door:
        caller = await Leg.of(call_id, door.address, exchange_tls)
        await caller.speak(SECOND)
        assert await caller.hang_up() == HANG_UP_FRAME
        assert await door.kept.ended(call_id) == ["started", "ended"]
        assert door.kept.audio(call_id, "caller") == SECOND


async def test_a_fault_in_one_call_is_not_the_others(
    tmp_path: Path, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in one connection ends that one, kindly, and is logged."""
    real = Call.hear

    async def broken(call: Call, leg: Any, payload: bytes) -> None:
        if b"\x07" in payload:
            raise RuntimeError("a fault")
        await real(call, leg, payload)

    monkeypatch.setattr(Call, "hear", broken)
    other_id = uuid.uuid4()
    async with ringing(asterisk.serve, tmp_path) as door:
        other = await Leg.of(other_id, door.address)
        await other.speak(SECOND)
        with capture_logs() as logs:
            leg = await Leg.of(call_id, door.address)
            await leg.speak(b"\x07\x00" * 100)
            assert await leg.said() == HANG_UP_FRAME
            leg.reset()
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["connection_failed"]
        assert await door.kept.ended(call_id) == ["started", "interrupted", "ended"]
        await other.speak(SECOND)
        await other.hang_up()
        assert await door.kept.ended(other_id) == ["started", "ended"]
        assert door.kept.audio(other_id, "caller") == SECOND * 2


Breaks = Callable[[Leg, random.Random, bytes], Any]


async def _nothing(leg: Leg, chance: random.Random, hello: bytes) -> None:
    await leg.close()


async def _garbage(leg: Leg, chance: random.Random, hello: bytes) -> None:
    await leg.send(chance.randbytes(chance.randrange(1, 5_000)))
    leg.reset()


async def _half_a_hello(leg: Leg, chance: random.Random, hello: bytes) -> None:
    await leg.send(hello[: chance.randrange(1, len(hello))])
    await leg.close()


async def _garbage_in_a_call(leg: Leg, chance: random.Random, hello: bytes) -> None:
    await leg.send(hello + packet(0x10, chance.randbytes(320)) + chance.randbytes(2_000))
    leg.reset()


async def _cut_in_a_frame(leg: Leg, chance: random.Random, hello: bytes) -> None:
    await leg.send(hello + packet(0x10, chance.randbytes(8_000))[: chance.randrange(1, 8_000)])
    leg.reset() if chance.random() < 0.5 else await leg.close()


BREAKS: list[Breaks] = [_nothing, _garbage, _half_a_hello, _garbage_in_a_call, _cut_in_a_frame]


async def break_one(serve: Any, door: Door, tls: ssl.SSLContext | None, number: int) -> None:
    """One connection that breaks; which way, and what it says, follows from its number."""
    chance = random.Random(number)  # noqa: S311
    with suppress(OSError):
        leg = await Leg.connect(door.address, tls if number % 3 else None)
        await BREAKS[number % len(BREAKS)](leg, chance, opening(serve, UUID(int=chance.getrandbits(128))))


@pytest.mark.parametrize(
    ("serve", "over_tls", "times"),
    [
        pytest.param(asterisk.serve, False, 1_000, id="asterisk"),
        pytest.param(asterisk.serve, True, 300, id="asterisk-tls"),
        pytest.param(plain.serve, False, 1_000, id="plain"),
    ],
)
async def test_a_thousand_broken_connections_leave_nothing(
    serve: Any, over_tls: bool, times: int, tmp_path: Path, tls: Any, call_id: UUID
) -> None:
    """No task, no file descriptor, no call; and the door still takes one."""
    door_tls, exchange_tls = tls if over_tls else (None, None)
    async with ringing(serve, tmp_path, tls=door_tls) as door:
        tasks, files = asyncio.all_tasks(), open_files()
        with capture_logs() as logs:
            for batch in range(0, times, 50):
                await asyncio.gather(*(break_one(serve, door, exchange_tls, batch + one) for one in range(50)))
            await until(lambda: asyncio.all_tasks() == tasks and open_files() == files, limit_s=60)
        assert (door.line.running, door.line.left) == (0, 0)
        assert [entry for entry in logs if entry["log_level"] == "error"] == []
        leg = await Leg.connect(door.address, exchange_tls)
        await leg.send(opening(serve, call_id) + speech(serve, SECOND))
        await leg.close()
        await door.kept.ended(call_id)
        assert door.kept.audio(call_id, "unknown" if serve is plain.serve else "caller") == SECOND
