"""Faust 0.15.3's Kafka driver, mended: with `faust_host` the only place that touches Faust's insides.

What Faust's own does, and this one does not:

* read aborted transactions (its consumer is fixed to `read_uncommitted`);
* lose what it fetched and dropped while lanes moved, and commit past it;
* stop committing for ever at a gap that aborted records left;
* tear a lane's topics apart, and its calls from their state, while topics differ in lanes;
* create topics.

Here a lane's offset follows what was reported as done, in the order of fetching, and nothing else.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.assignor import PartitionAssignor
from faust.transport.drivers import aiokafka as stock

from callbus.kafka import MAX_MESSAGE_BYTES
from callbus.lane_producer import LaneProducer
from callbus.lanes import LANES_SEEN_WITHIN_MS

SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_INTERVAL_MS = 1_000
REBALANCE_TIMEOUT_MS = 30_000
REQUEST_TIMEOUT_MS = 10_000

# Faust's classes are untyped, so every subclass of them needs the same ignore.


class WholeLanes(PartitionAssignor):  # type: ignore[misc]
    """Hands out the lanes that every topic of the group has, tables' changelogs among them, each lane to one member.

    Faust's own goes by sets of topics with equal counts of partitions. While lanes are being added, or where that was
    broken off, it would give a lane's inputs to one member and the state of its calls to another.
    """

    @classmethod
    def _get_copartitioned_groups(
        cls, topics: set[str], cluster: Any, subscriptions: Mapping[str, list[str]]
    ) -> dict[int, Iterable[set[str]]]:
        there = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        known = {topic for topic, lanes in there.items() if lanes}
        if not known:
            return {}
        return {min(there[topic] for topic in known): cls._group_co_subscribed(known, subscriptions)}


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
            metadata_max_age_ms=LANES_SEEN_WITHIN_MS,
        )

    async def _fetch_records(self, consumer: AIOKafkaConsumer, active: Collection[Any], **limits: Any) -> Any:
        """As Faust's, but what it would drop afterwards is put back.

        Faust drops what arrives while the flow is stopped or its lane is paused, and what it drops is lost when the
        lane goes on from there. It also empties the set it hands over here while the fetch waits, and an empty set
        means every lane.
        """
        wanted = frozenset(active)
        if not wanted:
            return {}
        found = await super()._fetch_records(consumer, wanted, **limits)
        kept = {tp: records for tp, records in found.items() if self.consumer.takes(tp)}
        self.consumer.fetched(kept)
        for tp in found.keys() - kept.keys():
            consumer.seek(tp, found[tp][0].offset)
        return kept


class _Consumer(stock.Consumer):  # type: ignore[misc]
    """Commits what was reported as done. Acknowledgements only tell Faust what is still in hand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[Any, int] = {}
        self._ahead: defaultdict[Any, deque[int]] = defaultdict(deque)  # fetched in this assignment, and not yet done
        self._newest: dict[Any, int] = {}  # fetched in this assignment
        self._fetched: dict[Any, int] = {}  # as the newest, but known before the consumer's position moves past it

    def takes(self, tp: Any) -> bool:
        wanted = tp in self._active_partitions or tp in self._buffered_partitions
        return wanted and self.flow_active and not self.app.moving

    def fetched(self, found: Mapping[Any, Any]) -> None:
        """Called by the consumer's thread with what it hands over."""
        self._fetched.update((tp, records[-1].offset) for tp, records in found.items() if records)

    def in_hand(self, tp: Any) -> bool:
        """Whether something was fetched of it that is not done yet. Ask after the consumer's position, not before."""
        return bool(self._ahead[tp]) or self._fetched.get(tp, -1) > self._newest.get(tp, -1)

    def resume_flow(self) -> None:
        """As Faust's, but not while lanes move: a recovery that they overtake would resume it."""
        if not self.app.moving:
            super().resume_flow()

    def done(self, message: Any) -> None:
        tp, offset = message.tp, message.offset
        ahead = self._ahead[tp]
        if ahead and ahead[0] < offset:
            raise RuntimeError(
                f"{tp.topic} lane {tp.partition}: offset {ahead[0]} was lost before {offset}; start again"
            )
        if ahead and ahead[0] == offset:
            ahead.popleft()
        self._done[tp] = offset + 1
        self.release(message)

    async def _getmany(self, *args: Any, **kwargs: Any) -> Any:
        found = await super()._getmany(*args, **kwargs)
        for tp, records in found.items():
            for record in records:
                if record.offset > self._newest.get(tp, -1):
                    self._newest[tp] = record.offset
                    self._ahead[tp].append(record.offset)
        return found

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        self._ahead.clear()
        self._newest.clear()
        self._fetched.clear()
        self._read_offset.clear()  # a message abandoned at the revocation counts as read, and hides those before it
        await super().on_partitions_assigned(assigned, generation_id)

    def release(self, message: Any) -> None:
        message.ack(self)

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> list[Any]:
        return [tp for tp in self._done if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: Any) -> int | None:
        return self._done.pop(tp, None)

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        self.app.moving = True
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._done.pop(tp, None)

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Never: `callbus topics apply` makes every topic."""

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Never: Faust takes a changelog that is rightly paused for a stuck one, and says so every few minutes."""


class _Producer(stock.Producer):  # type: ignore[misc]
    def _new_producer(self, transactional_id: str | None = None) -> LaneProducer:
        return LaneProducer(
            **self.app.connection.client(),
            enable_idempotence=True,
            max_batch_size=1_000_000,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=20,
        )

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Never: `callbus topics apply` makes every topic."""


class Transport(stock.Transport):  # type: ignore[misc]
    Consumer = _Consumer
    Producer = _Producer
