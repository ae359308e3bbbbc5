"""From what somebody says was right to a `Feedback`: checked against the helpline's labels and the call. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from callbus.errors import InputError
from callbus.feedback.labels import LEVELS, NO_DANGER, Labels, known
from callbus.feedback.places import turn_at, words_of
from callbus.ids import event_id
from schemas.records import (
    AlertCorrection,
    AlertLevel,
    CallDocument,
    CriterionCorrection,
    EntityCorrection,
    Feedback,
    Verdict,
)

STAGES = ("classification", "qa", "alerts", "ner")
MOST_NOTE_CHARACTERS = 2000
_BY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERDICTS: dict[str, Verdict] = {"pass": "pass", "fail": "fail", "not_applicable": "not_applicable"}
_LEVELS: dict[str, AlertLevel] = {"high": "high", "critical": "critical"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was typed. `criteria` NAME=VERDICT, `alerts` MATTER=LEVEL, `entities` PLACE/WORDS=LABEL; `evidence` places
    (see `places`)."""

    stage: str
    by: str
    main: str | None = None
    sub: str | None = None
    priority: str | None = None
    intervention: str | None = None
    criteria: Sequence[str] = ()
    alerts: Sequence[str] = ()
    entities: Sequence[str] = ()
    evidence: Sequence[str] = ()
    note: str = ""


def feedback(said: Said, document: CallDocument, labels: Labels, at_ms: int) -> Feedback:
    """The record. InputError for a label that is not known, a turn that is not there, or nothing said."""
    _check(said)
    main, sub = labels.case(said.main, said.sub)
    if said.priority is not None:
        known("priority", said.priority, labels.priorities)
    if said.intervention is not None:
        known("intervention", said.intervention, labels.interventions)
    speaker = "agent" if said.stage == "qa" else "caller"
    evidence = tuple(turn_at(document, place, speaker).utterance_id for place in said.evidence)
    return Feedback(
        event_id=event_id(document.call_id, "feedback", f"{said.stage}:{said.by}:{at_ms}"),
        call_id=document.call_id,
        at_ms=at_ms,
        stage=said.stage,
        by=said.by,
        document_id=document.event_id,
        main=main,
        sub=sub,
        priority=said.priority,
        intervention=said.intervention,
        criteria=tuple(_criterion(text, labels, evidence) for text in said.criteria),
        alerts=tuple(_alert(text, labels, evidence) for text in said.alerts),
        entities=tuple(_entity(text, labels, document) for text in said.entities),
        utterance_ids=evidence,
        note=said.note,
    )


def _check(said: Said) -> None:
    """That what was said belongs to its stage, that there is something, and that nobody gives their name."""
    known("stage", said.stage, STAGES)
    if not _BY.fullmatch(said.by):
        raise InputError(
            f"{said.by!r}: say who by an id like c-17 (letters, digits, . _ -), never by a name or an address"
        )
    of = {
        "classification": (said.main, said.sub, said.priority, said.intervention),
        "qa": said.criteria,
        "alerts": said.alerts,
        "ner": said.entities,
    }
    for stage, given in of.items():
        if stage != said.stage and any(given):
            raise InputError(f"what was said belongs to {stage}, not to {said.stage}; give it with --stage {stage}")
    if not any(of[said.stage]):
        raise InputError(
            f"nothing was said to be right of {said.stage}; `callbus feedback give --help` has what can be"
        )
    if len(said.note) > MOST_NOTE_CHARACTERS:
        raise InputError(f"a note has {MOST_NOTE_CHARACTERS} characters at most; this one has {len(said.note)}")


def _criterion(text: str, labels: Labels, evidence: tuple[str, ...]) -> CriterionCorrection:
    name, verdict = _split(text, "NAME=pass")
    known("verdict", verdict, _VERDICTS)
    return CriterionCorrection(
        name=known("criterion", name, labels.criteria), verdict=_VERDICTS[verdict], utterance_ids=evidence
    )


def _alert(text: str, labels: Labels, evidence: tuple[str, ...]) -> AlertCorrection:
    matter, level = _split(text, "MATTER=high")
    known("level", level, (*LEVELS, NO_DANGER))
    return AlertCorrection(
        matter=known("matter", matter, labels.matters),
        danger=level != NO_DANGER,
        level=_LEVELS.get(level, "unknown"),
        utterance_ids=evidence,
    )


def _entity(text: str, labels: Labels, document: CallDocument) -> EntityCorrection:
    where, label = _split(text, "1:05/3-4=NAME")
    place, _, words = where.rpartition("/")
    turn = turn_at(document, place)
    start, end = words_of(turn, words)
    known("label", label, (*labels.entities, NO_DANGER))
    return EntityCorrection(
        utterance_id=turn.utterance_id, start=start, end=end, label="" if label == NO_DANGER else label
    )


def _split(text: str, like: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not (name and equals and value):
        raise InputError(f"{text!r}: write it like {like}")
    return name, value
