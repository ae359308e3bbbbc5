"""Faust 0.15.3 made a good neighbour: the only place that touches its insides, mode's or aiokafka's under it.

What an ordinary Faust app would do here, and this one does not:

* read aborted transactions (its consumer is fixed to `read_uncommitted`);
* commit what it skipped during a rebalance, or stop committing at a gap that aborted records left: here a lane's offset
  follows what `HostedApp.done` was told, and nothing else;
* create topics, write folders, take over signals and logging, serve HTTP, or restart a failed agent past its failure.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as stock

from callbus.errors import BrokerError
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.topics import connected

SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_INTERVAL_MS = 1_000
REBALANCE_TIMEOUT_MS = 30_000
REQUEST_TIMEOUT_MS = 10_000
COMMIT_INTERVAL_MS = 200
TOPICS_WITHIN_S = 5  # a topic just made is not known to every broker at once

# Faust's classes are untyped, so every subclass of them needs the same ignore.


class _ConsumerThread(stock.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the Kafka consumer, with a consumer of our own settings."""

    shutdown_timeout = REQUEST_TIMEOUT_MS / 1000  # of a stop while the broker is away

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        self._assignor = self.app.assignor
        return AIOKafkaConsumer(
            **self.app.connection.client(),
            group_id=self.app.conf.id,
            group_instance_id=self.app.conf.consumer_group_instance_id,
            partition_assignment_strategy=[self._assignor],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            # A fetch under way does not learn of lanes resumed meanwhile: its wait is theirs too.
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
            max_poll_records=1_000,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=100,
        )


class _Consumer(stock.Consumer):  # type: ignore[misc]
    """Commits what was reported as done. Acknowledgements only tell Faust what is still in hand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[Any, int] = {}

    def done(self, message: Any) -> None:
        self._done[message.tp] = message.offset + 1
        self.release(message)

    def release(self, message: Any) -> None:
        message.ack(self)

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> list[Any]:
        return [tp for tp in self._done if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: Any) -> int | None:
        return self._done.pop(tp, None)

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._done.pop(tp, None)

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Never: `callbus topics apply` makes every topic."""

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Never: Faust takes a changelog that is rightly paused for a stuck one, and says so every few minutes."""


class _Producer(stock.Producer):  # type: ignore[misc]
    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self.app.connection.client(),
            enable_idempotence=True,
            max_batch_size=1_000_000,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=20,
        )

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Never: `callbus topics apply` makes every topic."""


class _Transport(stock.Transport):  # type: ignore[misc]
    Consumer = _Consumer
    Producer = _Producer


class _Tables(TableManager):  # type: ignore[misc]
    async def on_start(self) -> None:
        """As Faust's, without its wait of a second for tables that are defined later: all are, by then."""
        await self._update_channels()
        await self.recovery.start()


class HostedApp(faust.App):  # type: ignore[misc]
    """A Faust app that lives in an event loop beside others. Make it inside that loop; it runs once.

    `group` is its id and consumer group, `member` this process's stable name in it (static membership).
    """

    def __init__(self, *, group: str, lanes: int, connection: Connection, member: str | None = None) -> None:
        self.connection = connection
        self.settled = asyncio.Event()  # lanes assigned and tables restored; cleared while they move
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        super().__init__(
            id=group,
            broker=f"kafka://{connection.brokers.replace(',', ';')}",
            store="memory://",
            TableManager=_Tables,
            key_serializer="raw",
            value_serializer="raw",
            topic_partitions=lanes,
            topic_disable_leader=True,
            consumer_group_instance_id=member,
            broker_session_timeout=SESSION_TIMEOUT_MS / 1000,
            broker_request_timeout=REQUEST_TIMEOUT_MS / 1000,
            broker_commit_interval=COMMIT_INTERVAL_MS / 1000,
            stream_wait_empty=True,
            web_enabled=False,
            canonical_url=f"http://{member or group}.invalid",  # members tell each other theirs; nobody calls it
        )
        self.finalize()

    def done(self, events: Iterable[Any]) -> None:
        """These events need never come again: their offsets may be committed. Nothing is done after a failure."""
        if not self.failed.done():
            for event in events:
                self.consumer.done(event.message)

    def split_stale(self, events: Iterable[Any]) -> list[Any]:
        """The events that are still this member's: those fetched before a rebalance are let go, and come again."""
        current = []
        for event in events:
            if event.message.generation_id == self.consumer_generation_id:
                current.append(event)
            else:
                self.consumer.release(event.message)
        return current

    async def run(self, stopping: asyncio.Event, topics: Iterable[str]) -> None:
        """Work until `stopping` is set. Raises what broke, with nothing committed that was not done.

        `topics` are those it reads and writes; BrokerError if one is missing: Faust would wait for it for ever.
        """
        for name in ("faust", "mode"):
            logging.getLogger(name).setLevel(logging.WARNING)  # at INFO they draw tables
        await self._check(topics)
        asked: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
        try:
            await self.start()
            await asyncio.wait((asked, self.failed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            self.settled.clear()
            await self.stop()
        if self.failed.done():
            await self.failed

    async def crash(self, reason: BaseException) -> None:
        """Called by mode when a part of the app dies."""
        if not self.failed.done():
            self.failed.set_exception(reason)
        await super().crash(reason)

    def on_rebalance_start(self) -> None:
        self.settled.clear()
        super().on_rebalance_start()

    def on_rebalance_end(self) -> None:
        super().on_rebalance_end()
        self.settled.set()

    async def _check(self, topics: Iterable[str]) -> None:
        needed = {*topics, *self.tables.changelog_topics}
        deadline = time.monotonic() + TOPICS_WITHIN_S
        async with connected(self.connection) as admin:
            while missing := needed - set(await admin.list_topics()):
                if time.monotonic() > deadline:
                    names = ", ".join(sorted(missing))
                    raise BrokerError(f"{self.connection.brokers} has no topic {names}: run `callbus topics apply`")
                await asyncio.sleep(0.1)

    def _create_directories(self) -> None:
        """None: the tables live in memory and in their changelog."""

    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> _Transport:
        return _Transport(self.conf.broker_producer, self)


class Changelogged:
    """A Faust table used as what it is, a dictionary with a changelog, one lane named at each write.

    Faust takes the lane from "the current event", which within a batch is the last one's: a write would go to a
    stranger's lane and be lost at the next move.
    """

    def __init__(self, app: HostedApp, name: str, lanes: int) -> None:
        self._app = app
        self._table = app.Table(name, key_type=bytes, value_type=bytes, partitions=lanes)

    def get(self, key: bytes) -> bytes | None:
        """What was stored last, by this process or, before the lane moved here, by another."""
        stored = self._table.data.data.get(key)
        return stored if isinstance(stored, bytes) else None

    async def store(self, changes: Mapping[bytes, tuple[int, bytes]]) -> None:
        """Write `key: (lane, value)` to the changelog, await the broker's word for all, then remember them."""
        topic = self._table.changelog_topic
        sent = [await topic.send(key=key, value=value, partition=lane) for key, (lane, value) in changes.items()]
        await asyncio.gather(*sent)
        for key, (lane, value) in changes.items():
            self._table.data.data[key] = value
            self._table.data._key_partition[key] = lane  # by which the store forgets lanes that moved away
