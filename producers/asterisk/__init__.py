"""asterisk: calls from a telephone exchange, by AudioSocket over TCP (`protocol.py`).

**Two connections with one UUID are the two legs of one call**: the first to say it is the caller, the second the agent
(`agent_first` turns that round). Its text is the call_id. Nothing else tells the two apart, so an exchange opens the
caller's first, and gives each call a UUID of its own: one that was used is refused. One leg alone is a call too; the
other gets its last chunk, empty, at the end. In a dialplan: `AudioSocket(${UUID},door:9019)`; to listen to a bridged
call, two snoop channels, each with an external media channel of `encapsulation=audiosocket`.

**A call ends** when the last leg on it has gone. A leg hangs up by a hang-up frame, by closing between two frames (as
Asterisk does) or by error 1 (the caller hung up). Any other way to go is a cut: a reset, a close inside a frame, an
error, a limit of this door. If no leg hung up, the call is `interrupted`. The leg that is left may say more for as long
as `legs.ALONE_S` of audio; meanwhile a connection more takes the place that is free: so one agent follows another.

**Both legs stay side by side.** A leg that joins late, or that sent nothing for a while (hold, silence suppression)
while the other went on, goes on where the other is; what lies between becomes a gap. That a gap begins is told after a
second, so that what was said before it is heard to its end. A leg that the network held up sends what is missing in a
burst (`producers/line/quiet.py`): then only what the clock still lacks is a gap. Both need the same format. A
connection that sends nothing at all for `silent_after_s` is cut: set it above the longest hold without music.

Digits (DTMF) are read past: they may be PINs. Kinds of frames that this reader does not know are passed over. The door
says nothing but, at the end, a hang-up: then the dialplan goes on, where a broken socket would end the caller's
channel. It reads no faster than it journals; what is not read yet waits in TCP's buffers, for seconds.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator

import structlog

from callbus.errors import InputError
from producers.asterisk.connection import Connection, Cut
from producers.asterisk.legs import AGENT_FIRST, CALLER_FIRST
from producers.asterisk.protocol import (
    HANG_UP_FRAME,
    Audio,
    Failure,
    Frame,
    Frames,
    HangUp,
    Identity,
    Unknown,
)
from producers.asterisk.serving import serve_connections
from producers.asterisk.talks import Talk, Talks
from producers.line import Admission, Line
from schemas.records import Speaker

log = structlog.get_logger(__name__)

PORT = 9019


async def serve(
    line: Line,
    listen: tuple[str, int],
    admission: Admission,
    *,
    tls: ssl.SSLContext | None = None,
    token: str | None = None,
    ready: Callable[[tuple[str, int]], None] | None = None,
    stopping: asyncio.Event,
    agent_first: bool = False,
) -> None:
    """Takes calls until `stopping`; calls that run then are `interrupted`. Port 0 is any free one: `ready` hears which.

    Raises InputError for an address that can't be listened on, and for a token: AudioSocket has no place for one.
    """
    if token is not None:
        raise InputError("AudioSocket has no place for a token; leave it out, and use --allow or TLS")
    talks = Talks(line, AGENT_FIRST if agent_first else CALLER_FIRST)

    async def take(connection: Connection) -> None:
        await _take(talks, connection)

    await serve_connections(
        line, take, listen, admission, legs=2, last_word=HANG_UP_FRAME, tls=tls, ready=ready, stopping=stopping
    )


class _Incoming:
    """The frames of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames = Frames()
        self._whole: Iterator[Frame] = iter(())

    async def next(self) -> Frame | None:
        """None once it has closed. Raises Cut if that comes inside a frame, and ProtocolError."""
        while (frame := next(self._whole, None)) is None:
            data = await self._connection.read()
            if not data and self._frames.inside:
                raise Cut("closed inside a frame", "broken")
            if not data:
                return None
            self._whole = self._frames.feed(data)
        return frame


async def _take(talks: Talks, connection: Connection) -> None:
    incoming = _Incoming(connection)
    first = await incoming.next()
    if not isinstance(first, Identity):  # closed with nothing said, as one does who asks whether this port is open
        return
    talk, leg = talks.join(str(first.call_id))
    connection.opened()
    hung_up = False
    try:
        hung_up = await _listen(talk, leg, incoming)
    finally:
        await talks.leave(talk, leg, hung_up)


async def _listen(talk: Talk, leg: Speaker, incoming: _Incoming) -> bool:
    """A leg to its end. Whether it hung up; the other ends are exceptions."""
    unknown: set[int] = set()
    while frame := await incoming.next():
        match frame:
            case Audio(payload=payload) if payload:
                await talk.hear(leg, frame)
            case HangUp():
                return True
            case Failure(code):
                log.warning("leg_failed", call_id=talk.call_id, leg=leg, code=code)
                return frame.hung_up
            case Unknown(kind) if kind not in unknown:
                unknown.add(kind)
                log.warning("frames_passed_over", call_id=talk.call_id, leg=leg, kind=f"0x{kind:02x}")
    return True
