"""A door that is open on a free port of this machine, and what it has published."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import REGISTRY

from producers.line import Admission, Line, Spool
from tests.lines import Memory
from tests.until import until

FAST = Admission(most_bytes_per_second=100_000_000)
"""Lets calls in that are played faster than they were spoken."""


class Serves(Protocol):
    """`serve` of a door."""

    async def __call__(
        self,
        line: Line,
        listen: tuple[str, int],
        admission: Admission,
        *,
        tls: ssl.SSLContext | None,
        ready: Any,
        stopping: asyncio.Event,
    ) -> None: ...


class Kept(Memory):
    """What was published, as the tests of a door ask for it."""

    def audio(self, call_id: object, channel: str) -> bytes:
        return b"".join(chunk.payload for chunk in self.chunks(str(call_id), channel))

    async def ended(self, call_id: object) -> list[str]:
        """The call's steps once it is over."""
        await until(lambda: "ended" in self.steps(str(call_id)), limit_s=20)
        return self.steps(str(call_id))


@dataclass(frozen=True)
class Door:
    """Where to call, what came of it, and how to close."""

    address: tuple[str, int]
    kept: Kept
    line: Line
    stopping: asyncio.Event

    def refused(self, reason: str) -> float:
        """How many connections it has turned away for this reason, in this process."""
        labels = {"door": self.line.door, "reason": reason}
        return REGISTRY.get_sample_value("callbus_door_refused_total", labels) or 0.0


@asynccontextmanager
async def ringing(
    serve: Serves,
    folder: Path,
    admission: Admission = FAST,
    tls: ssl.SSLContext | None = None,
    publisher: Any = None,
    name: str = "asterisk",
) -> AsyncIterator[Door]:
    """A door with a line of its own."""
    kept, stopping = Kept(), asyncio.Event()
    ready: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    async with Line(publisher or kept, name, Spool(folder / "spool"), most_calls=admission.most_calls) as line:
        serving = asyncio.create_task(
            serve(line, ("127.0.0.1", 0), admission, tls=tls, ready=ready.set_result, stopping=stopping)
        )
        try:
            await until(ready.done, [serving])
            yield Door(await ready, kept, line, stopping)
        finally:
            stopping.set()
            await serving


def open_files() -> int:
    """How many file descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))
