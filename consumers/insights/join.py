"""The join, pure: `fold` takes one more event into a call's state, `insight` says what is known of the call.

Both depend on their arguments alone. Folding an event twice changes nothing, and the insight does not depend on how the
input topics interleave (each keeps its own order), so a replay after a crash ends at the same insight, with the same id
and revision. Whoever publishes asks whether `shows_more` and may skip to the newest.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from callbus.ids import event_id
from consumers.insights import privacy
from consumers.insights.completeness import Lineage, completeness, is_complete
from consumers.insights.state import Failure, InsightState
from schemas.records import (
    CallEvent,
    CallInsight,
    Classification,
    EntityMention,
    Provenance,
    QaEvaluation,
    StageState,
    UtteranceEntities,
)

GROUP = "insights"
VERSION = "1"  # of the join: raise it when the same inputs give another insight

Input = CallEvent | UtteranceEntities | Classification | QaEvaluation

_TURNS = ("speech", "message", "unknown")  # a gap and the end are not turns


def fold(state: InsightState, event: Input) -> InsightState:
    """The state with one more event. The very same state if the event says nothing new."""
    match event:
        case CallEvent():
            after = _life(state, event)
        case UtteranceEntities():
            after = _utterance(state, event)
        case Classification():
            after = _classification(state, event)
        case QaEvaluation():
            after = _qa(state, event)
        case _:
            assert_never(event)
    return replace(after, at_ms=max(state.at_ms, event.at_ms)) if shows_more(state, after) else after


def shows_more(before: InsightState, after: InsightState) -> bool:
    """Whether the insight has other content now, its ids and times aside."""
    return _shown(before) != _shown(after)


def insight(state: InsightState, lineage: Lineage) -> CallInsight:
    """What is known of the call. Its `event_id` follows from what it came from, whatever the order of arrival."""
    judged, qa = state.classification, state.qa
    results = (result.event_id for result in (judged, qa) if result)
    origins = (*state.life, *((state.entities_id,) if state.entities_id else ()), *results)
    stages = completeness(state, lineage)
    return CallInsight(
        event_id=event_id(state.call_id, GROUP, "\x1e".join(origins), "join", VERSION),
        call_id=state.call_id,
        at_ms=state.at_ms,
        revision=state.revision,
        complete=is_complete(state, stages),
        medium=state.medium,
        started_at_ms=state.started_at_ms,
        ended_at_ms=state.ended_at_ms,
        turns=state.turns,
        languages=state.languages,
        entities=tuple(
            mention for mention in state.mentions if not privacy.is_personal(mention.text, state.names, state.call_id)
        ),
        main=judged.main if judged else None,
        sub=judged.sub if judged else None,
        priority=judged.priority if judged else None,
        intervention=judged.intervention if judged else None,
        qa_heads=qa.heads if qa else (),
        qa_overall=qa.overall if qa else None,
        qa_grade=qa.grade if qa else "",
        completeness=stages,
        provenance=Provenance(stage=GROUP, model="join", model_version=VERSION, origin_ids=origins),
    )


def _shown(state: InsightState) -> InsightState:
    """The state without its bookkeeping, and without what only tells one result from the next."""
    judged, qa = state.classification, state.qa
    return replace(
        state,
        at_ms=0,
        seen=(),
        life=(),
        entities_id=None,
        classification=judged and replace(judged, event_id="", at_ms=0, document_id="", revision=0),
        qa=qa and replace(qa, event_id="", at_ms=0, document_id="", revision=0),
    )


def _life(state: InsightState, event: CallEvent) -> InsightState:
    if event.event_id in state.life:
        return state
    medium = event.medium if event.type == "started" or state.medium == "unknown" else state.medium
    after = replace(state, medium=medium)
    match event.type:
        case "started":
            after = replace(after, started_at_ms=min(event.at_ms, state.started_at_ms or event.at_ms))
        case "ended":
            after = replace(after, ended_at_ms=max(event.at_ms, state.ended_at_ms or event.at_ms))
        case "failed":
            after = replace(after, failures=_failures(state.failures, event))
        case "held" | "resumed" | "unknown":
            return after
        case _:
            assert_never(event.type)
    return replace(after, life=(*state.life, event.event_id))


def _failures(known: Mapping[str, Failure], event: CallEvent) -> Mapping[str, Failure]:
    """The failures with this one: a stage's first reason stays, and a call lost outweighs an event lost."""
    stage = event.stage or event.source
    scope = event.attributes.get("scope", "")
    before = known.get(stage)
    if before is None:
        return {**known, stage: Failure(reason=privacy.masked(event.reason or "no reason given"), scope=scope)}
    return {**known, stage: replace(before, scope="call")} if scope == "call" else known


def _utterance(state: InsightState, event: UtteranceEntities) -> InsightState:
    key = privacy.digest(event.utterance_id, state.call_id)
    if key in state.seen:
        return state
    is_turn = event.kind in _TURNS
    language = event.source_language
    new_language = is_turn and language and language not in state.languages
    names = set(state.names).union(
        *(privacy.word_digests(entity.text, state.call_id) for entity in event.entities if entity.placeholder)
    )
    return replace(
        state,
        seen=(*state.seen, key),
        turns=state.turns + is_turn,
        languages=(*state.languages, language) if new_language else state.languages,
        mentions=_mentions(state.mentions, event),
        names=tuple(sorted(names)),
        evidence=_evidence(state.evidence, event, event.kind == "end"),
        entities_id=event.event_id,
    )


def _mentions(known: tuple[EntityMention, ...], event: UtteranceEntities) -> tuple[EntityMention, ...]:
    """The mentions with this utterance's: by placeholder where the label is personal, else by the text."""
    counts = {(mention.label, mention.text): mention.mentions for mention in known}
    for entity in event.entities:
        key = (entity.label, entity.placeholder or entity.text)
        counts[key] = counts.get(key, 0) + 1
    return tuple(EntityMention(label=label, text=text, mentions=n) for (label, text), n in counts.items())


def _classification(state: InsightState, event: Classification) -> InsightState:
    if state.classification and event.revision <= state.classification.revision:
        return state
    return replace(state, classification=event, evidence=_evidence(state.evidence, event, event.complete))


def _qa(state: InsightState, event: QaEvaluation) -> InsightState:
    if state.qa and event.revision <= state.qa.revision:
        return state
    return replace(state, qa=replace(event, criteria=()), evidence=_evidence(state.evidence, event, event.complete))


def _evidence(known: Mapping[str, StageState], event: Input, complete: bool) -> Mapping[str, StageState]:
    """What the kind of event proves about the stages behind it; once complete, it stays so."""
    kind = type(event).__name__
    return {**known, kind: "complete" if complete or known.get(kind) == "complete" else "partial"}
