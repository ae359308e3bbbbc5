"""The Kafka clients of a group, with the settings that were measured to work together."""

from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer

from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.lanes import LANES_SEEN_WITHIN_MS
from callbus.worker.assignor import LaneAssignor
from callbus.worker.kip447 import BatchProducer, TransactionalProducer


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Kafka's own clocks, in ms."""

    session_ms: int = 6_000  # a killed worker's lanes move on after this, if its static name does not come back first
    heartbeat_ms: int = 300  # a rebalance is noticed this much later: its share of a moved lane's pause
    rebalance_ms: int = 30_000  # must exceed the longest finish: its default would be the session timeout
    transaction_ms: int = 60_000  # with 10 s a broker's restart fences live producers
    request_ms: int = 10_000
    metadata_ms: int = LANES_SEEN_WITHIN_MS  # added lanes are found, and shared out in a rebalance, within this
    retry_backoff_ms: int = 20


def producer(connection: Connection, group: str, member: str, timeouts: Timeouts) -> TransactionalProducer:
    """The group's transactional producer. Its id is stable, so that a restart aborts what was left open."""
    return TransactionalProducer(
        **connection.client(),
        transactional_id=f"{group}-{member}",
        transaction_timeout_ms=timeouts.transaction_ms,
        max_batch_size=1_000_000,
        max_request_size=MAX_MESSAGE_BYTES,
        retry_backoff_ms=timeouts.retry_backoff_ms,
        request_timeout_ms=timeouts.request_ms,
        metadata_max_age_ms=timeouts.metadata_ms,
    )


def loose_producer(connection: Connection, timeouts: Timeouts) -> BatchProducer:
    """For what is published at least once: idempotent and acknowledged by all replicas, in no transaction."""
    return BatchProducer(
        **connection.client(),
        enable_idempotence=True,
        max_batch_size=1_000_000,
        max_request_size=MAX_MESSAGE_BYTES,
        retry_backoff_ms=timeouts.retry_backoff_ms,
        request_timeout_ms=timeouts.request_ms,
    )


def consumer(connection: Connection, group: str, member: str, timeouts: Timeouts) -> AIOKafkaConsumer:
    """The group's consumer: static membership under `member`, lanes kept together, committed records only."""
    settings: dict[str, Any] = connection.client()
    return AIOKafkaConsumer(
        **settings,
        group_id=group,
        group_instance_id=member,
        partition_assignment_strategy=[LaneAssignor(member)],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        session_timeout_ms=timeouts.session_ms,
        heartbeat_interval_ms=timeouts.heartbeat_ms,
        rebalance_timeout_ms=timeouts.rebalance_ms,
        retry_backoff_ms=timeouts.retry_backoff_ms,
        request_timeout_ms=timeouts.request_ms,
        metadata_max_age_ms=timeouts.metadata_ms,
    )
