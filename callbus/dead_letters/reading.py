"""Reads dead letters from Kafka: all of a group's into its ledger, or one whole. Decides nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from callbus.codec import Codec
from callbus.dead_letters.ledger import Ledger, Letter, settlement_in
from callbus.errors import BrokerError, CodecError
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.refusals import Needs, explained
from callbus.topics import connected, lanes_of
from callbus.worker import retry_log
from callbus.worker.records import as_input
from schemas.records import DeadLetter

log = structlog.get_logger(__name__)

Seen = Callable[[int, int], None]
"""Is told, now and then, how much has been read, and of how much."""

_STALLED_S = (
    90.0  # longer than a transaction can stay open: a worker's ends after 60 s, and the broker's clean-up is slow
)
_PATIENCE_S = 3.0
_A_LETTER_WITHIN_S = 30.0


async def read(
    connection: Connection, codec: Codec, ledgers: Sequence[Ledger], *, to_the_end: bool, seen: Seen | None = None
) -> None:
    """Feed the ledgers from where they have been read to.

    `to_the_end` is up to the high watermark, past all transactions that are open now, and waits for their ends;
    otherwise what is committed by now is enough. Raises BrokerError.
    """
    needs = {ledger.topic: ("Read",) for ledger in ledgers}
    async with connected(connection) as admin:
        lanes = await lanes_of(admin, connection, needs)
    by_topic = {ledger.topic: ledger for ledger in ledgers}
    places = [TopicPartition(topic, lane) for topic, its in lanes.items() for lane in its]
    async with _told(connection, needs), _consumer(connection) as reader:
        starts = await reader.beginning_offsets(places)
        starts = {tp: by_topic[tp.topic].positions.get(tp.partition, start) for tp, start in starts.items()}
        if to_the_end:
            async with _consumer(connection, isolation_level="read_uncommitted") as marks:
                ends = await marks.end_offsets(places)
        else:
            ends = await reader.end_offsets(
                places
            )  # a read_committed reader's: where the first open transaction begins
        async for tp, message in _between(reader, starts, ends, seen):
            _note(by_topic[tp.topic], codec, message)
        for tp in places:
            by_topic[tp.topic].positions[tp.partition] = await reader.position(tp)


class Archive:
    """Brings letters whole: with the value and the headers of their inputs."""

    def __init__(self, connection: Connection, consumer: AIOKafkaConsumer, codec: Codec) -> None:
        self._connection = connection
        self._consumer = consumer
        self._codec = codec

    async def whole(self, topic: str, letter: Letter) -> DeadLetter:
        """The letter with all its bytes. BrokerError if it is not there any more."""
        tp = TopicPartition(topic, letter.lane)
        if self._consumer.assignment() != {tp}:
            self._consumer.assign([tp])
            self._consumer.seek(tp, letter.offset)
        elif await self._consumer.position(tp) != letter.offset:
            self._consumer.seek(tp, letter.offset)
        try:
            async with asyncio.timeout(_A_LETTER_WITHIN_S), _told(self._connection, {topic: ("Read",)}):
                message = await self._consumer.getone(tp)
        except TimeoutError as problem:
            raise BrokerError(f"{_place(topic, letter)} can't be read again: no answer") from problem
        if message.offset != letter.offset:
            raise BrokerError(f"{_place(topic, letter)} is not there any more: its retention is over")
        whole: DeadLetter = self._codec.decode(topic, message.value)
        return whole


@asynccontextmanager
async def archive(connection: Connection, codec: Codec) -> AsyncIterator[Archive]:
    """An archive that is open. Raises BrokerError."""
    async with _consumer(connection, auto_offset_reset="none") as consumer:
        yield Archive(connection, consumer, codec)


async def fate(
    connection: Connection, topic: str, lane: int, entry_id: str, since_ms: int
) -> retry_log.Entry | retry_log.Attempt | retry_log.Settled | None:
    """The last word of the retry log `topic` on an entry written there after `since_ms`. Raises BrokerError."""
    tp = TopicPartition(topic, lane)
    word = None
    async with _told(connection, {topic: ("Read",)}), _consumer(connection) as reader:
        found = (await reader.offsets_for_times({tp: since_ms}))[tp]
        if found is None:
            return None
        async for _, message in _between(reader, {tp: found.offset}, await reader.end_offsets([tp])):
            said = retry_log.read(as_input(message))
            if said is not None and said.id == entry_id:
                word = said
    return word


@asynccontextmanager
async def _consumer(connection: Connection, **settings: Any) -> AsyncIterator[AIOKafkaConsumer]:
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
        async with _told(connection, {}):
            await consumer.start()
            await asyncio.sleep(0)  # stopped before its first turn, it would raise its own cancellation
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def _told(connection: Connection, needs: Needs) -> AsyncIterator[None]:
    """What Kafka says against it, in our words."""
    try:
        yield
    except KafkaError as problem:
        raise explained(problem, connection, needs) from problem


async def _between(
    reader: AIOKafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    seen: Seen | None = None,
) -> AsyncIterator[tuple[TopicPartition, Any]]:
    """Every record from here to there. BrokerError if a transaction that is open there does not end."""
    reader.assign(list(starts))
    for tp, offset in starts.items():
        reader.seek(tp, offset)
    total = sum(max(0, ends[tp] - start) for tp, start in starts.items())
    left = {tp: max(0, ends[tp] - start) for tp, start in starts.items()}
    moved_s, told = time.monotonic(), False
    while behind := [tp for tp, count in left.items() if count]:
        for tp, messages in (await reader.getmany(*behind, timeout_ms=100)).items():
            for message in messages:
                yield tp, message
        now = {tp: max(0, ends[tp] - await reader.position(tp)) for tp in behind}
        if any(now[tp] < left[tp] for tp in behind):
            moved_s = time.monotonic()
        elif not told and time.monotonic() - moved_s > _PATIENCE_S:
            log.warning("waiting_for_open_transactions", topics=sorted({tp.topic for tp in behind}))
            told = True
        elif time.monotonic() - moved_s > _STALLED_S:
            where = ", ".join(f"{tp.topic} lane {tp.partition}" for tp in behind)
            raise BrokerError(
                f"a transaction on {where} does not end; see that the group's workers are well, and try again"
            )
        left |= now
        if seen:
            seen(total - sum(left.values()), total)


def _note(ledger: Ledger, codec: Codec, message: Any) -> None:
    if message.value is None:
        if settlement := settlement_in(message.headers):
            ledger.settled(settlement)
        else:
            ledger.foreign += 1
        return
    try:
        ledger.given_up(message.partition, message.offset, codec.decode(message.topic, message.value))
    except CodecError:
        ledger.foreign += 1


def _place(topic: str, letter: Letter) -> str:
    return f"the letter {letter.id} ({topic} {letter.lane}:{letter.offset})"
