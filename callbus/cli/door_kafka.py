"""A door's way to Kafka: opened beside its calls, for however long that takes."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import structlog

from callbus.codec import Codec
from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.reach import reach
from callbus.topology import Producer

log = structlog.get_logger(__name__)

_AGAIN_S = 0.5


class Awaited:
    """A `Publisher` that may come later: what is published before waits for it, and stays in its journal meanwhile.

    Use as an async context manager. Entering it waits for nothing.
    """

    def __init__(
        self, connection: Connection, codec: Codec, door: Producer, wait_s: float, decided: Callable[[], None]
    ) -> None:
        """A Kafka that answers may lack the door's topics for `wait_s`; for one that does not answer it waits without
        end. `decided` is called once there is a `publisher`, or a `problem` that no waiting mends."""
        self.publisher: Publisher | None = None
        self.problem: BaseException | None = None
        self._connection, self._codec, self._door, self._wait_s = connection, codec, door, wait_s
        self._decided = decided
        self._known = asyncio.Event()
        self._opening: asyncio.Task[Publisher] | None = None

    async def publish(self, topic: str, record: Any) -> None:
        """As `Publisher.publish`, once there is one. Raises the `problem`."""
        await self._known.wait()
        if self.publisher is None:
            raise self.problem or BrokerError(f"{self._connection.brokers}: not there yet")
        await self.publisher.publish(topic, record)

    async def __aenter__(self) -> Self:
        self._opening = asyncio.create_task(self._open(), name="look for Kafka")
        self._opening.add_done_callback(self._opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opening and not self._opening.done():
            self._opening.cancel()
            with suppress(asyncio.CancelledError):
                await self._opening
        if self.publisher:
            await self.publisher.__aexit__(kind, problem, trace)

    async def _open(self) -> Publisher:
        told = ""
        answered_s: float | None = None
        while True:
            try:
                publisher = await Publisher(self._connection, self._codec, self._door).__aenter__()
            except Refused:
                raise
            except BrokerError as problem:
                answers, now_s = await self._answers(), time.monotonic()
                if answers and answered_s is not None and now_s - answered_s >= self._wait_s:
                    raise
                answered_s = (answered_s or now_s) if answers else None  # it may have come up since it was tried
                if (reason := str(problem)) != told:
                    told = reason
                    then = "calls are taken, and kept in the spool until it is there"
                    log.warning("kafka_away", door=self._door.name, reason=reason, then=then)
            else:
                if told:
                    log.info("kafka_back", door=self._door.name)
                return publisher
            await asyncio.sleep(_AGAIN_S)

    async def _answers(self) -> bool:
        """Raises Refused where it won't have us."""
        try:
            await reach(self._connection)
        except Refused:
            raise
        except BrokerError:
            return False
        return True

    def _opened(self, opening: "asyncio.Task[Publisher]") -> None:
        if opening.cancelled():
            return
        self.problem = opening.exception()
        if not self.problem:
            self.publisher = opening.result()
        self._known.set()
        self._decided()
