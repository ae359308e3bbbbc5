"""A stretch of some lanes: every record from one set of offsets to another, in no consumer group."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from callbus.errors import BrokerError
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.refusals import Needs, explained

log = structlog.get_logger(__name__)

Seen = Callable[[int, int], None]
"""Is told, now and then, how much has been read, and of how much."""

_STALLED_S = (
    90.0  # longer than a transaction can stay open: a worker's ends after 60 s, and the broker's clean-up is slow
)
_PATIENCE_S = 3.0


@asynccontextmanager
async def reader(connection: Connection, **settings: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """In no group; committed records only unless told otherwise. Raises BrokerError if it can't be started."""
    defaults: dict[str, Any] = {
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "fetch_max_wait_ms": 50,
        "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
    }
    consumer = AIOKafkaConsumer(**connection.client(), **defaults | settings)
    try:
        async with told(connection, {}):
            await consumer.start()
            await asyncio.sleep(0)  # stopped before its first turn, it would raise its own cancellation
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def told(connection: Connection, needs: Needs) -> AsyncIterator[None]:
    """What Kafka says against it, in our words."""
    try:
        yield
    except KafkaError as problem:
        raise explained(problem, connection, needs) from problem


async def between(
    consumer: AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    seen: Seen | None = None,
) -> AsyncIterator[tuple[TopicPartition, Any]]:
    """Every record from here to there. BrokerError if a transaction that is open there does not end.

    Of a read_committed consumer, ends are where the first open transaction begins.
    """
    consumer.assign(list(starts))
    for tp, offset in starts.items():
        consumer.seek(tp, offset)
    total = sum(max(0, ends[tp] - start) for tp, start in starts.items())
    left = {tp: max(0, ends[tp] - start) for tp, start in starts.items()}
    moved_s, said = time.monotonic(), False
    while behind := [tp for tp, count in left.items() if count]:
        for tp, messages in (await consumer.getmany(*behind, timeout_ms=100)).items():
            for message in messages:
                yield tp, message
        now = {tp: max(0, ends[tp] - await consumer.position(tp)) for tp in behind}
        if any(now[tp] < left[tp] for tp in behind):
            moved_s = time.monotonic()
        elif not said and time.monotonic() - moved_s > _PATIENCE_S:
            log.warning("waiting_for_open_transactions", topics=sorted({tp.topic for tp in behind}))
            said = True
        elif time.monotonic() - moved_s > _STALLED_S:
            where = ", ".join(f"{tp.topic} lane {tp.partition}" for tp in behind)
            raise BrokerError(
                f"a transaction on {where} does not end; see that the group's workers are well, and try again"
            )
        left |= now
        if seen:
            seen(total - sum(left.values()), total)
