"""What the worker puts on Kafka: one record, its topic and lane already chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Headers: TypeAlias = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class OutRecord:
    """One record to publish. `value` None is a tombstone: a compacted topic forgets the key."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None  # since the epoch; None: the time of publishing
