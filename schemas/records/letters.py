"""What a group could not work on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """One header of a Kafka record."""

    name: str
    value: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An input that a group could not work on, whole, with the reason."""

    event_id: str
    call_id: str | None = None
    at_ms: int
    group: str
    topic: str
    lane: int
    offset: int
    timestamp_ms: int
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[Header, ...]
    error: str
    message: str
    attempts: int
