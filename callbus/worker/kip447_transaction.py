"""A transaction that the consumer group fences (KIP-447): whose it is, its state, and how the sender speaks for it.

aiokafka's sender hands on a group's id from `send_offsets_to_transaction` to the requests without looking at it. Here a
`GroupMetadata` travels in its place.
"""

import asyncio
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    ProducerFenced,
    for_code,
)
from aiokafka.producer.sender import AddOffsetsToTxnHandler, AddPartitionsToTxnHandler, BaseHandler, Sender
from aiokafka.producer.transaction_manager import TransactionManager, TransactionState
from aiokafka.structs import OffsetAndMetadata
from aiokafka.util import create_future

from callbus.worker.kip447_requests import ErrorCode, TxnOffsetCommitRequest
from callbus.worker.kip447_verdicts import (
    CommitVerdict,
    GroupFenced,
    GroupMetadata,
    ProducerFinished,
    TransactionalIdFenced,
    code_name,
    commit_verdict,
)

# The markers of the transaction before take a few ms; aiokafka waits 20 ms, or its retry backoff, for them.
CONCURRENT_TRANSACTIONS_BACKOFF_S = 0.005


class _OffsetCommitHandler(BaseHandler):  # type: ignore[misc]
    """TxnOffsetCommit v3 for one member; the answer goes to the transaction state, as with aiokafka's own handlers."""

    group = ConnectionGroup.COORDINATION

    def __init__(self, sender: Any, offsets: dict[TopicPartition, OffsetAndMetadata], member: GroupMetadata) -> None:
        super().__init__(sender)
        self._offsets = offsets
        self._member = member

    def create_request(self) -> TxnOffsetCommitRequest:
        transaction = self._sender._txn_manager
        return TxnOffsetCommitRequest(
            transactional_id=transaction.transactional_id,
            group_id=self._member.group_id,
            producer_id=transaction.producer_id,
            producer_epoch=transaction.producer_epoch,
            generation_id=self._member.generation,
            member_id=self._member.member_id,
            group_instance_id=self._member.instance_id,
            offsets=self._offsets,
        )

    def handle_response(self, response: Any) -> float | None:
        """None when done with, else the seconds to wait before the sender tries again."""
        transaction = self._sender._txn_manager
        codes = {code for _, partitions, _ in response.topics for _, code, _ in partitions if code}
        said = f"group {self._member.group_id}: {', '.join(map(code_name, sorted(codes)))}"
        match commit_verdict(codes):
            case CommitVerdict.COMMITTED:
                for partition, committed in list(self._offsets.items()):
                    transaction.offset_committed(partition, committed.offset, self._member)
            case CommitVerdict.GROUP_FENCED:
                cause = f"generation {self._member.generation} of {self._member.member_id} is over"
                transaction.error_transaction(GroupFenced(f"{said}; {cause}: rejoin and read the offsets again"))
            case CommitVerdict.NOT_AUTHORIZED:
                transaction.error_transaction(GroupAuthorizationFailedError(self._member.group_id))
            case CommitVerdict.RETRY:
                return float(self._default_backoff)
            case CommitVerdict.FIND_COORDINATOR:
                return self.handle_error()
            case CommitVerdict.PRODUCER_FENCED:
                raise ProducerFenced
            case CommitVerdict.FATAL:
                raise for_code(min(codes))(said)
        return None

    def handle_error(self) -> float:
        self._sender._coordinator_dead(CoordinationType.GROUP)
        return float(self._default_backoff)


class _AddOffsetsHandler(AddOffsetsToTxnHandler):  # type: ignore[misc]
    def handle_response(self, response: Any) -> float | None:
        backoff: float | None = super().handle_response(response)
        if response.error_code == ErrorCode.CONCURRENT_TRANSACTIONS:
            return CONCURRENT_TRANSACTIONS_BACKOFF_S
        return backoff


