"""The circuit breaker of a group: what stopped for too many dead letters stays stopped, whoever starts it again.

A supervisor that restarts what exits would else empty a topic into the bin, one limit at a time. The reason stands in
Kafka, as metadata of an offset that the group commits on lane 0 of its dead letters, which no member of it reads: every
member comes by it when it starts, and whenever lanes move to it. `callbus dlq resume` takes it away.
"""

import asyncio
from collections.abc import Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from callbus.errors import StillRunning, TooManyDeadLetters
from callbus.kafka import Connection
from callbus.refusals import needs
from callbus.stretch import reader, told
from callbus.topology import Group
from callbus.worker.kip447 import fetch_note

log = structlog.get_logger(__name__)

_AGAIN_S = 0.2
_END_S = 3.0
_WAIT_S = 15.0  # for a Kafka that is away; then this process alone has stopped


def place(group: Group) -> TopicPartition:
    """On which lane the group's note stands."""
    return TopicPartition(group.dead_letters, 0)


async def trip(consumer: AIOKafkaConsumer, group: Group, reason: str) -> None:
    """Note for every member, in the group that `consumer` is in now, why it stopped. Raises nothing."""
    try:
        async with asyncio.timeout(_WAIT_S):
            note = {place(group): OffsetAndMetadata(await _end(consumer, group), reason)}
            while True:
                if await _noted(consumer, note):
                    return
                await asyncio.sleep(_AGAIN_S)
    except (KafkaError, TimeoutError) as problem:
        log.warning("stop_not_noted", group=group.name, problem=repr(problem), then="the other members go on")


async def _end(consumer: AIOKafkaConsumer, group: Group) -> int:
    """The end of the note's lane: at any other offset, who measures lags would find one there. 0 where Kafka does not
    tell in time: the note is more urgent."""
    try:
        async with asyncio.timeout(_END_S):
            ends = await consumer.end_offsets([place(group)])
    except (KafkaError, TimeoutError):
        return 0
    return int(ends[place(group)])


async def _noted(consumer: AIOKafkaConsumer, note: Mapping[TopicPartition, OffsetAndMetadata]) -> bool:
    """False while the group rebalances: it will be written as who we are after that. Where it has members and we are
    none, too."""
    try:
        await consumer._coordinator.commit_offsets(None, note)
    except CommitFailedError:
        return False
    return True


async def check(consumer: AIOKafkaConsumer, group: Group) -> None:
    """TooManyDeadLetters if the group has stopped and nobody has resumed it. `consumer` need not have joined yet."""
    if reason := await fetch_note(consumer, place(group)):
        raise TooManyDeadLetters(f"{reason}. It begins nothing before that")


async def check_group(connection: Connection, group: Group) -> None:
    """The same, of a group that this process has not joined. Raises BrokerError."""
    async with reader(connection, group_id=group.name) as consumer, told(connection, needs(group)):
        await check(consumer, group)


async def resume(connection: Connection, group: Group) -> str:
    """Let the group start again. Why it had stopped; empty if it had not.

    Raises StillRunning while it has members, BrokerError.
    """
    async with reader(connection, group_id=group.name) as consumer, told(connection, needs(group)):
        reason = await fetch_note(consumer, place(group))
        if reason and not await _noted(consumer, {place(group): OffsetAndMetadata(await _end(consumer, group), "")}):
            raise StillRunning(f"group {group.name} still has members")
        return reason
