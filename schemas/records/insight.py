"""All that is known of a call, joined; and apart from it, what only few may read."""

from dataclasses import dataclass

from schemas.records.judgements import HeadScore, Judgement, Quote, SummaryPerson, SummarySentence
from schemas.records.speech import WordChanges
from schemas.records.terms import AlertChange, AlertLevel, Medium, Provenance, Speaker, StageState, TimelineKind


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
class TimelineEntry:
    """One step of a call. No personal particular stands in it."""

    kind: TimelineKind
    offset_ms: int | None
    at_ms: int
    subject: str = ""
    before: str = ""
    after: str = ""
    until_ms: int | None = None
    evidence: tuple[str, ...] = ()
    reason: str = ""
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageModel:
    """A model that took part in what is known of a call."""

    stage: str
    model: str
    version: str


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
    previous_id: str = ""
    changes: WordChanges | None = None
    turns: int
    unread: int = 0
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
    timeline: tuple[TimelineEntry, ...] = ()
    models: tuple[StageModel, ...] = ()
    completeness: tuple[StageCompleteness, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedParticular:
    """A particular of a call in clear, where it was said."""

    label: str
    text: str
    placeholder: str
    utterance_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedQuote:
    """A turn that an insight rests on, in clear."""

    utterance_id: str
    speaker: Speaker
    start_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedInsight:
    """What an insight leaves out, in clear: for those alone who may know whom a call is about."""

    event_id: str
    call_id: str
    at_ms: int
    insight_id: str
    revision: int
    complete: bool
    document_id: str
    particulars: tuple[RestrictedParticular, ...]
    quotes: tuple[RestrictedQuote, ...]
    provenance: Provenance
