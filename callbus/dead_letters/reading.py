"""Reads dead letters from Kafka: all of a group's into its ledger, or one whole. Decides nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.codec import Codec
from callbus.dead_letters.ledger import Ledger, Letter, settlement_in
from callbus.errors import BrokerError, CodecError
from callbus.kafka import Connection
from callbus.stretch import Seen, between, reader, told
from callbus.topics import connected, lanes_of
from callbus.worker import retry_log
from callbus.worker.records import as_input
from schemas.records import DeadLetter

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
    async with told(connection, needs), reader(connection) as consumer:
        starts = await consumer.beginning_offsets(places)
        starts = {tp: by_topic[tp.topic].positions.get(tp.partition, start) for tp, start in starts.items()}
        if to_the_end:
            async with reader(connection, isolation_level="read_uncommitted") as marks:
                ends = await marks.end_offsets(places)
        else:
            ends = await consumer.end_offsets(
                places
            )  # a read_committed reader's: where the first open transaction begins
        async for tp, message in between(consumer, starts, ends, seen):
            _note(by_topic[tp.topic], codec, message)
        for tp in places:
            by_topic[tp.topic].positions[tp.partition] = await consumer.position(tp)


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
            async with asyncio.timeout(_A_LETTER_WITHIN_S), told(self._connection, {topic: ("Read",)}):
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
    async with reader(connection, auto_offset_reset="none") as consumer:
        yield Archive(connection, consumer, codec)


async def fate(
    connection: Connection, topic: str, lane: int, entry_id: str, since_ms: int
) -> retry_log.Entry | retry_log.Attempt | retry_log.Settled | None:
    """The last word of the retry log `topic` on an entry written there after `since_ms`. Raises BrokerError."""
    tp = TopicPartition(topic, lane)
    word = None
    async with told(connection, {topic: ("Read",)}), reader(connection) as consumer:
        found = (await consumer.offsets_for_times({tp: since_ms}))[tp]
        if found is None:
            return None
        async for _, message in between(consumer, {tp: found.offset}, await consumer.end_offsets([tp])):
            said = retry_log.read(as_input(message))
            if said is not None and said.id == entry_id:
                word = said
    return word


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
