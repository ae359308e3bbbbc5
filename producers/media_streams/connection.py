"""One WebSocket: its token, its `start`, its media to the end, and the code it is closed with."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from aiohttp import WebSocketError, WSMessage, WSMsgType, web

from producers.line import Admission, Busy, Line, same_token
from producers.media_streams import metrics
from producers.media_streams.calls import Calls, Carried
from producers.media_streams.closing import Closing, Code, Malformed
from producers.media_streams.gate import Gate
from producers.media_streams.messages import Connected, Media, Message, Other, Start, Stop, parse

log = structlog.get_logger(__name__)

MESSAGE_BYTES = 64 * 1024
"""The longest message: 20 ms are 0.3 kB, and a second of 16 kHz PCM 43 kB."""
MALFORMED_MESSAGES = 50
"""So many may be spoilt after `start` (what they carried becomes a hole); the next one ends the call."""
MUTE = 20
"""A connection that only answers pings may live so many times `silent_after_s`: some platforms send no silence."""
_LIMITS = {"pace": "too many bytes per second", "first_message": "no start came in time"}
CLOSE_S = 1.0
_GONE = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)


class Broken(Exception):
    """The other side has gone without `stop`."""


class Connection:
    """A WebSocket that was upgraded, and has not said yet which call it carries."""

    def __init__(
        self,
        line: Line,
        calls: Calls,
        admission: Admission,
        gate: Gate,
        socket: web.WebSocketResponse,
        token: str | None,
    ) -> None:
        """`token` is what `start` must show in its custom parameters; None: nothing."""
        self._line = line
        self._calls = calls
        self._silent_s = admission.silent_after_s
        self._gate = gate
        self._socket = socket
        self._token = token
        self._cut: Closing | None = None
        self._waiting: asyncio.Timeout | None = None
        self._malformed = 0
        gate.upgraded(self.give_up)

    def give_up(self, reason: str) -> None:
        """A limit of its socket was reached."""
        self.cut(_policy(reason, _LIMITS[reason]))

    def cut(self, closing: Closing) -> None:
        """Give up: at once if it waits, else with the next message. The first reason counts."""
        self._cut = self._cut or closing
        if self._waiting and not self._waiting.expired():
            with suppress(RuntimeError):  # nobody waits in it any more
                self._waiting.reschedule(asyncio.get_running_loop().time())

    async def serve(self) -> None:
        """To its end. Raises nothing but CancelledError."""
        closing = Closing(Code.FAULT, "fault", "this door failed")
        try:
            await self._serve()
            closing = Closing(Code.DONE, "", "")
        except Broken:
            closing = Closing(Code.DONE, "broken", "")
        except Closing as told:
            closing = told
        except Exception as problem:
            log.exception("connection_failed", door=self._line.door, reason=type(problem).__name__)
        finally:
            self._count(closing)
            await self._close(closing)

    async def _serve(self) -> None:
        carried = await self._calls.take(await self._start(), self)
        self._gate.begun()
        try:
            await self._listen(carried)
            await self._calls.end(carried, self, interrupted=False)
        except (Broken, Closing) as problem:
            if isinstance(problem, Broken) or problem.reason == "silent":
                self._calls.leave(carried, self)
            raise
        finally:  # nothing, if it has been left or ended
            await self._calls.end(carried, self, interrupted=True)

    async def _start(self) -> Start:
        """The first message but `connected`. Everything else there shows a stranger."""
        while True:
            received = await self._receive(None, TimeoutError)
            if received.type is WSMsgType.PONG:
                continue
            try:
                message = self._parsed(received)
            except Malformed as problem:
                raise Closing(Code.MALFORMED, "garbage", str(problem)) from None
            if isinstance(message, Start):
                break
            if not isinstance(message, Connected | Other):
                raise _policy("garbage", "the first message must be connected or start")
        given = message.parameters.get("token")
        if self._token and not (isinstance(given, str) and given.isascii() and same_token(self._token, given)):
            raise _policy("token", "a token is needed: in a header, at the path's end or in customParameters")
        return message

    async def _listen(self, carried: Carried) -> None:
        """Media until `stop`. Raises Broken, and Closing."""
        loop = asyncio.get_running_loop()
        signed_s = said_s = loop.time()
        while True:
            if loop.time() - said_s > MUTE * self._silent_s:
                raise _policy("silent", "no message came for a long time")
            received = await self._sign(signed_s + self._silent_s)
            signed_s = loop.time()
            if received.type is WSMsgType.PONG:
                continue
            said_s = signed_s
            try:
                message = self._parsed(received)
                carried.stream.check(message)
                if isinstance(message, Stop):
                    return
                if isinstance(message, Media):
                    await carried.hear(message)
            except Malformed as problem:
                self._malformed += 1
                if self._malformed > MALFORMED_MESSAGES:
                    raise Closing(Code.MALFORMED, "garbage", str(problem)) from None

    async def _sign(self, by_s: float) -> WSMessage:
        """The next message, or the answer to a ping that was sent after half of the time."""
        half_s = self._silent_s / 2
        try:
            return await self._receive(half_s, TimeoutError)
        except TimeoutError:
            if not self._gate.stuck:
                with suppress(ConnectionError, RuntimeError):  # then the next read says so
                    await self._socket.ping()
        left_s = max(by_s - asyncio.get_running_loop().time(), 0.001)
        return await self._receive(left_s, lambda: _policy("silent", "nothing came for too long"))

    async def _receive(self, within_s: float | None, late: Callable[[], Exception]) -> WSMessage:
        """The next message or pong. Raises Broken, the reason of a cut, what `late` makes, and Closing by a code of
        WebSocket itself."""
        try:
            async with asyncio.timeout(within_s) as self._waiting:
                while True:
                    if self._cut:
                        raise self._cut
                    received = await self._socket.receive()
                    if received.type is not WSMsgType.PING:
                        break
                    if not self._gate.stuck:
                        await self._socket.pong(received.data)
        except TimeoutError:
            raise self._cut or late() from None
        except (ConnectionError, RuntimeError):
            raise Broken from None
        if received.type in _GONE:
            raise Broken
        if received.type is WSMsgType.ERROR:
            raise _as_closing(received.data)
        return received

    def _parsed(self, received: WSMessage) -> Message:
        """Raises Malformed, for bytes too: the protocol is text."""
        event = "malformed"
        try:
            message = parse(received.data if received.type is WSMsgType.TEXT else b"")
            event = type(message).__name__.lower()
        finally:
            metrics.MESSAGES.labels(self._line.door, event).inc()
        return message

    def _count(self, closing: Closing) -> None:
        if closing.reason and not isinstance(closing.__cause__, Busy):  # which the line has counted
            self._line.refused(closing.reason)
        if closing.reason:
            log.warning("connection_closed", door=self._line.door, reason=closing.reason, code=closing.code.value)

    async def _close(self, closing: Closing) -> None:
        """With the code; the other side has `CLOSE_S` to read it and to answer."""
        try:
            await self._socket.close(code=closing.code, message=str(closing).encode()[:120])
        except (ConnectionError, RuntimeError):
            pass
        finally:
            self._gate.drop()


def _policy(reason: str, message: str) -> Closing:
    return Closing(Code.POLICY, reason, message)


def _as_closing(problem: object) -> Exception:
    """What aiohttp has closed the WebSocket for: a message too long, or no WebSocket frames at all."""
    if not isinstance(problem, WebSocketError):
        return Broken()
    too_big = problem.code == Code.TOO_BIG
    return Closing(Code.TOO_BIG if too_big else Code.MALFORMED, "too_big" if too_big else "garbage", "not readable")
