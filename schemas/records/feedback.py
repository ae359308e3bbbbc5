"""What was right about a call, from somebody who knows."""

from dataclasses import dataclass

from schemas.records.terms import AlertLevel, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionCorrection:
    """What was right of one criterion of the rubric."""

    name: str
    verdict: Verdict
    utterance_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCorrection:
    """What was right of one matter of danger."""

    matter: str
    danger: bool
    level: AlertLevel = "unknown"
    utterance_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityCorrection:
    """What was right of some words of a turn, by their place."""

    utterance_id: str
    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What was right about a call, from somebody who knows. What is None or empty is not judged."""

    event_id: str
    call_id: str
    at_ms: int
    stage: str
    by: str
    document_id: str = ""
    main: str | None = None
    sub: str | None = None
    priority: str | None = None
    intervention: str | None = None
    criteria: tuple[CriterionCorrection, ...] = ()
    alerts: tuple[AlertCorrection, ...] = ()
    entities: tuple[EntityCorrection, ...] = ()
    utterance_ids: tuple[str, ...] = ()
    note: str = ""
