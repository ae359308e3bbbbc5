"""The join, pure: `fold` takes one more event into a call's state, `insight` says what is known of the call.

Both depend on their arguments alone. Folding an event twice changes nothing, and the insight does not depend on how the
input topics interleave (each keeps its own order), so a replay after a crash ends at the same insight, with the same id
and revision. Whoever publishes asks whether `shows_more` and may skip to the newest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar, assert_never

from callbus.ids import event_id
from consumers.insights import privacy, timeline
from consumers.insights.completeness import completeness, is_complete
from consumers.insights.hearings import counted, ended, supersedes
from consumers.insights.lineage import Lineage
from consumers.insights.silence import ending, given_up, told
from consumers.insights.state import GROUP, Failure, InsightState
from consumers.insights.telling import alerts, models, people, summary
from schemas.records import (
    Alert,
    CallEvent,
    CallInsight,
    CallSummary,
    Classification,
    EntityMention,
    Provenance,
    QaEvaluation,
    StageState,
    UtteranceEntities,
)

VERSION = "5"  # of the join: raise it when the same inputs give another insight

Result = TypeVar("Result", Classification, QaEvaluation, CallSummary)

Input = CallEvent | UtteranceEntities | Classification | QaEvaluation | CallSummary | Alert


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
        case CallSummary():
            after = _summary(state, event)
        case Alert():
            after = _alert(state, event)
        case _:
            assert_never(event)
    return replace(after, at_ms=max(state.at_ms, event.at_ms)) if shows_more(state, after) else after


def shows_more(before: InsightState, after: InsightState) -> bool:
    """Whether the insight has other content now, its ids and times aside."""
    return _shown(before) != _shown(after)


def insight(state: InsightState, lineage: Lineage) -> CallInsight:
    """What is known of the call. Its `event_id` follows from what it came from, whatever the order of arrival."""
    judged, qa = state.classification, state.qa
    results = [result.event_id for result in (judged, qa, state.summary) if result]
    raised = [state.alerts[matter].event_id for matter in sorted(state.alerts)]
    origins = (*state.life, *((state.entities_id,) if state.entities_id else ()), *results, *raised)
    ended_at_ms, interrupted = ending(state, lineage)
    stages = completeness(state, lineage)
    return CallInsight(
        event_id=event_id(state.call_id, GROUP, "\x1e".join(origins), "join", VERSION),
        call_id=state.call_id,
        at_ms=state.at_ms,
        revision=state.revision,
        complete=ended_at_ms is not None and is_complete(stages, lineage),
        medium=state.medium,
        started_at_ms=state.started_at_ms,
        ended_at_ms=ended_at_ms,
        interrupted=interrupted,
        mode=state.mode,
        hearing=state.hearing,
        supersedes=supersedes(state),
        previous_id=state.told_id,
        changes=judged.changes if judged and judged.hearing == state.hearing else None,
        turns=state.turns,
        unread=state.unread,
        languages=state.languages,
        entities=tuple(_mentions(state)),
        main=judged.main if judged else None,
        sub=judged.sub if judged else None,
        priority=judged.priority if judged else None,
        intervention=judged.intervention if judged else None,
        qa_heads=qa.heads if qa else (),
        qa_overall=qa.overall if qa else None,
        qa_grade=qa.grade if qa else "",
        alerts=alerts(state),
        summary=summary(state),
        people=people(state),
        timeline=timeline.told((*state.steps, *state.gaps), state.started_at_ms, ended_at_ms),
        models=models(state),
        completeness=stages,
        provenance=Provenance(stage=GROUP, model="join", model_version=VERSION, origin_ids=origins),
    )


def _mentions(state: InsightState) -> Iterator[EntityMention]:
    for mention in state.mentions:
        if text := privacy.harmless(mention.text, state.names, state.call_id):
            yield replace(mention, text=text)


def is_open(state: InsightState, lineage: Lineage) -> bool:
    """Whether something of the call is still waited for."""
    ended = ending(state, lineage)[0] is not None
    return not given_up(state) and not (ended and is_complete(completeness(state, lineage), lineage))


def _shown(state: InsightState) -> InsightState:
    """The state without its bookkeeping, and without what only tells one result from the next."""
    judged = state.classification
    return replace(
        state,
        at_ms=0,
        seen=(),
        life=(),
        entities_id=None,
        told_id="",
        heard_ms=0,
        failures={stage: replace(failure, events=()) for stage, failure in state.failures.items()},
        aside={},
        classification=judged and _said_of(replace(judged, heard_ms=0, previous_id="", label_changes=())),
        qa=state.qa and _said_of(state.qa),
        summary=state.summary and _said_of(state.summary),
    )


def _said_of(result: Result) -> Result:
    """What a result says of the call, whichever document it says it of."""
    made_by = replace(result.provenance, origin_ids=())
    return replace(result, event_id="", at_ms=0, document_id="", revision=0, provenance=made_by)


def _life(state: InsightState, event: CallEvent) -> InsightState:
    if event.event_id in state.life:
        return state
    medium = event.medium if event.type == "started" or state.medium == "unknown" else state.medium
    after = replace(state, medium=medium)
    match event.type:
        case "started":
            started_at_ms = min(event.at_ms, state.started_at_ms or event.at_ms)
            after = replace(after, started_at_ms=started_at_ms, mode=event.attributes.get("mode", state.mode))
        case "ended":
            after = replace(after, ended_at_ms=max(event.at_ms, state.ended_at_ms or event.at_ms))
        case "failed":
            after = replace(after, failures=_failures(state.failures, event))
        case "mended":
            after = replace(after, failures=_mended(state.failures, event))
        case "interrupted" | "reopened":
            after = told(after, event)
            if after.silences == state.silences:
                return state
        case "judged":
            after = replace(after, judged=after.judged + 1)
        case "held" | "resumed":
            pass
        case "unknown":
            return after
        case _:
            assert_never(event.type)
    steps = timeline.noted(state.steps, *timeline.of_life(event))
    return replace(after, life=(*state.life, event.event_id), steps=steps)


def _failures(known: Mapping[str, Failure], event: CallEvent) -> Mapping[str, Failure]:
    """The failures with this one: a stage's first reason stays, and a call lost outweighs an event lost."""
    stage = event.stage or event.source
    scope = event.attributes.get("scope", "")
    before = known.get(stage)
    if before is None:
        reason = privacy.masked(event.reason or "no reason given")
        return {**known, stage: Failure(reason=reason, scope=scope, events=(event.event_id,))}
    scope = "call" if scope == "call" else before.scope
    return {**known, stage: replace(before, scope=scope, events=(*before.events, event.event_id))}


