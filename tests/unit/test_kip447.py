"""KIP-447 on aiokafka without a broker: the bytes, the verdicts, and what of aiokafka all of it stands on."""

import hashlib
import inspect
from collections.abc import AsyncIterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import (
    IllegalOperation,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownError,
    for_code,
)
from aiokafka.producer import sender as stock_sender
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.producer import AIOKafkaProducer, TransactionContext
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.transaction import AddOffsetsToTxnResponse_v0, AddPartitionsToTxnResponse_v0
from aiokafka.record import MemoryRecords
from aiokafka.structs import OffsetAndMetadata

from callbus.errors import Fenced
from callbus.worker import kip447_transaction as ours
from callbus.worker.kip447 import (
    FencedInstanceIdError,
    GroupFenced,
    GroupMetadata,
    ProducerFinished,
    TransactionalIdFenced,
    TransactionalProducer,
    fetch_offsets,
)
from callbus.worker.kip447_requests import (
    ErrorCode,
    OffsetFetchRequest,
    OffsetFetchRequest_v7,
    OffsetFetchResponse_v7,
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequest_v3,
    TxnOffsetCommitResponse_v3,
)
from callbus.worker.kip447_transaction import Transaction, finished
from callbus.worker.kip447_verdicts import CommitVerdict, commit_verdict
from callbus.worker.records import OutRecord

MEMBER = GroupMetadata("qa", 7, "member-1", "qa-0")
LANE = TopicPartition("entities", 3)


@pytest.fixture
async def producer() -> AsyncIterator[TransactionalProducer]:
    """Made, but never started: it has a sender and a transaction state, and no broker."""
    made = TransactionalProducer(transactional_id="qa-0", retry_backoff_ms=40, max_batch_size=400)
    yield made
    await made.stop()


@pytest.fixture
async def coordinator() -> AsyncIterator[GroupCoordinator]:
    made = GroupCoordinator(AIOKafkaClient(), SubscriptionState(), group_id="qa", group_instance_id="qa-0")
    yield made
    await made.close()


# What we stand on


async def test_what_we_touch_of_aiokafka_is_there(producer: TransactionalProducer, coordinator: Any) -> None:
    """Every private attribute that ours use, on real objects: a release that renames one fails here."""
    stock = AIOKafkaProducer(transactional_id="stock")
    touched = {
        stock: "_txn_manager _sender _message_accumulator _max_request_size client",
        stock.client: "_wait_on_metadata force_metadata_update",
        stock._message_accumulator: "_txn_manager fail_all",
        stock._sender: "_acks _retry_backoff _request_timeout_ms _txn_manager _message_accumulator _find_coordinator "
        "_coordinator_dead _do_add_partitions_to_txn _do_add_offsets_to_txn _do_txn_offset_commit _fail_all",
        stock._txn_manager: "state transactional_id transaction_timeout_ms producer_id producer_epoch _txn_partitions "
        "_txn_consumer_group _pending_txn_offsets _pending_txn_partitions _transaction_waiter error_transaction "
        "fatal_error is_fatal_error is_in_transaction wait_for_transaction_end add_offsets_to_txn offset_committed",
        coordinator: "generation member_id group_id _group_instance_id _send_req ensure_coordinator_known "
        "coordinator_dead _retry_backoff_ms",
    }
    missing = [
        f"{type(o).__name__}.{name}" for o, names in touched.items() for name in names.split() if not hasattr(o, name)
    ]
    assert not missing
    assert producer._sender._retry_backoff == 0.04
    assert producer._txn_manager is producer._message_accumulator._txn_manager is producer._sender._txn_manager
    await stock.stop()


READ_BEFORE_RENEWING = (
    AIOKafkaProducer.__init__,
    AIOKafkaProducer.send_batch,
    AIOKafkaProducer.send_offsets_to_transaction,
    TransactionContext,
    TransactionManager,
    MessageAccumulator.add_batch,
    MessageAccumulator.fail_all,
    stock_sender.Sender,
    stock_sender.BaseHandler,
    stock_sender.AddPartitionsToTxnHandler,
    stock_sender.AddOffsetsToTxnHandler,
    stock_sender.TxnOffsetCommitHandler,
    GroupCoordinator._send_req,
    GroupCoordinator.reset_generation,
    GroupCoordinator.ensure_coordinator_known,
)


