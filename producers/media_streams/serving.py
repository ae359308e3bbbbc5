"""The door's sockets: who gets in, and the token where it comes with the request."""

import asyncio
import ssl
from collections.abc import Callable, Collection
from typing import cast

import structlog
from aiohttp import hdrs, web

from callbus.errors import InputError
from producers.line import Admission, Line, bound, same_token
from producers.media_streams.calls import REJOIN_S, Calls
from producers.media_streams.closing import Closing, Code
from producers.media_streams.connection import CLOSE_S, MESSAGE_BYTES, Connection
from producers.media_streams.gate import Gate
from producers.media_streams.listening import Accepting
from producers.media_streams.start import AGENT_INBOUND, CALLER_INBOUND

log = structlog.get_logger(__name__)

FIRST_S = 5.0
"""Within which a connection must have sent its `start`, from the moment it was accepted."""
_SPARE = 32  # connections that have not begun a call, or are being closed
_LEAVE_S = 4.0


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
    big_endian: bool = False,
    rejoin_s: float = REJOIN_S,
) -> None:
    """Takes calls until `stopping`; calls that run then are `interrupted`. Port 0 is any free one: `ready` hears which.

    `agent_first`: the agent is the inbound track. `big_endian`: so is audio/x-l16. Raises InputError for an address
    that can't be listened on, and for an empty token.
    """
    if token == "":
        raise InputError("the token is empty; give one of 16 or more characters, or none at all")
    sockets = await bound(listen)
    calls = Calls(line, AGENT_INBOUND if agent_first else CALLER_INBOUND, "big" if big_endian else "little", rejoin_s)
    door = _Door(line, calls, admission, token)
    accepting = Accepting(door.gate, door.why_not, door.refuse, tls, FIRST_S)
    address = sockets[0].getsockname()[:2]
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(accepting.run(one)) for one in sockets]
            log.info("listening", door=line.door, address=f"{address[0]}:{address[1]}")
            if ready:
                ready(address)
            await stopping.wait()
            for task in running:
                task.cancel()
    finally:
        for one in sockets:
            one.close()
        await accepting.stop()
        await door.stop()


class _Door:
    """Where connections come in."""

    def __init__(self, line: Line, calls: Calls, admission: Admission, token: str | None) -> None:
        self._line = line
        self._calls = calls
        self._admission = admission
        self._token = token
        self._server = web.Server(self._handle)
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._most = admission.most_calls + _SPARE

    def gate(self) -> Gate:
        return Gate(self._server, self._admission, FIRST_S, self.refuse)

    def why_not(self, address: str, opening: Collection[str]) -> str:
        """Why a connection from there can't come in, as a word for metrics; nothing if it can."""
        connected = [cast(Gate, one) for one in self._server.connections]
        waiting = [one.address for one in connected if not one.has_begun]
        if reason := self._admission.why_not(address, [*opening, *waiting]):
            return reason
        return "connections" if len(opening) + len(connected) >= self._most else ""

    def refuse(self, reason: str, address: str) -> None:
        self._line.refused(reason)
        log.warning("connection_refused", door=self._line.door, reason=reason, address=address)

    async def stop(self) -> None:
        """Close all connections, end all calls."""
        for connection in self._connections:
            connection.cut(Closing(Code.GOING_AWAY, "stopping", "this door stops"))
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._empty.wait()
        except TimeoutError:
            log.warning("left_connections", door=self._line.door, connections=len(self._connections))
        await self._calls.stop()
        await self._server.shutdown(timeout=1.0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        gate = cast(Gate, request.protocol)
        shown = _shown(request, self._token)
        if shown is False:
            return self._turn_away(
                web.Response(status=401, headers={hdrs.WWW_AUTHENTICATE: "Bearer"}), "token", request
            )
        socket = web.WebSocketResponse(
            timeout=CLOSE_S, autoclose=True, autoping=False, compress=False, max_msg_size=MESSAGE_BYTES
        )
        if not socket.can_prepare(request):
            return self._turn_away(web.Response(status=426, headers={hdrs.UPGRADE: "websocket"}), "garbage", request)
        await socket.prepare(request)
        needed = None if shown else self._token
        connection = Connection(self._line, self._calls, self._admission, gate, socket, needed)
        self._connections.add(connection)
        self._empty.clear()
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()
        return socket

    def _turn_away(self, response: web.Response, reason: str, request: web.BaseRequest) -> web.Response:
        self.refuse(reason, request.remote or "")
        response.force_close()
        return response


def _shown(request: web.BaseRequest, token: str | None) -> bool | None:
    """Whether the request shows the token, in its Authorization header or as the last part of its path. None: neither
    is there, and `start` may show it still."""
    if token is None:
        return True
    kind, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if kind:
        return kind.lower() == "bearer" and _same(token, given.strip())
    return True if _same(token, request.path.rpartition("/")[2]) else None


def _same(token: str, given: str) -> bool:
    return given.isascii() and same_token(token, given)
