"""The plain form: `<call_id>` and one CR or LF, then 16 kHz s16le mono in frames of 10 ms (320 bytes) until the close.

What the system that this one replaces takes from Asterisk, on port 8300. Both voices are mixed, so the one leg's
speaker is `unknown`. The line ends with one byte: after CR LF the LF would be half a sample, and all that follows
noise. The protocol knows no hang-up but the close; whatever else ends a connection makes the call `interrupted`.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from callbus.errors import InputError
from producers.asterisk.connection import Connection
from producers.asterisk.protocol import ProtocolError
from producers.asterisk.serving import serve_connections
from producers.line import Admission, Line, Sounding

log = structlog.get_logger(__name__)

PORT = 8300
SOUNDING = Sounding(codec="pcm_s16le", rate_hz=16_000)
MOST_ID_BYTES = 128
_LINE_END = re.compile(rb"[\r\n]")
_CALL_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:@+-]*")


@dataclass(frozen=True, slots=True)
class Named:
    """The first line."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Audio:
    """What came of the audio: never empty, and not always whole samples."""

    payload: bytes


class Plain:
    """The parts of one connection. Holds at most an unfinished first line."""

    def __init__(self) -> None:
        self._held = b""
        self._named = False

    @property
    def inside(self) -> bool:
        """Whether the first line has begun and not ended."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[Named | Audio]:
        """What these bytes complete; run it to its end. Raises ProtocolError for a first line that names no call."""
        if not self._named:
            end = _LINE_END.search(data)
            self._held += data[: end.start()] if end else data[: MOST_ID_BYTES + 1]
            if len(self._held) > MOST_ID_BYTES:
                raise ProtocolError(f"no CR or LF in the first {MOST_ID_BYTES} bytes; the call's id comes first")
            if not end:
                return
            if not _CALL_ID.fullmatch(self._held):
                raise ProtocolError("the first line is no call's id; letters, digits and . _ : @ + - are allowed")
            call_id, self._held, self._named = self._held.decode("ascii"), b"", True
            yield Named(call_id)
            data = data[end.end() :]
        if data:
            yield Audio(data)


async def serve(
    line: Line,
    listen: tuple[str, int],
    admission: Admission,
    *,
    tls: ssl.SSLContext | None = None,
    token: str | None = None,
    ready: Callable[[tuple[str, int]], None] | None = None,
    stopping: asyncio.Event,
) -> None:
    """Takes calls until `stopping`; calls that run then are `interrupted`. Port 0 is any free one: `ready` hears which.

    Raises InputError for an address that can't be listened on, and for a token: this form has no place for one.
    """
    if token is not None:
        raise InputError("the plain form has no place for a token; leave it out, and use --allow or TLS")

    async def take(connection: Connection) -> None:
        await _take(line, connection)

    await serve_connections(line, take, listen, admission, legs=1, tls=tls, ready=ready, stopping=stopping)


async def _take(line: Line, connection: Connection) -> None:
    plain, call, cut = Plain(), None, True
    try:
        while data := await connection.read():
            for part in plain.feed(data):
                match part:
                    case Named(call_id):
                        call = await line.begin(call_id, ["unknown"], SOUNDING)
                        connection.opened()
                        log.info("call_begun", call_id=call_id)
                    case Audio(payload) if call:
                        await call.hear("unknown", payload)
        if plain.inside:
            raise ProtocolError("closed before its first line ended; a call's id comes first")
        cut = False
    finally:
        if call:
            await call.end(interrupted=cut)
            log.info("call_ended", call_id=call.call_id, interrupted=cut)
