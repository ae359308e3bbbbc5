"""What a call comes to: the kind of case, the summary, the counsellor's quality, a child in danger."""

from dataclasses import dataclass

from schemas.records.speech import WordChanges
from schemas.records.terms import AlertChange, AlertLevel, Part, Provenance, Speaker, Verdict


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
class LabelChange:
    """How a label of a call's case differs from the judgement before, and why."""

    head: str
    before: str
    after: str
    score_before: float
    score: float
    evidence: tuple[str, ...]
    reason: str


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
    heard_ms: int = 0
    previous_id: str = ""
    label_changes: tuple[LabelChange, ...] = ()
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
    """Somebody whom a call is about: a role or a placeholder, never a name."""

    role: str
    evidence: tuple[str, ...]
    part: Part = "unknown"


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
