"""Restricted: what an insight leaves out, in clear, on a topic of its own, for those alone who may read it.

Every particular of the call with the placeholder that stands for it elsewhere, and the turns that the insight rests on.
Each event belongs to one redacted insight and names it. The insights group itself never keeps what is in clear: this
one does, in its state, and forgets a call of which nothing has come for long. Pure.

An insight and the document that it came of travel by two topics. Whichever comes later is taken in when it comes, so
that the last event of a call has the last insight with the last words; in between, words may be newer than the insight.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from callbus.consumer import CallResult, CallSlice, Settings
from callbus.ids import event_id
from schemas.records import (
    CallDocument,
    CallInsight,
    Provenance,
    RestrictedInsight,
    RestrictedParticular,
    RestrictedQuote,
    RestrictedState,
    Turn,
)

STAGE = "restricted"

Slice = CallSlice[CallDocument | CallInsight, RestrictedState]
Result = CallResult[CallDocument | CallInsight, RestrictedState]


@dataclass(frozen=True)
class Restricted:
    """Stateful: a call's next documents and insights in, what its newest insight leaves out, out."""

    def advance(self, slices: Sequence[Slice]) -> Sequence[Result]:
        """At most one event per slice: none if nothing that it would say is new."""
        return [_advanced(call) for call in slices]


def _advanced(call: Slice) -> Result:
    if call.silent:
        return CallResult(events=(), state=None)
    before = state = call.state or RestrictedState(call_id=call.call_id)
    for event in call.events:
        state = _with_document(state, event) if isinstance(event, CallDocument) else _with_insight(state, event)
    told_before, told = _told(before), _told(state)
    news = told and (told_before is None or _said(told) != _said(told_before))
    return CallResult(events=(told,) if told and news else (), state=state)


def _with_document(state: RestrictedState, event: CallDocument) -> RestrictedState:
    """An older revision changes nothing. The redacted texts are left out, so that the state is no longer than it."""
    if event.revision <= state.document_revision:
        return state
    turns, aside = (tuple(replace(turn, redacted_text="") for turn in each) for each in (event.turns, event.aside))
    return replace(
        state,
        document_id=event.event_id,
        document_revision=event.revision,
        document_at_ms=event.at_ms,
        turns=turns,
        aside=aside,
    )


def _with_insight(state: RestrictedState, event: CallInsight) -> RestrictedState:
    if event.revision <= state.revision:
        return state
    return replace(
        state,
        insight_id=event.event_id,
        insight_at_ms=event.at_ms,
        revision=event.revision,
        complete=event.complete,
        evidence_ids=tuple(sorted(set(_evidence(event)))),
    )


def _evidence(insight: CallInsight) -> Iterator[str]:
    """The turns that an insight names, wherever it does."""
    for judgement in (insight.main, insight.sub, insight.priority, insight.intervention):
        if judgement:
            yield from judgement.evidence
    for alert in insight.alerts:
        yield alert.utterance_id
        yield from (quote.utterance_id for quote in alert.evidence)
    yield from (sentence.utterance_id for sentence in insight.summary)
    for person in insight.people:
        yield from person.evidence
    for step in insight.timeline:
        yield from step.evidence


def _told(state: RestrictedState) -> RestrictedInsight | None:
    """What there is to say; None until both an insight and a document have come."""
    if not (state.document_id and state.insight_id):
        return None
    cited = set(state.evidence_ids)
    return RestrictedInsight(
        event_id=event_id(state.call_id, STAGE, f"{state.insight_id}:{state.document_id}"),
        call_id=state.call_id,
        at_ms=max(state.insight_at_ms, state.document_at_ms),
        insight_id=state.insight_id,
        revision=state.revision,
        complete=state.complete,
        document_id=state.document_id,
        particulars=tuple(found for turn in state.turns for found in _particulars(turn)),
        quotes=tuple(
            RestrictedQuote(
                utterance_id=turn.utterance_id, speaker=turn.speaker, start_ms=turn.start_ms, text=turn.text
            )
            for turn in sorted((*state.turns, *state.aside), key=lambda turn: turn.start_ms)
            if turn.utterance_id in cited and turn.text
        ),
        provenance=Provenance(
            stage=STAGE, model="", model_version="", origin_ids=(state.insight_id, state.document_id)
        ),
    )


def _particulars(turn: Turn) -> Iterator[RestrictedParticular]:
    for entity in turn.entities:
        yield RestrictedParticular(
            label=entity.label,
            text=entity.text,
            placeholder=entity.placeholder,
            utterance_id=turn.utterance_id,
            start=entity.start,
            end=entity.end,
        )


def _said(told: RestrictedInsight) -> RestrictedInsight:
    """What it says of which insight, whichever document has it."""
    return replace(told, event_id="", at_ms=0, document_id="", provenance=replace(told.provenance, origin_ids=()))


def load(settings: Settings) -> Restricted:
    """Nothing to load."""
    return Restricted()
