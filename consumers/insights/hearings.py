"""The hearings of a call: the live one, and the one from its recording, which takes its place at its end. Pure.

The insight shows the newest hearing that has ended. What is counted of a later one gathers aside, and of an earlier one
nothing counts any more: so it comes to the same however the utterances of two hearings are mixed.
"""

from dataclasses import fields, replace

from consumers.insights import timeline
from consumers.insights.state import Hearing, InsightState
from schemas.records import EntityMention, StageModel, UtteranceEntities

_COUNTED = tuple(each.name for each in fields(Hearing))
_TURNS = ("speech", "message", "unknown")  # a gap, what was unclear and the end are not turns


def counted(state: InsightState, event: UtteranceEntities) -> InsightState:
    """The state with an utterance counted in its hearing."""
    if event.revision < state.hearing:
        return state
    before = _of(state, event.revision)
    language = event.source_language
    is_turn = event.kind in _TURNS
    new_language = is_turn and language and language not in before.languages
    after = Hearing(
        turns=before.turns + is_turn,
        unread=before.unread + (event.kind == "unclear" or event.status == "untranslated"),
        languages=(*before.languages, language) if new_language else before.languages,
        mentions=_mentions(before.mentions, event),
        gaps=timeline.noted(before.gaps, *timeline.of_utterance(event)),
        models=_models(before.models, event),
    )
    if event.revision == state.hearing:
        return _showing(state, state.hearing, after)
    return replace(state, aside={**state.aside, event.revision: after})


def ended(state: InsightState, end: UtteranceEntities) -> InsightState:
    """The state with a hearing at its end. A later one takes the place of the one shown, unless silence ended it."""
    revision = end.revision
    state = replace(state, ended_hearings=tuple(sorted({*state.ended_hearings, revision})))
    if revision <= state.hearing or end.interrupted:
        return state
    aside = {number: kept for number, kept in state.aside.items() if number != revision}
    return _showing(replace(state, aside=aside), revision, _of(state, revision))


def supersedes(state: InsightState) -> int:
    """The hearing that had come to its end, and that another has taken the place of; 0 if there is none."""
    return max((number for number in state.ended_hearings if number < state.hearing), default=0)


def _of(state: InsightState, revision: int) -> Hearing:
    if revision == state.hearing:
        return Hearing(**{name: getattr(state, name) for name in _COUNTED})
    return state.aside.get(revision, Hearing())


def _showing(state: InsightState, number: int, shown: Hearing) -> InsightState:
    return replace(state, hearing=number, **{name: getattr(shown, name) for name in _COUNTED})


def _models(known: tuple[StageModel, ...], event: UtteranceEntities) -> tuple[StageModel, ...]:
    """The models with those that this utterance went through."""
    asked = (
        StageModel(stage=one.stage, model=one.model, version=one.model_version)
        for one in (*event.above, event.provenance)
        if one.model
    )
    return tuple(dict.fromkeys((*known, *asked)))


def _mentions(known: tuple[EntityMention, ...], event: UtteranceEntities) -> tuple[EntityMention, ...]:
    """The mentions with this utterance's: by placeholder where the label is personal, else by the text."""
    counts = {(mention.label, mention.text): mention.mentions for mention in known}
    for entity in event.entities:
        key = (entity.label, entity.placeholder or entity.text)
        counts[key] = counts.get(key, 0) + 1
    return tuple(EntityMention(label=label, text=text, mentions=n) for (label, text), n in counts.items())
