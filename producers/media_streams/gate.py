"""One accepted socket, before and below its WebSocket: how fast it may send, and how long it may take to begin.

aiohttp reads HTTP and WebSocket frames; this counts the bytes under both. So what never becomes a message (headers
without an end, fragments without an end) is limited too.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from aiohttp import web

from producers.line import Admission

# aiohttp would show in its log what a stranger's broken request looked like, and a token may be in it; and which
# subprotocols the stranger asked for.
_SILENT = logging.getLogger("callbus.media_streams.http")
_SILENT.setLevel(logging.CRITICAL + 1)
logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)


class Gate(web.RequestHandler):
    """A connection that was let in. It must have `begun` within `within_s`, and keeps its pace."""

    __slots__ = ("_begin_by", "_give_up", "_over_pace", "_pace", "_refused")

    def __init__(
        self, server: web.Server, admission: Admission, within_s: float, refused: Callable[[str, str], None]
    ) -> None:
        """`refused` hears a word for metrics, and the address, when the connection is dropped here."""
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, logger=_SILENT, access_log=_SILENT, keepalive_timeout=within_s)
        self._pace = admission.pace()
        self._refused = refused
        self._over_pace = False
        self._give_up: Callable[[str], None] = self._refuse
        self._begin_by = loop.call_later(within_s, lambda: self._give_up("first_message"))

    def upgraded(self, give_up: Callable[[str], None]) -> None:
        """It is a WebSocket now: a limit that is reached is told to `give_up`, which closes it and says why."""
        self._give_up = give_up

    def begun(self) -> None:
        """It has said which call it carries: from now on only its pace counts here."""
        self._begin_by.cancel()

    @property
    def address(self) -> str:
        """Where it comes from."""
        return str((self.peername or ("",))[0])

    @property
    def has_begun(self) -> bool:
        """Whether it carries a call, or did."""
        return self._begin_by.cancelled()

    @property
    def stuck(self) -> bool:
        """Whether the other side does not read: what it was told before is still here. Then nothing may be written:
        one who waits in aiohttp until it can be, and gives up, leaves a cancelled future for whoever writes next."""
        return isinstance(self.transport, asyncio.Transport) and self.transport.get_write_buffer_size() > 0

    def drop(self) -> None:
        """Close at once, if it is not closing with nothing left to say."""
        transport = self.transport
        if isinstance(transport, asyncio.Transport) and (self.stuck or not transport.is_closing()):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._over_pace:
            return
        if self._pace.take(len(data), time.monotonic()):
            super().data_received(data)
            return
        self._over_pace = True
        self._give_up("pace")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._begin_by.cancel()
        self._give_up = self._refuse  # or both would hold each other
        super().connection_lost(exc)

    def _refuse(self, reason: str) -> None:
        self._refused(reason, self.address)
        self.drop()