def test_the_code_we_override_has_not_changed() -> None:
    """An aiokafka release that changes what ours override or copy must be read before it is used.

    Read the difference, mend kip447*.py if need be, run the integration and chaos tests, then renew the digest.
    """
    source = "".join(inspect.getsource(part) for part in READ_BEFORE_RENEWING)
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == "906047eee41af64f"


def test_our_error_codes_are_kafkas() -> None:
    """Each name is aiokafka's, too, or aiokafka doesn't know the code and would call it UnknownError."""
    other_names = {"NONE": "NO_ERROR", "NETWORK_EXCEPTION": "STALE_LEADER_EPOCH_CODE"}
    known = {code: for_code(code) for code in ErrorCode if for_code(code) is not UnknownError}
    assert [error.message for error in known.values()] == [other_names.get(code.name, code.name) for code in known]
    assert set(ErrorCode) - set(known) == {88, 90, 120}
    assert known[ErrorCode.FENCED_INSTANCE_ID] is FencedInstanceIdError, "aiokafka has one of its own: drop ours"


@pytest.mark.parametrize("holding", ["outputs", "offsets"])
async def test_aiokafka_still_forgets_what_is_in_the_transaction(holding: str) -> None:
    """When this fails, aiokafka has mended it, and `Transaction.error_transaction` can go."""
    remembered = {}
    for manager in (TransactionManager("qa-0", 1000), Transaction("qa-0", 1000)):
        manager.set_pid_and_epoch(1, 0)
        manager.begin_transaction()
        if holding == "outputs":
            manager.maybe_add_partition_to_txn(LANE)
            manager.partition_added(LANE)
        else:
            manager.consumer_group_added("qa")
        manager.error_transaction(GroupFenced("over"))
        manager.wait_for_transaction_end().exception()
        manager.aborting_transaction()
        remembered[type(manager)] = not manager.is_empty_transaction()
    assert remembered == {TransactionManager: False, Transaction: True}


def test_no_global_of_aiokafka_was_changed() -> None:
    """Our shorter wait is ours alone."""
    assert stock_sender.BACKOFF_OVERRIDE == 0.02


# The transaction's state


async def test_offsets_refused_during_an_abort_do_not_stop_the_abort() -> None:
    """A commit was cancelled with its offsets on their way, and they were refused: the abort still sends EndTxn."""
    transaction = Transaction("qa-0", 1000)
    transaction.set_pid_and_epoch(1, 0)
    transaction.begin_transaction()
    transaction.consumer_group_added(MEMBER)
    pending = transaction.add_offsets_to_txn({LANE: OffsetAndMetadata(5, "")}, MEMBER)
    transaction.aborting_transaction()
    transaction.error_transaction(GroupFenced("over"))
    assert isinstance(pending.exception(), GroupFenced)
    assert transaction.needs_transaction_commit() is not None
    assert transaction.offsets_to_commit() is None
    transaction.complete_transaction()
    transaction.begin_transaction()


async def test_a_producer_that_ended_says_why_at_the_next_transaction(producer: TransactionalProducer) -> None:
    """Not an AssertionError about states: the reason, as one of our errors."""
    producer._txn_manager.set_pid_and_epoch(1, 0)
    producer._txn_manager.fatal_error(finished("qa-0", ProducerFenced()))
    with pytest.raises(TransactionalIdFenced, match="qa-0: a newer producer"):
        await producer.begin_transaction()
    with pytest.raises(TransactionalIdFenced):
        await producer.commit_transaction()