class _AddPartitionsHandler(AddPartitionsToTxnHandler):  # type: ignore[misc]
    def handle_response(self, response: Any) -> float | None:
        backoff: float | None = super().handle_response(response)
        codes = {code for _, partitions in response.errors for _, code in partitions}
        if backoff is not None and ErrorCode.CONCURRENT_TRANSACTIONS in codes:
            return CONCURRENT_TRANSACTIONS_BACKOFF_S
        return backoff


class GroupFencedSender(Sender):  # type: ignore[misc]
    """aiokafka's sender. What it passes along as a group's id is a GroupMetadata here."""

    async def _find_coordinator(self, coordinator_type: CoordinationType, coordinator_key: str) -> Any:
        """aiokafka takes it for the producer's end when a connection breaks just while it asks."""
        while True:
            try:
                return await super()._find_coordinator(coordinator_type, coordinator_key)
            except KafkaError as error:
                if not getattr(error.__cause__, "retriable", False):
                    raise
                await self.client.force_metadata_update()
                await asyncio.sleep(self._retry_backoff)

    async def _do_add_partitions_to_txn(self, partitions: set[TopicPartition]) -> bool:
        node = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        return bool(await _AddPartitionsHandler(self, partitions).do(node))

    async def _do_add_offsets_to_txn(self, member: GroupMetadata) -> bool:
        node = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        return bool(await _AddOffsetsHandler(self, member.group_id).do(node))

    async def _do_txn_offset_commit(
        self, offsets: dict[TopicPartition, OffsetAndMetadata], member: GroupMetadata
    ) -> None:
        try:
            node = await self._find_coordinator(CoordinationType.GROUP, member.group_id)
        except GroupAuthorizationFailedError as error:
            self._txn_manager.error_transaction(error)
            return
        await _OffsetCommitHandler(self, offsets, member).do(node)

    def _fail_all(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        reason = finished(self._txn_manager.transactional_id, error)
        self._message_accumulator.fail_all(reason)
        self._txn_manager.fatal_error(reason)


def finished(transactional_id: str, error: BaseException) -> TransactionalIdFenced | ProducerFinished:
    """What to raise for an error after which the producer can't go on."""
    reason: TransactionalIdFenced | ProducerFinished
    if isinstance(error, ProducerFenced):
        reason = TransactionalIdFenced(
            f"transactional id {transactional_id}: a newer producer has it, or the transaction ran into its timeout; "
            "stop this process and let its replacement work"
        )
    else:
        reason = ProducerFinished(
            f"transactional id {transactional_id}: {error.__cause__ or error!r}; restart this process when it is mended"
        )
    reason.__cause__ = error
    return reason


class Transaction(TransactionManager):  # type: ignore[misc]
    """aiokafka's transaction state, without its lapse of memory.

    After an abortable error aiokafka 0.14 forgets which partitions the broker has in the transaction, so the abort that
    follows sends no EndTxn, and the aborted records are published by this producer's next commit.
    """

    _txn_consumer_group: Any
    _transaction_waiter: Any

    def error_transaction(self, error: BaseException) -> None:
        if self.state is TransactionState.ABORTING_TRANSACTION:
            # Offsets were still on their way when the abort began. Back in ABORTABLE_ERROR no EndTxn would follow.
            for _, _, pending in self._pending_txn_offsets:
                pending.set_exception(error)
            self._pending_txn_offsets.clear()
            self._pending_txn_partitions.clear()
            return
        partitions, group = set(self._txn_partitions), self._txn_consumer_group
        super().error_transaction(error)
        self._txn_partitions |= partitions
        self._txn_consumer_group = group
        self._transaction_waiter.exception()  # so that asyncio does not log it as never retrieved

    def fatal_error(self, error: BaseException) -> None:
        if self._transaction_waiter is None:
            self._transaction_waiter = create_future()
        super().fatal_error(error)
        self._transaction_waiter.exception()
