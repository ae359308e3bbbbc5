"""What a door that was started again must know: on which lanes the calls are that it had begun."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from callbus.codec import Codec
from callbus.errors import BrokerError, CodecError
from callbus.kafka import MAX_MESSAGE_BYTES, Connection
from callbus.lanes import CALL_EVENTS, Sighting, running
from callbus.refusals import refusal

_READ_WITHIN_S = 60.0


async def recall(
    connection: Connection, codec: Codec, door: str, lanes: int, since_s: float, there: int
) -> dict[str, int]:
    """The lane of each call of `door` that was begun within the last `since_s` seconds and has not ended.

    `lanes` is how many the door is about to use, `there` how many `CALL_EVENTS` has. Where the newest of those used is
    older than that, none of these calls can have begun while there were fewer (all doors' topics grow together): then
    nothing is read, and the answer is empty. Raises Refused, BrokerError.
    """
    reader = AIOKafkaConsumer(
        **connection.client(),
        enable_auto_commit=False,
        isolation_level="read_uncommitted",  # a door's events are; what a worker leaves open must not hide them
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        fetch_max_wait_ms=50,
        retry_backoff_ms=20,
    )
    places = [TopicPartition(CALL_EVENTS, lane) for lane in range(there)]
    since_ms = round((time.time() - since_s) * 1000)
    try:
        await reader.start()
        async with asyncio.timeout(_READ_WITHIN_S):
            ends = await reader.end_offsets(places)
            found = await reader.offsets_for_times(dict.fromkeys(places, since_ms))
            starts = {tp: found[tp].offset if found.get(tp) else ends[tp] for tp in places}
            newest = places[lanes - 1]
            if starts[newest] > (await reader.beginning_offsets([newest]))[newest]:
                return {}
            seen = [sighting async for sighting in _sightings(reader, codec, door, starts, ends)]
            return running([sighting for sighting in seen if sighting.at_ms >= since_ms])
    except (KafkaError, TimeoutError) as problem:
        raise refusal(problem, connection, {CALL_EVENTS: ("Read",)}) or BrokerError(
            f"{CALL_EVENTS} on {connection.brokers} can't be read for calls that run already "
            f"({type(problem).__name__}); see that the broker is well, and start the door again"
        ) from problem
    finally:
        await reader.stop()


async def _sightings(
    reader: AIOKafkaConsumer,
    codec: Codec,
    door: str,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> AsyncIterator[Sighting]:
    reader.assign(list(starts))
    for tp, offset in starts.items():
        reader.seek(tp, offset)
    behind = set(starts)
    while behind := {tp for tp in behind if await reader.position(tp) < ends[tp]}:
        # A few at a time: a door that looks while it works has others to serve.
        for messages in (await reader.getmany(timeout_ms=50, max_records=500)).values():
            for message in messages:
                if sighting := _sighting(message, codec, door):
                    yield sighting


def _sighting(message: Any, codec: Codec, door: str) -> Sighting | None:
    """None for what another door or a group has published, and for what is no event."""
    if dict(message.headers).get("ce_source") != f"callbus/{door}".encode():
        return None
    try:
        event = codec.decode(CALL_EVENTS, message.value)
    except CodecError:
        return None
    return Sighting(event.call_id, message.partition, event.at_ms, ended=event.type == "ended")
