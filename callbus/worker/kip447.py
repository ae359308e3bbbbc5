"""Exactly once with one producer per process: KIP-447 for aiokafka 0.14.

KIP-98 fences a zombie by its transactional id, which ties one producer to one lane. KIP-447 fences it by its consumer
group instead: offsets are committed inside the transaction together with the member's generation, and the group
coordinator refuses a generation that is over. One producer then serves any number of lanes.

Nothing of aiokafka is patched: the producer here is a subclass with its own sender and transaction state. What it
touches that is private is pinned by tests/unit/test_kip447.py.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    for_code,
)
from aiokafka.util import commit_structure_validate

from callbus.lane_producer import LaneProducer
from callbus.worker.kip447_requests import ErrorCode, OffsetFetchRequest
from callbus.worker.kip447_transaction import GroupFencedSender, Transaction, finished
from callbus.worker.kip447_verdicts import (
    COORDINATOR_MOVED,
    FencedInstanceIdError,
    GroupFenced,
    GroupMetadata,
    ProducerFinished,
    TransactionalIdFenced,
    code_name,
)
from callbus.worker.records import OutRecord

_PASSING = {ErrorCode.NONE, ErrorCode.UNSTABLE_OFFSET_COMMIT, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS}

__all__ = [
    "BatchProducer",
    "FencedInstanceIdError",
    "GroupFenced",
    "GroupMetadata",
    "ProducerFinished",
    "TransactionalIdFenced",
    "TransactionalProducer",
    "fetch_note",
    "fetch_offsets",
]


class BatchProducer(LaneProducer):
    """An AIOKafkaProducer that is given many records at once, and packs them itself: a third of the cost of `send`."""

    _sender: Any

    async def publish(self, records: Sequence[OutRecord]) -> None:
        """Send `records` and return when every one is acknowledged.

        The order of `records` is kept within each partition. Raises UnknownTopicOrPartitionError,
        MessageSizeTooLargeError, or another KafkaError.
        """
        for topic, lane in {(record.topic, record.partition) for record in records}:
            await self.until_known(topic, lane)
        # A partition's second batch waits until its first one is on the wire, so every first one goes out before.
        rounds = zip_longest(*self._fill_batches(records))
        acknowledgements: list[asyncio.Future[Any]] = []
        try:
            for partition, batch in filter(None, chain.from_iterable(rounds)):
                sent = await self.send_batch(batch, partition.topic, partition=partition.partition)
                acknowledgements.append(sent)
            await asyncio.gather(*acknowledgements)
        finally:
            for acknowledgement in acknowledgements:
                acknowledgement.cancel()  # only our view of it: aiokafka shields the batch, and an abort waits for it

    def _fill_batches(self, records: Iterable[OutRecord]) -> Collection[list[tuple[TopicPartition, Any]]]:
        filled: dict[tuple[str, int], list[tuple[TopicPartition, Any]]] = {}
        for record in records:
            batches = filled.setdefault((record.topic, record.partition), [])
            if batches and _append(batches[-1][1], record):
                continue
            batch = self.create_batch()
            _append(batch, record)  # an empty batch takes a record of any size
            if batch.size() > self._max_request_size:
                raise MessageSizeTooLargeError(
                    f"{record.topic}[{record.partition}]: a record of {batch.size()} bytes is larger than "
                    f"max_request_size={self._max_request_size}; send a claim check instead of the bytes"
                )
            batches.append((TopicPartition(record.topic, record.partition), batch))
        return filled.values()


class TransactionalProducer(BatchProducer):
    """An AIOKafkaProducer whose transactions are fenced by the consumer group.

    `transactional_id`: stable per process ordinal, so that a restart aborts what the process before it left open.
    Settings are AIOKafkaProducer's. One consumer group per producer. Errors: GroupFenced and other KafkaErrors mean
    abort (the `transaction()` context does); after TransactionalIdFenced or ProducerFinished make a new producer.
    """

    _txn_manager: Any

    def __init__(self, *, transactional_id: str, **settings: Any) -> None:
        super().__init__(transactional_id=transactional_id, **settings)
        stock = self._sender
        transaction = Transaction(transactional_id, self._txn_manager.transaction_timeout_ms)
        self._txn_manager = self._message_accumulator._txn_manager = transaction
        self._sender = GroupFencedSender(
            self.client,
            acks=stock._acks,
            txn_manager=transaction,
            message_accumulator=self._message_accumulator,
            retry_backoff_ms=round(stock._retry_backoff * 1000),
            request_timeout_ms=stock._request_timeout_ms,
        )

    async def begin_transaction(self) -> None:
        self._raise_if_finished()
        await super().begin_transaction()

    async def commit_transaction(self) -> None:
        self._raise_if_finished()
        await super().commit_transaction()

    def _raise_if_finished(self) -> None:
        if self._txn_manager.is_fatal_error():
            raise self._txn_manager.wait_for_transaction_end().exception()

    async def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, Any], member: GroupMetadata) -> None:
        """Commit `offsets` (the next offset to read, per partition) with the open transaction, as `member`.

        Await the acknowledgements of the outputs first (`publish` does). Raises GroupFenced when the member's
        generation is over, IllegalOperation outside a transaction.
        """
        if not isinstance(member, GroupMetadata):
            raise TypeError(f"offsets are committed as a GroupMetadata, not {member!r}: a bare id fences nobody")
        if not self._txn_manager.is_in_transaction():
            raise IllegalOperation("offsets can only be sent inside a transaction")
        pending = self._txn_manager.add_offsets_to_txn(commit_structure_validate(dict(offsets)), member)
        await asyncio.shield(pending)

    async def publish(self, records: Sequence[OutRecord]) -> None:
        """Send `records` in the open transaction and return when every one is acknowledged.

        Raises TransactionalIdFenced, and what BatchProducer does; abort the transaction then.
        """
        try:
            await super().publish(records)
        except ProducerFenced as error:
            raise finished(self._txn_manager.transactional_id, error) from error


def _append(batch: Any, record: OutRecord) -> bool:
    """Whether the record found room in the batch."""
    headers = list(record.headers)  # aiokafka's C code takes nothing but a list
    appended = batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=headers)
    return appended is not None


async def fetch_offsets(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition], *, require_stable: bool = True
) -> tuple[dict[TopicPartition, int | None], set[TopicPartition]]:
    """The group's committed offsets in one round: ({partition: offset, None where none is}, {pending partitions}).

    A pending partition has an offset in a transaction that is still open; ask for it again in a few ms. Without
    `require_stable` the broker reports the offset before it instead, from which a new owner would read twice. Trouble
    with the coordinator is retried here without end (cancel to stop); another error is raised as a KafkaError.
    """
    if not partitions:
        return {}, set()
    response = await _ask_offsets(consumer, partitions, require_stable)
    stable: dict[TopicPartition, int | None] = {}
    pending: set[TopicPartition] = set()
    for topic, found, _ in response.topics:
        for index, offset, _, _, code, _ in found:
            if code:
                pending.add(TopicPartition(topic, index))
            else:
                stable[TopicPartition(topic, index)] = offset if offset >= 0 else None
    return stable, pending


async def fetch_note(consumer: AIOKafkaConsumer, place: TopicPartition) -> str:
    """What the group has committed beside its offset of `place`, the offset's metadata; empty where there is nothing.

    Waits and raises as `fetch_offsets` does.
    """
    response = await _ask_offsets(consumer, [place], require_stable=False)
    return "".join(note or "" for _, found, _ in response.topics for _, _, _, note, _, _ in found)


async def _ask_offsets(consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition], require_stable: bool) -> Any:
    coordinator = consumer._coordinator
    request = OffsetFetchRequest(coordinator.group_id, partitions, require_stable=require_stable)
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            response = await coordinator._send_req(request)
        except KafkaError as error:
            if not error.retriable:
                raise
        else:
            codes = {response.error_code} | {code for _, found, _ in response.topics for *_, code, _ in found}
            if codes & COORDINATOR_MOVED:
                coordinator.coordinator_dead()
            elif unexpected := codes - _PASSING:
                raise for_code(min(unexpected))(f"OffsetFetch: {', '.join(map(code_name, sorted(unexpected)))}")
            elif ErrorCode.COORDINATOR_LOAD_IN_PROGRESS not in codes:
                return response
        await asyncio.sleep(coordinator._retry_backoff_ms / 1000)
