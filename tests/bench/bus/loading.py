"""Events for the contestants: put there before, or sent while they work."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from callbus.codec import codec_of
from callbus.kafka import Connection
from tests.bench.bus.events import Load, Payload, payloads
from tests.bench.bus.graph import Shape, graph

_TICK_S = 0.02
_TOGETHER = 1_000  # records given to the producer in one go


async def preload(
    connection: Connection, topic: str, filling: Sequence[Sequence[Payload]], count: int, told: Callable[[int], None]
) -> int:
    """Put `count` events into the topic, evenly over its lanes, and a few more where that does not divide.

    `told` hears how many are there; returns how many there are.
    """
    producer = AIOKafkaProducer(**connection.client(), max_batch_size=1_000_000, max_request_size=4_000_000)
    await producer.start()
    try:
        sources = [cycle(of_lane) for of_lane in filling]
        sent = 0
        while sent < count:
            share = min(_TOGETHER, -(-(count - sent) // len(sources)))
            under_way: list[Any] = []
            for lane, source in enumerate(sources):
                under_way += await _send(producer, topic, lane, source, share)
            await asyncio.gather(*under_way)
            sent += share * len(sources)
            told(sent)
        return sent
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, lane: int, source: Any, count: int) -> list[Any]:
    sent, batch = [], producer.create_batch()
    for _ in range(count):
        one: Payload = next(source)
        if batch.append(key=one.key, value=one.value, timestamp=None, headers=one.headers) is None:
            sent.append(await producer.send_batch(batch, topic, partition=lane))
            batch = producer.create_batch()
            batch.append(key=one.key, value=one.value, timestamp=None, headers=one.headers)
    sent.append(await producer.send_batch(batch, topic, partition=lane))
    return sent


@dataclass(frozen=True, slots=True)
class Flood:
    """A steady load, by a process of its own: `python -m tests.bench.bus.loading FLOOD`."""

    brokers: str
    avro: str
    shape: str
    topic: str
    kind: Load
    per_s: float

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    async def run(self) -> None:
        """Send until killed. What could not be sent in time is not made up for."""
        shape = Shape.from_text(self.shape)
        codec = codec_of(graph(Path(self.avro), shape))
        sources = [cycle(of_lane) for of_lane in payloads(codec, self.topic, self.kind, shape.lanes)]
        producer = AIOKafkaProducer(**Connection(self.brokers).client(), max_batch_size=1_000_000)
        await producer.start()
        per_tick = self.per_s * _TICK_S / len(sources)
        owed, due = 0.0, time.monotonic()
        while True:
            owed += per_tick
            under_way: list[Any] = []
            for lane, source in enumerate(sources):
                if int(owed):
                    under_way += await _send(producer, self.topic, lane, source, int(owed))
            owed -= int(owed)
            await asyncio.gather(*under_way)
            due = max(due + _TICK_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())


if __name__ == "__main__":
    asyncio.run(Flood(**json.loads(sys.argv[1])).run())
