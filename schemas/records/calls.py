"""What doors publish: the steps of a call's life, and its sound."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.records.terms import CallEventType, Medium, Speaker


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """A step in a call's life."""

    event_id: str
    call_id: str
    at_ms: int
    type: CallEventType
    medium: Medium
    source: str
    stage: str | None = None
    reason: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChunk:
    """A slice of one channel of a live call, usually 250 to 500 ms."""

    event_id: str
    call_id: str
    channel: Speaker
    channels: int
    sequence: int
    start_sample: int
    sample_rate_hz: int
    codec: str
    last: bool
    heard_again: bool = False
    at_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A finished call, by reference: the bytes never go through Kafka."""

    event_id: str
    call_id: str
    at_ms: int
    uri: str
    sha256: str
    channels: tuple[Speaker, ...]
    duration_ms: int | None = None
    revision: int = 1