def test_what_ends_a_producer_is_named() -> None:
    """Being fenced is told from other ends, and only it is a Fenced; neither is retried as a KafkaError."""
    fenced, other = finished("qa-0", ProducerFenced()), finished("qa-0", OutOfOrderSequenceNumber())
    assert isinstance(fenced, Fenced)
    assert type(other) is ProducerFinished
    assert not isinstance(other, Fenced)
    assert "OutOfOrderSequenceNumber" in str(other)


# Requests and responses


def test_txn_offset_commit_v3_bytes() -> None:
    """Byte for byte as KIP-482 lays out a flexible version: compact lengths are one more, tags close each structure."""
    offsets = {TopicPartition("t", 1): OffsetAndMetadata(258, ""), TopicPartition("t", 0): OffsetAndMetadata(1, "m")}
    request = TxnOffsetCommitRequest(
        transactional_id="tx",
        group_id="g",
        producer_id=9,
        producer_epoch=2,
        generation_id=7,
        member_id="me",
        group_instance_id=None,
        offsets=offsets,
    )
    assert request.prepare({28: (0, 5)}).encode() == b"".join(
        [
            b"\x03tx\x02g",
            (9).to_bytes(8, "big") + (2).to_bytes(2, "big") + (7).to_bytes(4, "big"),
            b"\x03me\x00",  # a null instance id
            b"\x02\x02t\x03",  # one topic, "t", two partitions
            (0).to_bytes(4, "big") + (1).to_bytes(8, "big") + b"\xff\xff\xff\xff" + b"\x02m" + b"\x00",
            (1).to_bytes(4, "big") + (258).to_bytes(8, "big") + b"\xff\xff\xff\xff" + b"\x01" + b"\x00",
            b"\x00\x00",
        ]
    )
    assert TxnOffsetCommitRequest_v3.FLEXIBLE_VERSION


def test_offset_fetch_v7_bytes() -> None:
    """The last byte but one asks for stable offsets."""
    request = OffsetFetchRequest("g", {TopicPartition("t", 2), TopicPartition("s", 1)}, require_stable=True)
    encoded = b"\x02g\x03" + b"\x02s\x02\x00\x00\x00\x01\x00" + b"\x02t\x02\x00\x00\x00\x02\x00" + b"\x01\x00"
    assert request.prepare({9: (0, 8)}).encode() == encoded
    assert OffsetFetchRequest_v7.FLEXIBLE_VERSION


def test_responses_are_read_back() -> None:
    """Throttle time, topics, partitions, codes."""
    commit = b"\x00\x00\x00\x05" + b"\x02\x02t\x02" + b"\x00\x00\x00\x03" + b"\x00\x16" + b"\x00\x00\x00"
    response = TxnOffsetCommitResponse_v3.decode(BytesIO(commit))
    assert response.topics == [("t", [(3, ErrorCode.ILLEGAL_GENERATION, {})], {})]
    fetched = b"\x00\x00\x00\x00" + b"\x02\x02t\x02" + b"\x00\x00\x00\x03" + (258).to_bytes(8, "big")
    fetched += b"\xff\xff\xff\xff" + b"\x01" + b"\x00\x58" + b"\x00\x00" + b"\x00\x00" + b"\x00"
    response = OffsetFetchResponse_v7.decode(BytesIO(fetched))
    assert response.topics == [("t", [(3, 258, -1, "", ErrorCode.UNSTABLE_OFFSET_COMMIT, {})], {})]
    assert response.error_code == 0


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ([], CommitVerdict.COMMITTED),
        ([0, 0], CommitVerdict.COMMITTED),
        *(([0, code], CommitVerdict.GROUP_FENCED) for code in (22, 25, 27, 82, 120)),
        *(([code], CommitVerdict.PRODUCER_FENCED) for code in (47, 90)),
        *(([code], CommitVerdict.FIND_COORDINATOR) for code in (7, 13, 15, 16)),
        *(([code], CommitVerdict.RETRY) for code in (3, 14, 51, 88)),
        ([30], CommitVerdict.NOT_AUTHORIZED),
        *(([code], CommitVerdict.FATAL) for code in (12, 48, 49, 53, 999)),
        ([22, 90], CommitVerdict.PRODUCER_FENCED),
        ([16, 22], CommitVerdict.GROUP_FENCED),
        ([3, 16], CommitVerdict.FIND_COORDINATOR),
        ([22, 48], CommitVerdict.FATAL),
    ],
)
def test_the_gravest_code_decides(codes: list[int], verdict: CommitVerdict) -> None:
    """Raw codes, because aiokafka calls 82, 88, 90 and 120 UnknownError."""
    assert commit_verdict(codes) is verdict


