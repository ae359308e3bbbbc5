"""Sends letters back into their group, or drops them: each exactly once, whoever else tries, whenever it is killed.

What is done with a letter, and that it was done, is one transaction. The transactional id is the group's, so that of
two operators the second fences the first; and the letters are read to their end only after that, so that what is
decided on is all that the first has done.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError, ProducerFenced

from callbus.clock import now_ms
from callbus.codec import Codec
from callbus.dead_letters.ledger import How, Ledger, Letter, entry, in_order, parcels, settlement_record
from callbus.dead_letters.reading import Archive, archive, read
from callbus.errors import Fenced
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.refusals import explained
from callbus.topics import connected, lanes_of
from callbus.topology import Group
from callbus.worker.kip447 import TransactionalProducer
from callbus.worker.records import OutRecord
from callbus.worker.retry_log import entry_record

_AT_ONCE_BYTES = 16 * 1024 * 1024
_TRANSACTION_MS = 30_000  # how long one of a killed operator can hold up the group's retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is to be done, and who does it. `at_once`: letters in a transaction."""

    how: How
    by: str
    at_once: int


async def settle(
    connection: Connection,
    codec: Codec,
    group: Group,
    ledger: Ledger,
    chosen: Sequence[Letter],
    deed: Deed,
    *,
    done: Callable[[Sequence[Letter]], None],
    stopping: asyncio.Event,
) -> None:
    """Settle those of `chosen` that are still open, in their order; `done` is told after each transaction.

    Returns early once `stopping` is set. Raises Fenced when another operator begins to settle letters of this group,
    BrokerError for all else: what `done` was not told of is still open then, and can be settled by another run.
    """
    needs = {ledger.topic: ("Read", "Write")} | ({group.retries: ("Write",)} if deed.how == "replayed" else {})
    async with connected(connection) as admin:
        await lanes_of(admin, connection, needs)
    producer = TransactionalProducer(
        **connection.client(),
        transactional_id=f"callbus-dlq-{group.name}",
        transaction_timeout_ms=_TRANSACTION_MS,
        max_batch_size=1_000_000,
        max_request_size=MAX_MESSAGE_BYTES,
        retry_backoff_ms=20,
    )
    try:
        await producer.start()  # from here on nobody else settles letters of this group
        await read(connection, codec, [ledger], to_the_end=True)
        due = in_order(ledger.still_open(chosen))
        async with archive(connection, codec) as bytes_of:
            for parcel in parcels(due, deed.at_once, _AT_ONCE_BYTES):
                if stopping.is_set():
                    return
                records = await _records(group, ledger.topic, parcel, deed, bytes_of)
                async with producer.transaction():
                    await producer.publish(records)
                done(parcel)
    except (Fenced, ProducerFenced) as problem:
        raise Fenced(
            f"group {group.name}: another `callbus dlq` has begun to settle its letters, so this one stopped; "
            "what it had not settled is open or the other's"
        ) from problem
    except KafkaError as problem:
        raise explained(problem, connection, needs) from problem
    finally:
        await producer.stop()


async def _records(
    group: Group, topic: str, parcel: Sequence[Letter], deed: Deed, bytes_of: Archive
) -> list[OutRecord]:
    """What one transaction writes."""
    at_ms = now_ms()
    records = [settlement_record(topic, letter, deed.how, at_ms, deed.by) for letter in parcel]
    if deed.how == "replayed":
        for letter in parcel:
            whole = await bytes_of.whole(topic, letter)
            records.append(entry_record(group.retries, entry(letter, whole)))
    return records
