"""A telephony platform's side of Media Streams, written from the public protocol alone.

https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import asyncio
import base64
import itertools
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

FRAME_MS = 20  # as the platform sends
MULAW_BYTES_PER_MS = 8


def mulaw(samples: NDArray[np.int16]) -> bytes:
    """Samples at 8 kHz as G.711 µ-law, by FFmpeg."""
    encoder = AudioCodecContext.create("pcm_mulaw", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8_000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 8_000
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


@dataclass
class Platform:
    """One stream of one call. Numbers are text, as in the protocol's examples."""

    socket: aiohttp.ClientWebSocketResponse
    call_sid: str = field(default_factory=lambda: f"CA{uuid.uuid4().hex}")
    stream_sid: str = field(default_factory=lambda: f"MZ{uuid.uuid4().hex}")
    sequence: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    chunks: dict[str, int] = field(default_factory=dict)

    async def send(self, event: str, **facts: Any) -> None:
        await self.socket.send_str(json.dumps({"event": event, "streamSid": self.stream_sid} | facts))

    async def connected(self) -> None:
        await self.socket.send_str(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))

    async def start(
        self,
        tracks: tuple[str, ...] = ("inbound", "outbound"),
        encoding: str = "audio/x-mulaw",
        rate_hz: int = 8_000,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """`connected`, then what the stream is."""
        await self.connected()
        about = {
            "streamSid": self.stream_sid,
            "accountSid": "AC0",
            "callSid": self.call_sid,
            "tracks": list(tracks),
            "customParameters": dict(parameters or {}),
            "mediaFormat": {"encoding": encoding, "sampleRate": rate_hz, "channels": 1},
        }
        await self.send("start", sequenceNumber=self._next(), start=about)

    async def media(
        self, track: str, payload: bytes, timestamp_ms: int | None = None, chunk: int | None = None
    ) -> None:
        """A frame; `chunk` is the next of the track if not given."""
        number = self.chunks.get(track, 0) + 1 if chunk is None else chunk
        self.chunks[track] = max(number, self.chunks.get(track, 0))
        media = {"track": track, "chunk": str(number), "payload": base64.b64encode(payload).decode()}
        if timestamp_ms is not None:
            media["timestamp"] = str(timestamp_ms)
        await self.send("media", sequenceNumber=self._next(), media=media)

    async def speak(self, tracks: Mapping[str, bytes], from_ms: int = 0, speed: float = float("inf")) -> None:
        """µ-law of every track in frames of 20 ms, in turns, at real time times `speed`."""
        loop = asyncio.get_running_loop()
        began_s, size = loop.time(), FRAME_MS * MULAW_BYTES_PER_MS
        for start in range(0, max(map(len, tracks.values())), size):
            at_ms = start // MULAW_BYTES_PER_MS
            await asyncio.sleep(max(0.0, began_s + at_ms / 1000 / speed - loop.time()))
            for track, audio in tracks.items():
                if frame := audio[start : start + size]:
                    await self.media(track, frame, from_ms + at_ms)

    async def press(self, digit: str) -> None:
        await self.send("dtmf", sequenceNumber=self._next(), dtmf={"track": "inbound_track", "digit": digit})

    async def mark(self, name: str) -> None:
        await self.send("mark", sequenceNumber=self._next(), mark={"name": name})

    async def stop(self) -> int | None:
        """Says that the stream has ended. The close code that comes back."""
        await self.send("stop", sequenceNumber=self._next(), stop={"accountSid": "AC0", "callSid": self.call_sid})
        return await self.closed()

    async def closed(self) -> int | None:
        """The code that the other side closes with; 1006 if it just breaks."""
        async with asyncio.timeout(60):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code

    def cut(self) -> None:
        """Break the connection, as a machine does that loses its power."""
        self.socket._response.connection.transport.abort()  # type: ignore[union-attr]  # there is no public way

    def _next(self) -> str:
        return str(next(self.sequence))


@asynccontextmanager
async def dial(
    address: tuple[str, int],
    path: str = "/",
    *,
    tls: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
    answers_pings: bool = True,
    call_sid: str | None = None,
    resumes: Platform | None = None,
) -> AsyncIterator[Platform]:
    """A WebSocket that has said nothing yet; of the call `call_sid`, or of the stream `resumes`, with its counts."""
    host = "localhost" if tls else address[0]
    url = f"{'wss' if tls else 'ws'}://{host}:{address[1]}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, ssl=tls or True, headers=headers, autoping=answers_pings) as socket,
    ):
        if resumes:
            yield replace(resumes, socket=socket)
        else:
            yield Platform(socket, call_sid) if call_sid else Platform(socket)