async def test_we_wait_5_ms_for_the_markers_of_the_transaction_before(producer: TransactionalProducer) -> None:
    """On CONCURRENT_TRANSACTIONS only; other waits stay aiokafka's."""
    add_offsets = ours._AddOffsetsHandler(producer._sender, "qa")
    assert add_offsets.handle_response(AddOffsetsToTxnResponse_v0(0, 51)) == 0.005
    assert add_offsets.handle_response(AddOffsetsToTxnResponse_v0(0, 14)) == 0.04
    assert add_offsets.handle_response(AddOffsetsToTxnResponse_v0(0, 0)) is None
    add_partitions = ours._AddPartitionsHandler(producer._sender, {LANE})
    assert add_partitions.handle_response(AddPartitionsToTxnResponse_v0(0, [("entities", [(3, 51)])])) == 0.005
    assert add_partitions.handle_response(AddPartitionsToTxnResponse_v0(0, [("entities", [(3, 14)])])) == 0.04


# Membership and the producer's contract


def test_membership_is_read_once_and_never_from_a_coordinator_that_lost_it(coordinator: Any) -> None:
    """Generation -1 and member id '' would be accepted by the broker, unfenced."""
    consumer = SimpleNamespace(_coordinator=coordinator)
    coordinator.generation, coordinator.member_id = 7, "member-1"
    frozen = GroupMetadata.of(consumer)
    coordinator.reset_generation()
    assert frozen == MEMBER
    with pytest.raises(GroupFenced, match="qa: not a member any more"):
        GroupMetadata.of(consumer)


async def test_offsets_need_a_member_and_a_transaction(producer: TransactionalProducer) -> None:
    """A bare group id fences nobody, so it is refused."""
    with pytest.raises(TypeError, match="fences nobody"):
        await producer.send_offsets_to_transaction({LANE: 1}, "qa")  # type: ignore[arg-type]
    with pytest.raises(IllegalOperation):
        await producer.send_offsets_to_transaction({LANE: 1}, MEMBER)


async def test_no_partitions_have_no_offsets() -> None:
    """And nothing is asked: an empty list would mean all of the group's partitions."""
    assert await fetch_offsets(None, []) == ({}, set())


async def test_batches_keep_each_partitions_order_and_every_field(producer: TransactionalProducer) -> None:
    """Records of many partitions mixed, batches of 400 bytes: what is in them, read back, is what was given."""
    records = [
        OutRecord(
            "t", n % 3, None if n % 5 else b"k%d" % n, None if n % 7 == 0 else b"v" * n, (("n", b"%d" % n),), 1000 + n
        )
        for n in range(60)
    ]
    filled = producer._fill_batches(records)
    assert all(len(batches) > 2 for batches in filled)
    for batches in filled:
        partition = batches[0][0].partition
        read = [record for _, batch in batches for record in _records_of(batch)]
        wanted = [r for r in records if r.partition == partition]
        assert [(r.key, r.value, tuple(r.headers), r.timestamp) for r in read] == [
            (w.key, w.value, w.headers, w.timestamp_ms) for w in wanted
        ]


def _records_of(batch: Any) -> list[Any]:
    memory = MemoryRecords(bytes(batch._build()))
    return list(memory.next_batch())


async def test_a_record_that_no_request_can_carry_is_refused_at_once(producer: TransactionalProducer) -> None:
    """Before anything is sent, with what to do about it."""
    with pytest.raises(MessageSizeTooLargeError, match=r"t\[0\].*claim check"):
        producer._fill_batches([OutRecord("t", 0, b"k", bytes(2**20))])
