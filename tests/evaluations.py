"""Calls with their truth and with what the graph is pretended to have made of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from callbus.evaluate.heard import Heard
from callbus.evaluate.truth import Truth
from schemas.records import (
    Alert,
    AlertChange,
    Alternative,
    Classification,
    Criterion,
    Entity,
    Judgement,
    QaEvaluation,
    Quote,
    Translation,
    UtteranceEntities,
    Verdict,
)
from tests.builders import PROVENANCE, utterance

PERSONAL = frozenset({"NAME", "LOCATION", "PHONE_NUMBER"})


def heard(truth: Mapping[str, Any], *records: Any, audio: bool = False, call_id: str = "call") -> Heard:
    """A call. The utterance of turn n has the id `n`."""
    by_schema: dict[str, list[Any]] = {}
    for record in records:
        by_schema.setdefault(type(record).__name__, []).append(record)
    known = Truth.model_validate({"id": call_id, **truth})
    turn_of = {} if audio else {str(number): number for number in range(len(known.turns))}
    return Heard(call_id, known, audio, turn_of, by_schema)


def turns(*texts: str, **more: Any) -> list[dict[str, Any]]:
    """The caller's turns, one a second."""
    return [
        {"speaker": "caller", "start_ms": 1000 * n, "end_ms": 1000 * n + 900, "text": text, **more}
        for n, text in enumerate(texts)
    ]


def said(number: int, text: str, speaker: str = "caller") -> Any:
    """An utterance of audio."""
    return utterance(text=text, speaker=speaker, start_ms=1000 * number)


def translated(number: int, text: str, *, status: str = "translated") -> Translation:
    """What became of turn `number`."""
    facts: dict[str, Any] = {"status": status, "kind": "message", "speaker": "caller"}
    return Translation(
        event_id=f"translation-{number}",
        call_id="call",
        at_ms=1,
        utterance_id=str(number),
        start_ms=1000 * number,
        end_ms=1000 * number + 900,
        confidence=1.0,
        source_text="",
        source_language="pt",
        language="en",
        text=text,
        provenance=PROVENANCE,
        **facts,
    )


def read(number: int, text: str, redacted: str, *found: tuple[str, str]) -> UtteranceEntities:
    """Turn `number` with what was found in it, as (label, text), each where its text stands first."""
    return UtteranceEntities(
        event_id=f"entities-{number}",
        call_id="call",
        at_ms=1,
        utterance_id=str(number),
        kind="message",
        speaker="caller",
        start_ms=1000 * number,
        end_ms=1000 * number + 900,
        confidence=1.0,
        status="pass_through",
        source_language="en",
        text=text,
        redacted_text=redacted,
        entities=tuple(
            Entity(
                label=label, text=its, start=text.index(its), end=text.index(its) + len(its), score=1.0, placeholder=""
            )
            for label, its in found
        ),
        provenance=PROVENANCE,
    )


def alert(number: int, quote: str, matter: str = "weapon", *, state: AlertChange = "raised", reason: str = "") -> Alert:
    """An alert that quotes turn `number`."""
    return Alert(
        event_id=f"alert-{number}",
        call_id="call",
        at_ms=1,
        matter=matter,
        state=state,
        level="high",
        utterance_id=str(number),
        start_ms=1000 * number,
        end_ms=1000 * number + 900,
        speaker="caller",
        evidence=(Quote(utterance_id=str(number), speaker="caller", text=quote),) if quote else (),
        score=1.0,
        revision=1,
        reason=reason,
        provenance=PROVENANCE,
    )


def classified(
    main: str = "gbv",
    subs: Sequence[str] = ("Forced Marriage",),
    priority: str = "high",
    intervention: str = "Referral",
    score: float = 0.9,
) -> Classification:
    """A call's last classification; the first of `subs` was said, the others came after it."""

    def judgement(label: str, *others: str) -> Judgement:
        alternatives = tuple(Alternative(label=other, score=0.1) for other in others)
        return Judgement(label=label, score=score, evidence=(), alternatives=alternatives)

    return Classification(
        event_id="classification",
        call_id="call",
        at_ms=1,
        document_id="",
        revision=1,
        complete=True,
        main=judgement(main),
        sub=judgement(*subs),
        priority=judgement(priority),
        intervention=judgement(intervention),
        provenance=PROVENANCE,
    )


def evaluated(**verdicts: Verdict) -> QaEvaluation:
    """An evaluation; a criterion's head is its first letter."""
    criteria = tuple(
        Criterion(head=name[0], name=name, verdict=verdict, evidence=(), reason="")
        for name, verdict in verdicts.items()
    )
    return QaEvaluation(
        event_id="qa",
        call_id="call",
        at_ms=1,
        document_id="",
        revision=1,
        complete=True,
        criteria=criteria,
        heads=(),
        band="",
        grade="",
        provenance=PROVENANCE,
    )
