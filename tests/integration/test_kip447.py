"""KIP-447 against a real broker: what a reader may see, whom the broker refuses, and what a new owner is told.

Each guard has its red twin: the same steps without it, and the harm that follows.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions
from aiokafka.errors import IllegalOperation, UnknownTopicOrPartitionError
from aiokafka.producer.transaction_manager import TransactionManager

from callbus.errors import Fenced
from callbus.worker.kip447 import (
    GroupFenced,
    GroupMetadata,
    TransactionalIdFenced,
    TransactionalProducer,
    fetch_offsets,
)
from callbus.worker.records import OutRecord
from tests.integration.stage import LANES, Stage, move_on, stable_offsets

pytestmark = pytest.mark.broker


@pytest.fixture
async def stage(broker: str) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as open_until:
        stage = Stage(broker, open_until)
        await stage.make_topics()
        yield stage


# Commit


async def test_outputs_and_offsets_appear_together_or_not_at_all(stage: Stage) -> None:
    """While the transaction is open a read_committed reader sees nothing on any lane; after the commit, all."""
    consumer, producer = await stage.member(), await stage.producer()
    member = GroupMetadata.of(consumer)
    everything = [r for lane in range(LANES) for r in stage.outputs(b"a%d" % lane, b"b%d" % lane, lane=lane)]
    async with producer.transaction():
        await producer.publish(everything)
        await producer.send_offsets_to_transaction(stage.next_offset(5) | stage.next_offset(7, lane=3), member)
        assert await stage.values() == []
        assert len(await stage.values("read_uncommitted")) == 2 * LANES
    assert await stage.values() == [record.value for record in everything]
    lanes = [TopicPartition(stage.input, lane) for lane in range(LANES)]
    assert await stable_offsets(consumer, lanes) == dict(zip(lanes, (5, None, None, 7), strict=True))


async def test_what_is_aborted_never_appears(stage: Stage) -> None:
    """A fault in the middle: neither outputs nor offsets; the next transaction of the same producer is whole."""
    consumer, producer = await stage.member(), await stage.producer()
    member = GroupMetadata.of(consumer)
    with pytest.raises(ZeroDivisionError):
        async with producer.transaction():
            await producer.publish(stage.outputs(b"aborted"))
            await producer.send_offsets_to_transaction(stage.next_offset(1), member)
            _ = 1 / 0
    assert await stable_offsets(consumer, stage.next_offset(0)) == {TopicPartition(stage.input, 0): None}
    async with producer.transaction():
        await producer.publish(stage.outputs(b"kept"))
        await producer.send_offsets_to_transaction(stage.next_offset(2), member)
    assert await stage.values() == [b"kept"]
    assert await stable_offsets(consumer, stage.next_offset(0)) == stage.next_offset(2)


# Fencing by the group


async def commit_twice_over_a_rebalance(stage: Stage, producer: TransactionalProducer, consumer: Any) -> None:
    """Commit as the generation before the rebalance (it must be refused), then as the one after."""
    stale = GroupMetadata.of(consumer)
    await move_on(consumer)
    with pytest.raises(Fenced, match="ILLEGAL_GENERATION"):
        async with producer.transaction():
            await producer.publish(stage.outputs(b"stale 1", b"stale 2"))
            await producer.send_offsets_to_transaction(stage.next_offset(9), stale)
    async with producer.transaction():
        await producer.publish(stage.outputs(b"fresh"))
        await producer.send_offsets_to_transaction(stage.next_offset(1), GroupMetadata.of(consumer))


async def test_a_generation_that_is_over_commits_nothing(stage: Stage) -> None:
    """The zombie is refused, what it sent never appears, not even with the same producer's next commit."""
    consumer, producer = await stage.member(), await stage.producer()
    await commit_twice_over_a_rebalance(stage, producer, consumer)
    assert await stage.values() == [b"fresh"]
    assert await stable_offsets(consumer, stage.next_offset(0)) == stage.next_offset(1)


