"""What groups remember of a running call."""

from dataclasses import dataclass

from schemas.records.calls import Recording
from schemas.records.speech import Turn
from schemas.records.terms import AlertChange, AlertLevel, Speaker


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProgress:
    """How far one channel of a call has been transcribed."""

    channel: Speaker
    sample_rate_hz: int
    position: int
    next_sequence: int
    ended: bool
    late: int = 0
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionProgress:
    """What transcription has already said of a call, so that a replay repeats and loses nothing."""

    call_id: str
    channels: tuple[ChannelProgress, ...]
    utterances: int
    recording_id: str = ""
    heard_ms: int = 0
    heard_id: str = ""
    interruptions: int = 0
    silent: bool = False
    recording: Recording | None = None
    recording_channels: tuple[ChannelProgress, ...] = ()
    live_ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """What stands for a personal particular in the redacted texts of its call."""

    label: str
    text: str
    placeholder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionState:
    """What redaction remembers of a running call."""

    call_id: str
    placeholders: tuple[Placeholder, ...]
    expecting: tuple[str, ...]
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTurn:
    """A recent utterance of a running call: what the next one is understood by."""

    utterance_id: str
    revision: int
    speaker: Speaker
    start_ms: int
    end_ms: int
    text: str
    redacted_text: str
    danger: float = 0.0
    critical: float = 0.0
    matter: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMatter:
    """A matter of a running call, as it was last told."""

    matter: str
    state: AlertChange
    level: AlertLevel
    score: float
    revision: int
    utterance_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """What the group alerts remembers of a running call."""

    call_id: str
    turns: tuple[AlertTurn, ...]
    matters: tuple[AlertMatter, ...]
    suspect: AlertTurn | None = None
    rescue: AlertTurn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedState:
    """What the group restricted remembers of a call."""

    call_id: str
    document_id: str = ""
    document_revision: int = 0
    document_at_ms: int = 0
    turns: tuple[Turn, ...] = ()
    aside: tuple[Turn, ...] = ()
    insight_id: str = ""
    insight_at_ms: int = 0
    revision: int = 0
    complete: bool = False
    evidence_ids: tuple[str, ...] = ()
