"""What was said: each utterance on its way through the stages, and the call's whole document."""

from dataclasses import dataclass

from schemas.records.terms import Kind, Provenance, Speaker, TranslationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word with its time."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


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
    above: tuple[Provenance, ...] = ()
    provenance: Provenance


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
    above: tuple[Provenance, ...] = ()
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
