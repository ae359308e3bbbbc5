"""Faust as a good neighbour: an app in an event loop beside others, and a table that names its lanes.

No command line, signals, logging set-up, web server, folders or restarts of a failed agent past its failure.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import faust
from faust.tables.manager import TableManager
from mode.utils.queues import FlowControlEvent

from callbus.errors import BrokerError
from callbus.faust_driver import REQUEST_TIMEOUT_MS, SESSION_TIMEOUT_MS, Transport, WholeLanes
from callbus.kafka import Connection
from callbus.topics import connected

COMMIT_INTERVAL_MS = 200
TOPICS_WITHIN_S = 5  # a topic just made is not known to every broker at once

# Faust's classes are untyped, so every subclass of them needs the same ignore.


class _Tables(TableManager):  # type: ignore[misc]
    async def on_start(self) -> None:
        """As Faust's, without its wait of a second for tables that are defined later: all are, by then."""
        await self._update_channels()
        await self.recovery.start()

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        self.app.moving = False  # the lanes assigned are paused by now, until their calls are restored
        await super().on_rebalance(*args, **kwargs)


class _FlowControl(FlowControlEvent):  # type: ignore[misc]
    app: "HostedApp"

    def resume(self) -> None:
        """As mode's, but not while lanes move, and not twice as recovery does: it would empty the queues again."""
        if not self.app.moving and not self.is_active():
            super().resume()


class HostedApp(faust.App):  # type: ignore[misc]
    """A Faust app that lives in an event loop beside others. Make it inside that loop; it runs once.

    `group` is its id and consumer group, `member` this process's stable name in it (static membership).
    """

    def __init__(self, *, group: str, lanes: int, connection: Connection, member: str | None = None) -> None:
        self.connection = connection
        self.moving = False  # from the revocation of lanes until the new ones are assigned and paused
        self.settled = asyncio.Event()  # lanes assigned and tables restored; cleared while they move
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        super().__init__(
            id=group,
            broker=f"kafka://{connection.brokers.replace(',', ';')}",
            store="memory://",
            TableManager=_Tables,
            PartitionAssignor=WholeLanes,
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

    @cached_property
    def flow_control(self) -> _FlowControl:
        control = _FlowControl(loop=self.loop)
        control.app = self
        return control

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)


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

    def lanes(self) -> dict[bytes, int]:
        """The lane of every key that is here."""
        return dict(self._table.data._key_partition)

    async def store(self, changes: Mapping[bytes, tuple[int, bytes]]) -> None:
        """Write `key: (lane, value)` to the changelog, await the broker's word for all, then remember them."""
        topic = self._table.changelog_topic
        sent = [await topic.send(key=key, value=value, partition=lane) for key, (lane, value) in changes.items()]
        await asyncio.gather(*sent)
        for key, (lane, value) in changes.items():
            self._table.data.data[key] = value
            self._table.data._key_partition[key] = lane  # by which the store forgets lanes that moved away
