"""The typed records: one frozen dataclass per `.avsc`, field for field in the same order (a test holds that).

What each field means, and its unit, stands in the `.avsc`. Enumerations are `Literal` strings, arrays are tuples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Speaker = Literal["agent", "caller", "unknown"]
Kind = Literal["speech", "message", "gap", "end", "unclear", "unknown"]
TranslationStatus = Literal["translated", "pass_through", "untranslated", "unknown"]
CallEventType = Literal["started", "held", "resumed", "ended", "failed", "mended", "interrupted", "reopened", "unknown"]
Medium = Literal["phone", "chat", "recording", "unknown"]
Verdict = Literal["pass", "fail", "not_applicable", "unknown"]
AlertLevel = Literal["high", "critical", "unknown"]
AlertChange = Literal["raised", "escalated", "withdrawn", "unknown"]
StageState = Literal["waiting", "partial", "complete", "failed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What made an event, and from what."""

    stage: str
    model: str
    model_version: str
    origin_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word with its time."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A name, place, number or other particular in an utterance."""

    label: str
    text: str
    start: int
    end: int
    score: float
    placeholder: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What was said between two pauses on one channel, or one chat message, or the end of the call."""

    event_id: str
    call_id: str
    at_ms: int
    kind: Kind
    speaker: Speaker
    start_ms: int
    end_ms: int
    text: str
    language: str
    language_probability: float
    confidence: float
    words: tuple[Word, ...]
    interrupted: bool = False
    revision: int = 1
    heard_again: bool = False
    doubts: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialUtterance:
    """What has been understood so far of an utterance that is still being spoken."""

    event_id: str
    call_id: str
    at_ms: int
    utterance_id: str
    revision: int
    speaker: Speaker
    start_ms: int
    end_ms: int
    stable: str
    text: str
    language: str
    confidence: float
    withdrawn: bool = False
    degraded: tuple[str, ...] = ()
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """An utterance in the helpline's working language."""

    event_id: str
    call_id: str
    at_ms: int
    utterance_id: str
    kind: Kind
    speaker: Speaker
    start_ms: int
    end_ms: int
    confidence: float
    status: TranslationStatus
    source_text: str
    source_language: str
    language: str
    text: str
    reason: str | None = None
    interrupted: bool = False
    revision: int = 1
    heard_again: bool = False
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceEntities:
    """The particulars of an utterance, and its text without the personal ones."""

    event_id: str
    call_id: str
    at_ms: int
    utterance_id: str
    kind: Kind
    speaker: Speaker
    start_ms: int
    end_ms: int
    confidence: float
    status: TranslationStatus
    source_language: str
    text: str
    redacted_text: str
    entities: tuple[Entity, ...]
    interrupted: bool = False
    revision: int = 1
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """An utterance as it stands in the call's document."""

    utterance_id: str
    kind: Kind
    speaker: Speaker
    start_ms: int
    end_ms: int
    confidence: float
    status: TranslationStatus
    source_language: str
    text: str
    redacted_text: str
    entities: tuple[Entity, ...]
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WordChanges:
    """How the words of one hearing of a call differ from the hearing before."""

    words: int
    changed: int
    added: int
    removed: int
    word_error_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDocument:
    """All that has been said in a call so far, in order of time."""

    event_id: str
    call_id: str
    at_ms: int
    revision: int
    complete: bool
    interrupted: bool = False
    turns: tuple[Turn, ...]
    hearing: int = 1
    aside: tuple[Turn, ...] = ()
    aside_only: bool = False
    changes: WordChanges | None = None
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A label that was not chosen."""

    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A label with what it rests on."""

    label: str
    score: float
    evidence: tuple[str, ...]
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What kind of case a call is."""

    event_id: str
    call_id: str
    at_ms: int
    document_id: str
    revision: int
    complete: bool
    hearing: int = 1
    changes: WordChanges | None = None
    main: Judgement
    sub: Judgement
    priority: Judgement
    intervention: Judgement
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarySentence:
    """A sentence of a call's summary, without personal particulars."""

    part: str
    text: str
    utterance_id: str
    due: str = ""
    score: float
    quoted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryPerson:
    """Somebody whom a call is about: a role, never a name."""

    role: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """What a call comes to, in its own sentences or in checked ones: events, people, promises. Redacted."""

    event_id: str
    call_id: str
    at_ms: int
    document_id: str
    revision: int
    complete: bool
    hearing: int = 1
    sentences: tuple[SummarySentence, ...]
    people: tuple[SummaryPerson, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion of the rubric, judged."""

    head: str
    name: str
    verdict: Verdict
    score: float | None = None
    evidence: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadScore:
    """The score of one head of the rubric."""

    head: str
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QaEvaluation:
    """How well the counsellor led the call, by the rubric."""

    event_id: str
    call_id: str
    at_ms: int
    document_id: str
    revision: int
    complete: bool
    hearing: int = 1
    criteria: tuple[Criterion, ...]
    heads: tuple[HeadScore, ...]
    overall: float | None = None
    band: str
    grade: str
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Words of a call, safe to show."""

    utterance_id: str
    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A child is in danger now: one change of one matter of a call."""

    event_id: str
    call_id: str
    at_ms: int
    matter: str
    state: AlertChange
    level: AlertLevel
    utterance_id: str
    start_ms: int
    end_ms: int
    speaker: Speaker
    evidence: tuple[Quote, ...]
    score: float
    revision: int
    reason: str
    hearing: int = 1
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCompleteness:
    """How far one stage has come with a call."""

    stage: str
    state: StageState
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityMention:
    """A particular of the call, safe to show."""

    label: str
    text: str
    mentions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightAlert:
    """A danger that the call told of, as it stands; see Alert."""

    matter: str
    state: AlertChange
    level: AlertLevel
    utterance_id: str
    start_ms: int
    speaker: Speaker
    evidence: tuple[Quote, ...]
    score: float
    revision: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInsight:
    """What is known of a call: the newest revision replaces the ones before. No personal particular stands in clear."""

    event_id: str
    call_id: str
    at_ms: int
    revision: int
    complete: bool
    medium: Medium
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    interrupted: bool = False
    mode: str = ""
    hearing: int = 1
    supersedes: int = 0
    changes: WordChanges | None = None
    turns: int
    languages: tuple[str, ...]
    entities: tuple[EntityMention, ...]
    main: Judgement | None = None
    sub: Judgement | None = None
    priority: Judgement | None = None
    intervention: Judgement | None = None
    qa_heads: tuple[HeadScore, ...]
    qa_overall: float | None = None
    qa_grade: str
    alerts: tuple[InsightAlert, ...] = ()
    summary: tuple[SummarySentence, ...] = ()
    people: tuple[SummaryPerson, ...] = ()
    completeness: tuple[StageCompleteness, ...]
    provenance: Provenance


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


class Record(Protocol):
    """Anything that travels on a call topic or in a call's state."""

    @property
    def call_id(self) -> str: ...


class Event(Record, Protocol):
    """A record that travels on a topic."""

    @property
    def event_id(self) -> str: ...
