"""Listening: who gets in, how many at once, and what becomes of a connection that fails."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

import structlog

from producers.asterisk.connection import OPENING_S, READ_BYTES, Connection, Cut
from producers.asterisk.protocol import ProtocolError
from producers.line import Admission, Busy, Line, accepted, bound

log = structlog.get_logger(__name__)

_SPARE = 32  # connections that have not begun a call yet
_TURNS = 10  # of the event loop, within which bytes that are here already become a call's name

Take = Callable[[Connection], Awaitable[None]]


async def serve_connections(
    line: Line,
    take: Take,
    listen: tuple[str, int],
    admission: Admission,
    *,
    legs: int,
    last_word: bytes = b"",
    tls: ssl.SSLContext | None = None,
    ready: Callable[[tuple[str, int]], None] | None = None,
    stopping: asyncio.Event,
) -> None:
    """Hands each connection to `take` in a task of its own, until `stopping`; then all of them are cut and waited for.

    An address is looked at before a byte is read, and there are never more connections than `legs` for each of the
    calls allowed, and a few; of one address only `most_opening` that have not begun a call. `last_word` is said when
    this side ends a connection. An exception of one connection ends that connection alone. Raises InputError where
    nothing can listen.
    """
    sockets = await bound(listen)
    door = _Door(line, take, admission, legs * admission.most_calls + _SPARE, last_word, tls)
    try:
        async with asyncio.TaskGroup() as tasks:
            accepting = [tasks.create_task(door.accept(one, tasks)) for one in sockets]
            if ready:
                ready(sockets[0].getsockname()[:2])
            await stopping.wait()
            for task in accepting:
                task.cancel()
            door.stop()
    finally:
        for one in sockets:
            one.close()


class _Door:
    """Where connections come in."""

    def __init__(
        self, line: Line, take: Take, admission: Admission, most: int, last_word: bytes, tls: ssl.SSLContext | None
    ) -> None:
        self._line = line
        self._take = take
        self._admission = admission
        self._most = most
        self._last_word = last_word
        self._tls = tls
        self._shaking_hands: list[str] = []
        self._connections: dict[Connection, str] = {}
        self._stopping = False

    async def accept(self, listening: socket.socket, tasks: asyncio.TaskGroup) -> None:
        async for connected, address in accepted(listening):
            for _ in range(_TURNS):
                if self._why_not(address) != "opening_calls":
                    break
                await asyncio.sleep(0)  # many calls at once: those before may have said by now which they are
            if reason := self._why_not(address):
                connected.close()
                self._refuse(reason, address)
            else:
                self._shaking_hands.append(address)
                tasks.create_task(self._serve(connected, address))

    def stop(self) -> None:
        self._stopping = True
        for connection in self._connections:
            connection.stop()

    def _why_not(self, address: str) -> str:
        """Why a connection from there can't come in, as a word for metrics; nothing if it can."""
        opening = [one for connection, one in self._connections.items() if not connection.is_open]
        if reason := self._admission.why_not(address, [*self._shaking_hands, *opening]):
            return reason
        return "connections" if len(self._shaking_hands) + len(self._connections) >= self._most else ""

    def _refuse(self, reason: str, address: str, problem: Exception | None = None) -> None:
        self._line.refused(reason)
        log.warning("connection_given_up", door=self._line.door, reason=reason, address=address, problem=_said(problem))

    async def _serve(self, connected: socket.socket, address: str) -> None:
        try:
            connection = await _connection(connected, self._tls, self._admission)
        except OSError as problem:  # ssl.SSLError is one
            self._refuse("tls", address, problem)
            return
        finally:
            self._shaking_hands.remove(address)
        self._connections[connection] = address
        try:
            if self._stopping:
                connection.stop()
            await self._taken(connection, address)
        finally:
            del self._connections[connection]

    async def _taken(self, connection: Connection, address: str) -> None:
        politely = False
        try:
            await self._take(connection)
            politely = True
        except ProtocolError as problem:
            self._refuse("garbage", address, problem)
            politely = connection.is_open
        except Busy as problem:  # which the line has counted
            log.warning("call_refused", door=self._line.door, reason=problem.reason, problem=str(problem))
            politely = True
        except Cut as problem:
            if problem.reason != "stopping":
                self._refuse(problem.reason, address, problem)
            politely = problem.reason not in ("broken", "opening")
        except Exception:
            log.exception("connection_failed", door=self._line.door)
            politely = True
        finally:
            await (connection.part(self._last_word) if politely else connection.drop())


async def _connection(connected: socket.socket, tls: ssl.SSLContext | None, admission: Admission) -> Connection:
    """An accepted socket as a connection, after its TLS handshake where there is one. Raises OSError."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=READ_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connected, ssl=tls, ssl_handshake_timeout=OPENING_S if tls else None
        )
    except BaseException:
        connected.close()
        raise
    return Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop), admission)


def _said(problem: Exception | None) -> str:
    return str(problem) or type(problem).__name__ if problem else ""
