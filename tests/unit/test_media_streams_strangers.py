"""Who gets into the WebSocket door: addresses, TLS, the token."""

import functools
import ssl
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from callbus.errors import InputError
from producers.line import client_tls, server_tls
from tests.certificates import localhost
from tests.clients.media_stream import dial
from tests.clients.ringing import FAST
from tests.unit.media_streams import FRAME, UPGRADE, answer, open_door, raw, serve
from tests.until import until

TOKEN = "correct-horse-battery"  # noqa: S105 -- of these tests

secret = functools.partial(serve, token=TOKEN)


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
