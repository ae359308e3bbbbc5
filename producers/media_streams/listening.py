"""Accepting: addresses are looked at and connections counted before a byte is read, or a TLS handshake begun."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection

from producers.line import accepted


class Accepting:
    """Turns accepted sockets into connections of `protocol`, each in a task of its own while it shakes hands."""

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        why_not: Callable[[str, Collection[str]], str],
        refused: Callable[[str, str], None],
        tls: ssl.SSLContext | None,
        handshake_s: float,
    ) -> None:
        """`why_not(address, opening)` is a word for metrics, or nothing for a connection that may come in beside those
        from `opening`, which shake hands; `refused` hears that word, or "tls", and the address."""
        self._protocol = protocol
        self._why_not = why_not
        self._refused = refused
        self._tls = tls
        self._handshake_s = handshake_s
        self._opening: dict[asyncio.Task[None], str] = {}

    async def run(self, listening: socket.socket) -> None:
        """Until cancelled."""
        async for connected, address in accepted(listening):
            if reason := self._why_not(address, self._opening.values()):
                connected.close()
                self._refused(reason, address)
                continue
            task = asyncio.create_task(self._open(connected, address), name="media-streams: handshake")
            self._opening[task] = address
            task.add_done_callback(self._opening.pop)

    async def stop(self) -> None:
        """Give up the handshakes that are under way."""
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)

    async def _open(self, connected: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._protocol,
                connected,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_s if self._tls else None,
                ssl_shutdown_timeout=self._handshake_s if self._tls else None,
            )
        except OSError:  # ssl.SSLError and TimeoutError are some
            connected.close()
            self._refused("tls", address)
        except BaseException:
            connected.close()
            raise
