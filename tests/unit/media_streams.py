"""The WebSocket door as a stranger meets it: bytes on a socket, and a door to send them to."""

import asyncio
import functools
import json
from contextlib import suppress

from producers import media_streams
from tests.clients.ringing import Door, ringing

NAME = "media_streams"
FRAME = b"\xff" * 160
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

serve = functools.partial(media_streams.serve, rejoin_s=0.2)
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
