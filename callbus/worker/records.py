"""What the worker takes from Kafka and puts there: one message, its topic and lane already chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Input:
    """One message as it was fetched. `waiting_id` names the entry of the retry log that brings it again, if any."""

    topic: str
    lane: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    waiting_id: str = ""

    @property
    def size_bytes(self) -> int:
        return len(self.value or b"")


def as_input(message: Any) -> Input:
    """A fetched message, without aiokafka."""
    return Input(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        message.headers,
        message.timestamp,
    )


@dataclass(frozen=True, slots=True)
class OutRecord:
    """One record to publish. `value` None is a tombstone: a compacted topic forgets the key."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None  # since the epoch; None: the time of publishing
