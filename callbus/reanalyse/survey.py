"""Which calls a period has, where their inputs stand, and what was said of them live. Reads Kafka, judges nothing."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

from callbus.codec import Codec
from callbus.errors import CodecError
from callbus.reanalyse.aspects import Aspects, after
from callbus.stretch import Seen, between

_COORDINATOR_WITHIN_S = 20.0
_ASK_AGAIN_S = 0.2


@dataclass(slots=True)
class Found:
    """The inputs of one call within the period. Times are those of Kafka's records, Unix ms."""

    first_ms: int
    last_ms: int
    tp: TopicPartition
    offset: int  # of the newest
    deleted: bool = False  # the newest is a tombstone

    @property
    def place(self) -> str:
        """`LANE:OFFSET` of the newest input."""
        return f"{self.tp.partition}:{self.offset}"


@dataclass(slots=True)
class Live:
    """What stands on the output topic for one call. `input_id` is the document it was said of, "" of alerts."""

    aspects: Aspects
    input_id: str
    versions: set[tuple[str, str]] = field(default_factory=set)  # model and its version


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a topic that a period is. `forgotten_before_ms`: earlier records of it were there, and are no more;
    `emptied`: some lane has lost all that it had, nobody knows when."""

    starts: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    forgotten_before_ms: int | None = None
    emptied: bool = False

    def forgotten(self, keeps_ms: int | None, since_ms: int, now_ms: int) -> int | None:
        """Before when the topic keeps nothing of the period, Unix ms; None if it keeps all that was ever there.

        `keeps_ms` is its retention: what it says of lanes that have been emptied.
        """
        kept_from_ms = now_ms - keeps_ms if keeps_ms is not None and self.emptied else since_ms
        known = max(self.forgotten_before_ms or 0, kept_from_ms)
        return known if known > since_ms else None


async def stretch(consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], since_ms: int) -> Stretch:
    """From the first records at or after a time, to where the lanes end now."""
    beginnings = await consumer.beginning_offsets(places)
    ends = await consumer.end_offsets(places)
    found = await consumer.offsets_for_times(dict.fromkeys(places, max(0, since_ms)))
    starts = {tp: found[tp].offset if found.get(tp) else ends[tp] for tp in places}
    cut = [found[tp].timestamp for tp in places if found.get(tp) and 0 < beginnings[tp] == starts[tp] < ends[tp]]
    emptied = any(0 < beginnings[tp] == ends[tp] for tp in places)
    return Stretch(starts, ends, min(cut, default=None), emptied)


async def calls_of(consumer: AIOKafkaConsumer, its: Stretch, seen: Seen) -> dict[str, Found]:
    """Every call with a record in the stretch, by the records' keys alone: none is decoded."""
    calls: dict[str, Found] = {}
    async for tp, message in between(consumer, its.starts, its.ends, seen):
        if message.offset >= its.ends[tp] or message.key is None:
            continue
        call_id = message.key.decode(errors="replace")
        known = calls.setdefault(call_id, Found(message.timestamp, message.timestamp, tp, message.offset))
        known.tp, known.offset, known.last_ms = tp, message.offset, message.timestamp
        known.deleted = message.value is None
    return calls


async def live_of(consumer: AIOKafkaConsumer, codec: Codec, its: Stretch, seen: Seen) -> dict[str, Live]:
    """The newest judgement of each call; of alerts, what stands of all matters. What is no event is passed over."""
    known: dict[str, Live] = {}
    async for tp, message in between(consumer, its.starts, its.ends, seen):
        if message.offset >= its.ends[tp] or message.value is None:
            continue
        try:
            record = codec.decode(message.topic, message.value)
        except CodecError:
            continue
        live = known.setdefault(record.call_id, Live({}, ""))
        live.aspects, live.input_id = after(live.aspects, record), getattr(record, "document_id", "")
        live.versions.add(version_of(record))
    return known


async def committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """How far the live group has come; asked for, never changed. A broker that had no group yet needs a moment."""
    deadline = time.monotonic() + _COORDINATOR_WITHIN_S
    while True:
        try:
            offsets = await admin.list_consumer_group_offsets(group)
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_ASK_AGAIN_S)
        else:
            return {tp: known.offset for tp, known in offsets.items()}


def version_of(record: Any) -> tuple[str, str]:
    """Model and version of what made a judgement."""
    return record.provenance.model, record.provenance.model_version