async def test_red_twin_aiokafkas_own_transaction_state_publishes_what_was_aborted(stage: Stage) -> None:
    """The same steps with aiokafka's TransactionManager: its abort sends no EndTxn, and the stale records appear."""
    consumer = await stage.member()
    producer = TransactionalProducer(bootstrap_servers=stage.broker, transactional_id=stage.id, retry_backoff_ms=20)
    stock = TransactionManager(stage.id, 30_000)
    producer._txn_manager = producer._message_accumulator._txn_manager = producer._sender._txn_manager = stock
    async with producer:
        await commit_twice_over_a_rebalance(stage, producer, consumer)
        assert await stage.values() == [b"stale 1", b"stale 2", b"fresh"]


@pytest.mark.parametrize("forgery", [{"generation": 99}, {"member_id": "nobody"}])
async def test_a_stranger_commits_nothing(stage: Stage, forgery: dict[str, Any]) -> None:
    """A generation that is not yet, or a member that the group does not know."""
    consumer, producer = await stage.member(), await stage.producer()
    with pytest.raises(GroupFenced):
        async with producer.transaction():
            await producer.publish(stage.outputs(b"forged"))
            member = replace(GroupMetadata.of(consumer), **forgery)
            await producer.send_offsets_to_transaction(stage.next_offset(9), member)
    assert await stage.values() == []


async def test_a_static_member_that_was_replaced_commits_nothing(stage: Stage) -> None:
    """Two processes of one group.instance.id: the broker knows the newer one (raw code 82, FENCED_INSTANCE_ID)."""
    consumer, producer = await stage.member(group_instance_id="qa-0"), await stage.producer()
    replaced = GroupMetadata.of(consumer)
    replacement = await stage.member(group_instance_id="qa-0")
    member = GroupMetadata.of(replacement)
    with pytest.raises(GroupFenced, match="FENCED_INSTANCE_ID"):
        async with producer.transaction():
            await producer.publish(stage.outputs(b"replaced"))
            await producer.send_offsets_to_transaction(
                stage.next_offset(9), replace(replaced, generation=member.generation)
            )
    assert await stage.values() == []


async def test_red_twin_a_coordinator_that_lost_its_membership_fences_nobody(stage: Stage) -> None:
    """Why membership is frozen at assignment: what a reset coordinator holds (-1 and '') the broker lets pass."""
    consumer, producer = await stage.member(), await stage.producer()
    async with producer.transaction():
        await producer.publish(stage.outputs(b"unfenced"))
        await producer.send_offsets_to_transaction(stage.next_offset(9), GroupMetadata(stage.group, -1, ""))
    assert await stable_offsets(consumer, stage.next_offset(0)) == stage.next_offset(9)


# What a new owner is told


async def test_an_offset_in_an_open_transaction_is_pending(stage: Stage) -> None:
    """It has no value until the transaction ends; without require_stable the broker tells the old one (red twin)."""
    consumer, producer = await stage.member(), await stage.producer()
    member = GroupMetadata.of(consumer)
    lane, other = TopicPartition(stage.input, 0), TopicPartition(stage.input, 1)
    async with producer.transaction():
        await producer.send_offsets_to_transaction({lane: 3}, member)
    assert await stable_offsets(consumer, [lane, other]) == {lane: 3, other: None}
    async with producer.transaction():
        await producer.send_offsets_to_transaction({lane: 8}, member)
        assert await fetch_offsets(consumer, [lane, other]) == ({other: None}, {lane})
        assert await fetch_offsets(consumer, [lane, other], require_stable=False) == ({lane: 3, other: None}, set())
    assert await stable_offsets(consumer, [lane]) == {lane: 8}


# Fencing by the transactional id


async def test_a_restarted_producer_aborts_what_it_left(stage: Stage) -> None:
    """Same transactional.id: the leftover is aborted before the new one has started, and the old one is finished."""
    consumer, before = await stage.member(), await stage.producer()
    member = GroupMetadata.of(consumer)
    await before.begin_transaction()
    await before.publish(stage.outputs(b"leftover"))
    await before.send_offsets_to_transaction(stage.next_offset(9), member)

    restarted = await stage.producer()
    assert await stable_offsets(consumer, stage.next_offset(0)) == {TopicPartition(stage.input, 0): None}
    async with restarted.transaction():
        await restarted.publish(stage.outputs(b"worked again"))
        await restarted.send_offsets_to_transaction(stage.next_offset(1), member)
    assert await stage.values() == [b"worked again"]

    with pytest.raises(TransactionalIdFenced, match="a newer producer has it"):
        await before.commit_transaction()
    with pytest.raises(TransactionalIdFenced):
        await before.begin_transaction()
    assert await stage.values() == [b"worked again"]


