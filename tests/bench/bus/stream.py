"""A steady stream of events through a heat, each timed from before it is sent until a reader has it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from callbus.codec import Codec
from callbus.kafka import Connection
from tests.bench.bus.course import Course, Heat, HeatFailed
from tests.bench.bus.events import payload, utterance
from tests.bench.bus.figures import Arrival
from tests.bench.bus.scale import LANES

CALL = "probe"  # its key tells it from a load on the same lanes


class Stream:
    """`arrivals` grows while it is open. `lanes` are those that it uses, in turn."""

    def __init__(
        self, connection: Connection, codec: Codec, source: str, target: str, per_s: float, lanes: int
    ) -> None:
        self.arrivals: list[Arrival] = []
        self.sent = 0
        self._codec = codec
        self._source = source
        self._target = target
        self._interval_s = 1 / per_s
        self._lanes = lanes
        self._sent_s: dict[int, float] = {}
        settings: dict[str, Any] = connection.client()
        self._producer = AIOKafkaProducer(**settings, acks="all")
        self._reader = AIOKafkaConsumer(
            **settings, enable_auto_commit=False, isolation_level="read_committed", fetch_max_wait_ms=50
        )

    async def start(self) -> None:
        await self._producer.start()
        await self._reader.start()
        places = [TopicPartition(self._target, lane) for lane in range(self._lanes)]
        self._reader.assign(places)
        await self._reader.seek_to_beginning(*places)

    async def stop(self) -> None:
        await self._producer.stop()
        await self._reader.stop()

    async def written(self) -> int:
        """How many events the source has by now, by whomever."""
        places = [TopicPartition(self._source, lane) for lane in range(LANES)]
        return sum((await self._reader.end_offsets(places)).values())

    @property
    def makers(self) -> dict[int, int]:
        """By lane, the process that made the newest event."""
        return {arrival.lane: arrival.maker for arrival in self.arrivals}

    async def until(self, what: str, done: Callable[[], bool], limit_s: float = 30.0) -> None:
        """Return when it is done; HeatFailed, naming what was waited for, after the limit."""
        deadline = time.monotonic() + limit_s
        while not done():
            if time.monotonic() > deadline:
                raise HeatFailed(f"not within {limit_s:.0f} s: {what}")
            await asyncio.sleep(0.02)

    async def send(self) -> None:
        """Until cancelled."""
        due = time.monotonic()
        while True:
            number, self.sent = self.sent, self.sent + 1
            made = payload(self._codec, self._source, utterance(CALL, number, at_ms=time.time_ns() // 1_000_000))
            self._sent_s[number] = time.monotonic()
            await self._producer.send(
                self._source, made.value, key=made.key, partition=number % self._lanes, headers=made.headers
            )
            due = max(due + self._interval_s, time.monotonic() - 1.0)  # what a stall held up is sent after it
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def read(self) -> None:
        """Until cancelled."""
        key = CALL.encode()
        while True:
            fetched = await self._reader.getmany(timeout_ms=200)
            arrived_s = time.monotonic()
            for tp, messages in fetched.items():
                for message in messages:
                    if message.key == key:
                        event = self._codec.decode(self._target, message.value)
                        maker = int(event.provenance.model_version)
                        sent_s = self._sent_s[event.start_ms]
                        self.arrivals.append(Arrival(event.start_ms, tp.partition, sent_s, arrived_s, maker))


@asynccontextmanager
async def streaming(course: Course, heat: Heat, per_s: float, lanes: int) -> AsyncIterator[Stream]:
    """A stream through the heat's groups, from now until the end."""
    stream = Stream(course.connection, course.codec(heat), heat.source, heat.target, per_s, lanes)
    await stream.start()
    tasks = [asyncio.create_task(stream.read()), asyncio.create_task(stream.send())]
    try:
        yield stream
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await stream.stop()
        for problem in ended:
            if isinstance(problem, Exception):
                raise problem
