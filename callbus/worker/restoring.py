"""What a lane's owner has to know before it opens the lane: the state of its calls, and which inputs wait."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import TopicPartition

from callbus.codec import Codec
from callbus.topology import Group
from callbus.worker import changelog, retry_log
from callbus.worker.memory import CallMemory
from callbus.worker.readback import ReadBack
from callbus.worker.records import as_input
from callbus.worker.waiting import Waiting

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Restored:
    """What is remembered of one lane, as of its last committed transaction."""

    calls: dict[str, CallMemory] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)
    worked: bool = False  # its retry log tells of something; its end would not: aborted transactions move it too


@dataclass(frozen=True, slots=True)
class Effort:
    """What a restore took."""

    lanes: int
    calls: int
    waiting: int
    size_bytes: int
    seconds: float


async def restore(
    group: Group, codec: Codec, reader: ReadBack, retries: Mapping[int, int]
) -> tuple[dict[int, Restored], Effort]:
    """Read the lanes' changelogs whole, and their retry logs from these offsets (lane: committed offset) on."""
    began = time.monotonic()
    starts = {TopicPartition(group.retries, lane): offset for lane, offset in retries.items()}
    starts |= {TopicPartition(group.changelog, lane): 0 for lane in retries if group.changelog}
    restored = {lane: Restored() for lane in retries}
    waiting: dict[int, list[tuple[int, Any]]] = {lane: [] for lane in retries}
    size_bytes = 0
    async for tp, message in reader.read(starts):
        size_bytes += len(message.key or b"") + len(message.value or b"")
        if tp.topic == group.retries:
            restored[tp.partition].worked = True
            waiting[tp.partition].append((message.offset, retry_log.read(as_input(message))))
        else:
            changelog.remember(restored[tp.partition].calls, codec, tp.topic, message)
    for lane, said in waiting.items():
        restored[lane].waiting.restore(said, await reader.position(TopicPartition(group.retries, lane)))
    effort = _effort(restored.values(), size_bytes, time.monotonic() - began)
    log.info(
        "lanes_restored",
        group=group.name,
        lanes=sorted(restored),
        calls=effort.calls,
        waiting=effort.waiting,
        bytes=size_bytes,
        s=round(effort.seconds, 3),
    )
    return restored, effort


def _effort(restored: Collection[Restored], size_bytes: int, seconds: float) -> Effort:
    calls, waiting = sum(len(one.calls) for one in restored), sum(len(one.waiting) for one in restored)
    return Effort(len(restored), calls, waiting, size_bytes, seconds)
