"""The door: publishes the traffic on and on, also across a broker's death, each message once."""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from callbus.codec import Codec
from callbus.kafka import Connection
from tests.chaos.traffic import DOORS, GARBAGE_GOES_TO, Published, Traffic, value_of

_MOST_UNDER_WAY = 500
_ASK_AGAIN_S = 0.05
_AWAY_MS = 120_000  # longer than any broker of a run stays away: aiokafka sends again until then, without doubling


class Door:
    """`published` counts what the broker has acknowledged."""

    def __init__(self, connection: Connection, codec: Codec, traffic: Traffic, per_s: float) -> None:
        self.published = 0
        self.sent: list[Published] = []
        self._codec = codec
        self._traffic = traffic
        self._per_s = per_s
        self._producer = AIOKafkaProducer(
            **connection.client(),
            enable_idempotence=True,
            request_timeout_ms=_AWAY_MS,
            retry_backoff_ms=50,
            max_batch_size=200_000,
        )
        self._under_way: deque[asyncio.Future[Any]] = deque()

    async def start(self) -> None:
        await self._producer.start()

    async def run(self) -> None:
        """Publish until cancelled."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for count, published in enumerate(self._traffic, 1):
            await self._send(published)
            ahead_s = start + count / self._per_s - loop.time()
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            else:
                start -= ahead_s  # what was not published while the broker was away is not made up for
            await self._settle(_MOST_UNDER_WAY)

    async def grow(self, lanes: int) -> None:
        """Begin calls on so many lanes, once our client knows them."""
        for topic in {*DOORS.values(), *GARBAGE_GOES_TO}:
            while len(await self._producer.partitions_for(topic)) < lanes:
                with suppress(KafkaError):  # the broker is away
                    await self._producer.client.force_metadata_update()
                await asyncio.sleep(_ASK_AGAIN_S)
        self._traffic.lanes = lanes

    async def end(self, more: Iterable[Published]) -> None:
        """Publish `more` and return when the broker has everything."""
        for published in more:
            await self._send(published)
        await self._settle(0)

    async def close(self) -> None:
        await self._producer.stop()

    async def _send(self, published: Published) -> None:
        value = value_of(published, self._codec.encode)
        self.sent.append(published)
        self._under_way.append(
            await self._producer.send(published.topic, value, key=published.key, partition=published.lane)
        )

    async def _settle(self, most: int) -> None:
        while self._under_way and (len(self._under_way) > most or self._under_way[0].done()):
            await self._under_way.popleft()
            self.published += 1
