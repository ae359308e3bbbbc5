"""An exchange's side of AudioSocket, written from the public protocol alone.

https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Self
from uuid import UUID

FRAME_MS = 20  # as Asterisk sends
KIND_OF_RATE_HZ: Mapping[int, int] = {
    8_000: 0x10,
    12_000: 0x11,
    16_000: 0x12,
    24_000: 0x13,
    32_000: 0x14,
    44_100: 0x15,
    48_000: 0x16,
    96_000: 0x17,
    192_000: 0x18,
}


def packet(kind: int, payload: bytes = b"") -> bytes:
    """One message: type, length in network order, payload."""
    return struct.pack("!BH", kind, len(payload)) + payload


class Leg:
    """One connection of a call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> Self:
        """A connection that has said nothing yet."""
        name = "localhost" if tls else None
        return cls(*await asyncio.open_connection(*address, ssl=tls, server_hostname=name))

    @classmethod
    async def of(cls, call_id: UUID, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> Self:
        """A leg of this call."""
        leg = await cls.connect(address, tls)
        await leg.send(packet(0x01, call_id.bytes))
        return leg

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def speak(self, samples: bytes, rate_hz: int = 8_000, speed: float = float("inf")) -> None:
        """Audio (s16le, mono) in frames of 20 ms, at real time times `speed`."""
        size = 2 * rate_hz * FRAME_MS // 1000
        began_s = asyncio.get_running_loop().time()
        for number, start in enumerate(range(0, len(samples), size)):
            due_s = began_s + number * FRAME_MS / 1000 / speed
            await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
            await self.send(packet(KIND_OF_RATE_HZ[rate_hz], samples[start : start + size]))

    async def press(self, digit: str) -> None:
        await self.send(packet(0x03, digit.encode("ascii")))

    async def fail(self, code: int) -> None:
        await self.send(packet(0xFF, bytes([code])))

    async def hang_up(self) -> bytes:
        """Says so and waits for the other side to close. What that had said."""
        await self.send(packet(0x00))
        said = await self.said()
        await self._gone()
        return said

    async def close(self) -> bytes:
        """Close between two frames, as Asterisk does. What the other side had said; of TLS nothing can be read then."""
        said = b""
        if self.writer.can_write_eof():
            self.writer.write_eof()
            said = await self.said()
        await self._gone()
        return said

    async def said(self) -> bytes:
        """All that the other side says until it closes."""
        async with asyncio.timeout(60):
            return await self.reader.read()

    def reset(self) -> None:
        """Break the connection, as a machine does that loses its power."""
        end: socket.socket = self.writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _gone(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
