"""One connection of an exchange: read within the limits, and closed so that the exchange lives on.

An exchange may hang up on the caller when its socket breaks: Asterisk's AudioSocket() takes a hang-up frame or a close
as a good end, and ends the channel on anything else (`audiosocket_run` in app_audiosocket.c). A socket that is closed
with unread bytes is reset (RFC 2525 § 2.17). So `part` says the last word, and reads on until the other side has gone.
"""

import asyncio
import time
from contextlib import suppress

from callbus.errors import CallbusError
from producers.line import Admission

READ_BYTES = 16_384
OPENING_S = 5.0
"""Within which a connection must have said which call it belongs to."""

LINGER_S = 2.0


class Cut(CallbusError):
    """A connection that this side gives up: it broke, or a limit was reached. `reason` is a word for metrics."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Connection:
    """A connection that was let in. At most a few `READ_BYTES` of it are in memory: what is not read waits in TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, admission: Admission) -> None:
        self._reader = reader
        self._writer = writer
        self._silent_after_s = admission.silent_after_s
        self._pace = admission.pace()
        self._open_by_s: float | None = asyncio.get_running_loop().time() + OPENING_S
        self._waiting: asyncio.Timeout | None = None
        self._stopping = False

    def opened(self) -> None:
        """It has said which call it belongs to: from now on only silence ends it."""
        self._open_by_s = None

    @property
    def is_open(self) -> bool:
        return self._open_by_s is None

    async def read(self) -> bytes:
        """The next bytes, as they come. Nothing: the other side has closed. Raises Cut."""
        if self._stopping:
            raise Cut("this door stops", "stopping")
        end_s = asyncio.get_running_loop().time() + self._silent_after_s
        if self._open_by_s is not None:
            end_s = min(end_s, self._open_by_s)
        try:
            async with asyncio.timeout_at(end_s) as self._waiting:
                data = await self._reader.read(READ_BYTES)
        except OSError as problem:  # TimeoutError, which it may mean, is one
            raise self._broken(problem) from problem
        if not self._pace.take(len(data), time.monotonic()):
            raise Cut(f"sent more than {self._pace.most_bytes_per_second} bytes per second", "pace")
        return data

    def stop(self) -> None:
        """Give up reading, now or with the next `read`."""
        self._stopping = True
        if self._waiting and not self._waiting.expired():
            with suppress(RuntimeError):  # nobody waits in it any more
                self._waiting.reschedule(asyncio.get_running_loop().time())

    async def part(self, last_word: bytes = b"") -> None:
        """Close once the other side has closed too, within `LINGER_S`; what it still sends is thrown away."""
        with suppress(OSError):
            async with asyncio.timeout(LINGER_S):
                self._writer.write(last_word)
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                while await self._reader.read(READ_BYTES):
                    pass
        await self.drop()

    async def drop(self) -> None:
        """Close at once."""
        self._writer.transport.abort()
        with suppress(OSError):
            async with asyncio.timeout(LINGER_S):
                await self._writer.wait_closed()

    def _broken(self, problem: OSError) -> Cut:
        if self._waiting is None or not self._waiting.expired():
            return Cut(f"the connection broke: {problem.strerror or type(problem).__name__}", "broken")
        if self._stopping:
            return Cut("this door stops", "stopping")
        if not self.is_open:
            return Cut(f"did not say within {OPENING_S:g} s which call it belongs to", "opening")
        return Cut(f"sent nothing for {self._silent_after_s:g} s", "silent")
