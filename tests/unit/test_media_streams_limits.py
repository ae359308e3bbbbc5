"""The limits of the WebSocket door: calls, connections, bytes, time."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from producers.media_streams import connection, serving
from tests.clients.media_stream import dial
from tests.clients.ringing import FAST
from tests.unit.media_streams import FRAME, UPGRADE, answer, open_door, raw, serve, start_message, text_frame
from tests.until import until


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


async def test_one_address_can_t_take_all_the_places(tmp_path: Path) -> None:
    """Idle connections from one address, however many: a call from another begins. So does one more from there, once
    those before have begun theirs."""
    async with open_door(serve, tmp_path, replace(FAST, most_calls=2, most_opening=4)) as door:
        before = door.refused("opening_calls")
        idle = [await raw(door) for _ in range(60)]
        await until(lambda: door.refused("opening_calls") == before + 56)
        reader, writer = await asyncio.open_connection(*door.address, local_addr=("127.0.0.2", 0))
        writer.write(UPGRADE + text_frame(start_message("CA1")))
        await until(lambda: door.line.running == 1)
        idle[0][1].write(UPGRADE + text_frame(start_message("CA2")))
        await until(lambda: door.line.running == 2)
        idle.append(await raw(door))
        idle[-1][1].write(UPGRADE)
        assert (await idle[-1][0].readline()).startswith(b"HTTP/1.1 101 ")
        for _, one in [*idle, (reader, writer)]:
            one.close()


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
