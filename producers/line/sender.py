"""From a call's journal to Kafka: one task for each call, in order, for as long as it takes."""

import asyncio
from collections.abc import Callable

import structlog

from callbus.errors import CallbusError, CodecError
from producers.line.events import Event, unpacked
from producers.line.journal import Journal
from producers.line.meter import Meter
from producers.line.publisher import Publisher

log = structlog.get_logger(__name__)

_AGAIN_S = 1.0


class Sender:
    """Sends what one journal holds, each event after the one before is there: what is given back is sent again, and
    overtakes nothing."""

    def __init__(
        self, call_id: str, journal: Journal, publisher: Publisher, meter: Meter, over: Callable[[], bool]
    ) -> None:
        """`over` tells whether the call's end is in the journal."""
        self.oldest_ms: int | None = None  # `at_ms` of the event that Kafka does not have yet
        self._call_id = call_id
        self._journal = journal
        self._publisher = publisher
        self._meter = meter
        self._over = over
        self._more = asyncio.Event()
        self._told = ""

    def wake(self) -> None:
        """There is more in the journal."""
        self._more.set()

    async def run(self) -> None:
        """Returns once the call is over and all that its journal holds is in Kafka."""
        while True:
            self._more.clear()
            if (entry := await self._next()) is None:
                self.oldest_ms = None
                if self._over():
                    return
                await self._more.wait()
                continue
            try:
                topic, event = unpacked(entry)
                self.oldest_ms = event.at_ms
                await self._publish(topic, event)
            except CodecError:  # no waiting mends it, and it must not hold up the rest of the call
                log.exception("event_left_out", call_id=self._call_id)
                self._meter.unsendable.inc()
            self._journal.acknowledge()

    async def _next(self) -> bytes | None:
        while True:
            try:
                return self._journal.next()
            except OSError as problem:
                self._tell("journal_unreadable", str(problem))
                await asyncio.sleep(_AGAIN_S)

    async def _publish(self, topic: str, event: Event) -> None:
        while True:
            try:
                await self._publisher.publish(topic, event)
            except CodecError:
                raise
            except CallbusError as problem:
                self._tell("kafka_does_not_take_it", str(problem))
                await asyncio.sleep(_AGAIN_S)
            else:
                self._told = ""
                return

    def _tell(self, event: str, reason: str) -> None:
        """Once, until it is mended or is something else."""
        if (said := f"{event} {reason}") != self._told:
            self._told = said
            log.warning(event, call_id=self._call_id, reason=reason, then="it is tried again")