def _mended(known: Mapping[str, Failure], event: CallEvent) -> Mapping[str, Failure]:
    """The failures without the one that was sent back and worked on; a stage with none left has not failed."""
    stage = event.stage or event.source
    before, failed = known.get(stage), event.attributes.get("failed", "")
    if before is None or failed not in before.events:
        return known
    left = tuple(one for one in before.events if one != failed)
    if left:
        return {**known, stage: replace(before, events=left)}
    return {name: failure for name, failure in known.items() if name != stage}


def _utterance(state: InsightState, event: UtteranceEntities) -> InsightState:
    key = privacy.digest(event.utterance_id, state.call_id)
    if key in state.seen:
        return state
    names = set(state.names).union(
        *(privacy.digests(entity, state.call_id) for entity in event.entities if entity.placeholder)
    )
    state = replace(
        state,
        seen=(*state.seen, key),
        names=tuple(sorted(names)),
        evidence=_evidence(state.evidence, event, event.kind == "end"),
        ends=state.ends + (event.kind == "end"),
        entities_id=event.event_id,
    )
    return ended(state, event) if event.kind == "end" else counted(state, event)


def _classification(state: InsightState, event: Classification) -> InsightState:
    if state.classification and event.revision <= state.classification.revision:
        return state
    steps = timeline.noted(state.steps, *timeline.of_judgement(event))
    return replace(state, classification=event, steps=steps, evidence=_evidence(state.evidence, event, event.complete))


def _qa(state: InsightState, event: QaEvaluation) -> InsightState:
    if state.qa and event.revision <= state.qa.revision:
        return state
    return replace(state, qa=replace(event, criteria=()), evidence=_evidence(state.evidence, event, event.complete))


def _summary(state: InsightState, event: CallSummary) -> InsightState:
    if state.summary and event.revision <= state.summary.revision:
        return state
    return replace(state, summary=event, evidence=_evidence(state.evidence, event, event.complete))


def _alert(state: InsightState, event: Alert) -> InsightState:
    """The highest revision of a matter stands. That one came proves nothing of how far its stage is."""
    known = state.alerts.get(event.matter)
    if known and event.revision <= known.revision:
        return state
    steps = timeline.noted(state.steps, *timeline.of_alert(event, known))
    return replace(state, alerts={**state.alerts, event.matter: event}, steps=steps)


def _evidence(known: Mapping[str, StageState], event: Input, complete: bool) -> Mapping[str, StageState]:
    """What the kind of event proves about the stages behind it; once complete, it stays so."""
    kind = type(event).__name__
    return {**known, kind: "complete" if complete or known.get(kind) == "complete" else "partial"}
