"""What all records are made of: the enumerations, the provenance, and what every record has."""

from dataclasses import dataclass
from typing import Literal, Protocol

Speaker = Literal["agent", "caller", "unknown"]
Kind = Literal["speech", "message", "gap", "end", "unclear", "unknown"]
TranslationStatus = Literal["translated", "pass_through", "untranslated", "unknown"]
CallEventType = Literal[
    "started", "held", "resumed", "ended", "failed", "mended", "interrupted", "reopened", "judged", "unknown"
]
Medium = Literal["phone", "chat", "recording", "unknown"]
Verdict = Literal["pass", "fail", "not_applicable", "unknown"]
AlertLevel = Literal["high", "critical", "unknown"]
AlertChange = Literal["raised", "escalated", "withdrawn", "unknown"]
TimelineKind = Literal[
    "started",
    "held",
    "resumed",
    "gap",
    "alert_raised",
    "alert_escalated",
    "alert_withdrawn",
    "judgement_changed",
    "interrupted",
    "reopened",
    "ended",
    "unknown",
]
Part = Literal["caller", "counsellor", "child", "alleged_perpetrator", "victim", "unknown"]
StageState = Literal["waiting", "partial", "complete", "failed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What made an event, and from what."""

    stage: str
    model: str
    model_version: str
    origin_ids: tuple[str, ...]


class Record(Protocol):
    """Anything that travels on a call topic or in a call's state."""

    @property
    def call_id(self) -> str: ...


class Event(Record, Protocol):
    """A record that travels on a topic."""

    @property
    def event_id(self) -> str: ...