async def test_a_fenced_producer_says_so_wherever_it_is_met(stage: Stage) -> None:
    """Publishing, sending offsets and aborting raise the same error."""
    member = GroupMetadata.of(await stage.member())
    steps: list[Callable[[TransactionalProducer], Coroutine[Any, Any, None]]] = [
        lambda producer: producer.publish(stage.outputs(b"zombie")),
        lambda producer: producer.send_offsets_to_transaction(stage.next_offset(9), member),
        lambda producer: producer.abort_transaction(),
    ]
    for step in steps:
        zombie = await stage.producer()
        await zombie.begin_transaction()
        await zombie.publish(stage.outputs(b"before"))
        await zombie.send_offsets_to_transaction(stage.next_offset(8), member)
        await stage.producer()
        with pytest.raises(TransactionalIdFenced):
            await step(zombie)
    assert await stage.values() == []


async def test_red_twin_an_id_that_is_never_reused_leaves_its_lane_blocked(stage: Stage) -> None:
    """The leftover of a process that took another id hides all later records until its transaction times out."""
    before = await stage.producer(f"{stage.id}-1")
    await before.begin_transaction()
    await before.publish(stage.outputs(b"leftover"))
    restarted = await stage.producer(f"{stage.id}-2")
    async with restarted.transaction():
        await restarted.publish(stage.outputs(b"hidden"))
    assert await stage.values() == []
    await before.abort_transaction()
    assert await stage.values() == [b"hidden"]


# Publishing


@pytest.mark.parametrize("max_batch_size", [500, 1_000_000])
async def test_published_records_keep_order_headers_and_time(stage: Stage, max_batch_size: int) -> None:
    """Hundreds of records over mixed lanes, in many small batches or in one: each lane reads as it was written."""
    producer = await stage.producer(max_batch_size=max_batch_size)
    records = [
        OutRecord(
            stage.output,
            n * n % LANES,
            b"call-%d" % (n % 7) if n % 3 else None,
            b"x" * (n % 90) if n % 11 else None,
            [("ce_id", b"%d" % n), ("ce_type", "órale".encode())] if n % 5 else (),
            1_700_000_000_000 + n,
        )
        for n in range(400)
        if n % 33
    ]
    async with producer.transaction():
        await producer.publish(records)
        await producer.publish([])
        await producer.publish(stage.outputs(b"last", lane=1))
    read = await stage.visible()
    assert read.pop().value == b"last"
    assert [(r.partition, r.key, r.value, list(r.headers), r.timestamp) for r in read] == [
        (r.partition, r.key, r.value, list(r.headers), r.timestamp_ms)
        for r in sorted(records, key=lambda record: record.partition)
    ]


async def test_publishing_needs_a_transaction_and_a_lane(stage: Stage) -> None:
    """Outside a transaction, or onto a lane that isn't there: an error at once, and nothing is sent."""
    producer = await stage.producer()
    with pytest.raises(IllegalOperation):
        await producer.publish(stage.outputs(b"early"))
    with pytest.raises(
        UnknownTopicOrPartitionError, match=f"{stage.output} has lanes 0 to {LANES - 1}, and no lane {LANES}"
    ):
        async with producer.transaction():
            await producer.publish([*stage.outputs(b"good"), *stage.outputs(b"bad", lane=LANES)])
    assert await stage.values("read_uncommitted") == []


async def test_lanes_added_since_the_start_are_found(stage: Stage) -> None:
    """aiokafka looks at the metadata every five minutes; a lane that grew meanwhile is looked up."""
    producer = await stage.producer()
    async with producer.transaction():
        await producer.publish(stage.outputs(b"before"))
    async with stage.admin() as admin:
        await admin.create_partitions({stage.output: NewPartitions(LANES + 1)})
    async with producer.transaction():
        await producer.publish(stage.outputs(b"on the new lane", lane=LANES))
