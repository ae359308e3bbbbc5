"""Inputs that the log no longer has: what is lost before it was read must be said aloud, for aiokafka passes over it.

It goes on at the log's beginning where a committed offset lies outside the log, whether retention has moved the one end
past it, or a broker that came back with less than it had acknowledged has pulled the other end before it.
"""

import asyncio
from collections.abc import Collection, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from callbus.errors import BrokerError
from callbus.topology import Group
from callbus.worker.lane import Lane
from callbus.worker.restoring import Restored

log = structlog.get_logger(__name__)

_AGAIN_S = 0.2
_MARKER = 1  # the end of the transaction of the last input takes an offset too, and expires with it


async def expired(consumer: AIOKafkaConsumer, group: Group, committed: Mapping[TopicPartition, int | None]) -> int:
    """Log which inputs expired before the group had read them, and return how many at most.

    `committed` are offsets of the group, None where it has none: then it never meant to read what has expired. The
    retry log does not count: what waits there is committed only when it is done with. A Kafka that is away is waited
    for without end (cancel to stop).
    """
    told = {tp: offset for tp, offset in committed.items() if offset is not None and tp.topic in group.inputs}
    beginnings = await _beginnings(consumer, list(told)) if told else {}
    holes = {tp: beginnings[tp] - offset for tp, offset in told.items() if beginnings[tp] - offset > _MARKER}
    for tp, missing in holes.items():
        log.error(
            "inputs_expired",
            group=group.name,
            topic=tp.topic,
            lane=tp.partition,
            first_offset=told[tp],
            at_most=missing,
            then="they are lost to this group: their retention was over before it had read them",
        )
    return sum(holes.values())


async def _beginnings(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, int]:
    while True:
        try:
            found: dict[TopicPartition, int] = await consumer.beginning_offsets(places)
        except KafkaError as problem:
            if not (problem.retriable or isinstance(problem, KafkaTimeoutError)):
                raise
            await asyncio.sleep(_AGAIN_S)
        else:
            return found


def check_known(group: Group, lane: int, committed: Collection[int | None], restored: Restored) -> None:
    """Raise BrokerError where the group has worked on a lane of which Kafka knows no offset any more.

    Kafka drops the offsets of a group that has had no member for `offsets.retention.minutes`, all of them at once. Read
    from its start the lane would be worked on twice. `committed` are the offsets of all that is read of the lane. A
    group that is at-least-once may have come no farther than its first commit.
    """
    if group.delivery != "exactly-once" or any(offset is not None for offset in committed):
        return
    if restored.calls or restored.worked:
        witness = group.changelog if restored.calls else group.retries
        its = " ".join(f"--topic {topic}" for topic in group.inputs)
        raise BrokerError(
            f"group {group.name}, lane {lane}: Kafka has dropped the group's offsets, and its {witness} shows that it "
            "has worked there (`offsets.retention.minutes` of the broker is over, or somebody deleted them). Say where "
            f"it is to go on, in all its inputs: `kafka-consumer-groups.sh --group {group.name} {its} --reset-offsets "
            "--to-datetime 2026-01-31T00:00:00.000 --execute` with the time when it last ran; --to-earliest does all "
            "of it once more"
        )


def check_end(group: Group, lane: Lane, topic: str, position: int) -> None:
    """Raise BrokerError where fetching was set back before what it had brought: the log has become shorter.

    What is written there now has the offsets of inputs that were worked on, and would be taken for them.
    """
    if position < (reached := lane.positions[topic]):
        raise BrokerError(
            f"{topic}, lane {lane.number}: Kafka has lost what it had acknowledged. Group {group.name} had come to "
            f"offset {reached}, and the log does not go that far any more. See what befell the broker; then say where "
            f"the group is to go on: `kafka-consumer-groups.sh --group {group.name} --topic {topic}:{lane.number} "
            "--reset-offsets --to-latest --execute`, or --to-datetime"
        )
