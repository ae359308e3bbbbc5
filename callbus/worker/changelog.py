"""The state of calls, read back from its changelog when a lane is taken over."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from callbus.codec import Codec
from callbus.kafka import Connection
from callbus.worker.lane import CallMemory
from callbus.worker.records import Headers

RESUME = "callbus_resume"  # header of a state record: {topic: offset} from which its call's inputs still matter
REFUSED = "callbus_refused"  # likewise: [[topic, offset], …] of its inputs after that which are dead letters already


def resume_headers(resume: Mapping[str, int], refused: Collection[tuple[str, int]] = ()) -> Headers:
    """The headers that carry these; none for what is empty."""
    said = {RESUME: resume, REFUSED: sorted(refused)}
    return [(name, json.dumps(value).encode()) for name, value in said.items() if value]


async def restore(
    connection: Connection, codec: Codec, topic: str, lanes: Collection[int]
) -> dict[int, dict[str, CallMemory]]:
    """What is remembered of every call on these lanes, as of their last committed transaction.

    Reads up to the high watermark, not the last stable offset: when a group's offsets are stable already, the marker of
    the same transaction may still be on its way to this topic, and its records must not be missed.
    """
    found: dict[int, dict[str, CallMemory]] = {lane: {} for lane in lanes}
    ends = await _high_watermarks(connection, topic, lanes)
    if not ends:
        return found
    reader = AIOKafkaConsumer(
        **connection.client(), enable_auto_commit=False, isolation_level="read_committed", fetch_max_wait_ms=20
    )
    await reader.start()
    try:
        reader.assign(list(ends))
        await reader.seek_to_beginning(*ends)
        behind = set(ends)
        while behind := {tp for tp in behind if await reader.position(tp) < ends[tp]}:
            for tp, messages in (await reader.getmany(*behind, timeout_ms=50)).items():
                for message in messages:
                    _remember(found[tp.partition], codec, topic, message)
    finally:
        await reader.stop()
    return found


async def _high_watermarks(connection: Connection, topic: str, lanes: Collection[int]) -> dict[TopicPartition, int]:
    client = AIOKafkaConsumer(**connection.client(), enable_auto_commit=False, isolation_level="read_uncommitted")
    await client.start()
    try:
        ends: dict[TopicPartition, int] = await client.end_offsets([TopicPartition(topic, lane) for lane in lanes])
    finally:
        await client.stop()
    return {tp: end for tp, end in ends.items() if end > 0}


def _remember(calls: dict[str, CallMemory], codec: Codec, topic: str, message: Any) -> None:
    call_id = message.key.decode()
    said = {name: json.loads(value) for name, value in message.headers if name in (RESUME, REFUSED)}
    state = None if message.value is None else codec.decode(topic, message.value)
    if state is None and not said:
        calls.pop(call_id, None)
    else:
        refused = frozenset((topic, offset) for topic, offset in said.get(REFUSED, ()))
        calls[call_id] = CallMemory(state=state, resume=said.get(RESUME, {}), refused=refused)
