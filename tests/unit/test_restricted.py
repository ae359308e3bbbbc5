"""What an insight leaves out, in clear: tied to it, whole, and nowhere else. Without a broker."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.consumer import CallSlice
from consumers.insights.join import fold, insight
from consumers.insights.state import dump
from consumers.restricted import Restricted
from schemas.records import (
    CallDocument,
    CallEvent,
    CallEventType,
    CallInsight,
    Entity,
    Kind,
    RestrictedInsight,
    RestrictedState,
    Turn,
    UtteranceEntities,
)
from tests.documents import document, spoken
from tests.unit.test_cli_shown import CLEAR, filled
from tests.unit.test_insights import CALL, LINEAGE, judged, life, of, said, state_of
from tests.unit.test_insights_telling import alert, summed_up
from tests.unit.test_insights_timeline import moved

NAMES = ("Wanjiku", "Kipchoge")


def named(turn: Turn) -> Turn:
    """The turn with its names found, and redacted."""
    found = [name for name in NAMES if name in turn.text]
    entities = tuple(
        Entity(
            label="NAME", text=name, start=(at := turn.text.index(name)), end=at + len(name), score=1.0,
            placeholder=f"[NAME_{NAMES.index(name) + 1}]",
        )
        for name in found
    )  # fmt: skip
    redacted = turn.text
    for entity in entities:
        redacted = redacted.replace(entity.text, entity.placeholder)
    return replace(turn, entities=entities, redacted_text=redacted)


def growing(revision: int, **changes: Any) -> CallDocument:
    """The call's document when so many turns were said."""
    whole = document(
        spoken(
            ("caller", "I am calling about Wanjiku."),
            ("agent", "Who is she to you?"),
            ("caller", "My daughter, and Kipchoge beats her."),
        ),
        CALL,
        revision=revision,
    )
    return replace(whole, turns=tuple(map(named, whole.turns))[:revision], **changes)


def citing(revision: int, *evidence: str) -> CallInsight:
    judgement = replace(judged(revision).main, evidence=evidence)
    return replace(of(life("started"), judged(revision)), event_id=f"insight-{revision}", revision=revision,
                   main=judgement, sub=None, priority=None, intervention=None, timeline=())  # fmt: skip


DOCUMENTS = tuple(growing(n) for n in (1, 2, 3))
INSIGHTS = (citing(1), citing(2, "call-1-0"), citing(5, "call-1-2"))


def told(*slices: Sequence[CallDocument | CallInsight]) -> list[RestrictedInsight]:
    state: RestrictedState | None = None
    found: list[RestrictedInsight] = []
    for events in slices:
        [result] = Restricted().advance([CallSlice(CALL, events, state, None)])
        state = result.state
        found += [event for event in result.events if isinstance(event, RestrictedInsight)]
    return found


def test_it_holds_what_the_insight_leaves_out() -> None:
    """Every particular with its placeholder and its place, and the turns that are evidence, in clear."""
    [found] = told([*DOCUMENTS, *INSIGHTS])
    assert (found.insight_id, found.revision, found.document_id) == ("insight-5", 5, DOCUMENTS[-1].event_id)
    assert [(one.text, one.placeholder, one.utterance_id, one.start, one.end) for one in found.particulars] == [
        ("Wanjiku", "[NAME_1]", "call-1-0", 19, 26),
        ("Kipchoge", "[NAME_2]", "call-1-2", 17, 25),
    ]
    for one in found.particulars:
        [text] = [turn.text for turn in DOCUMENTS[-1].turns if turn.utterance_id == one.utterance_id]
        assert text[one.start : one.end] == one.text
    assert [(one.utterance_id, one.text) for one in found.quotes] == [
        ("call-1-2", "My daughter, and Kipchoge beats her."),
    ]
    assert found.provenance.origin_ids == ("insight-5", DOCUMENTS[-1].event_id)


@given(st.data())
def test_the_last_word_is_the_same_however_the_two_topics_come(data: st.DataObject) -> None:
    """In any interleaving and any batches, with doubles: the last insight with the last words, and no event twice."""
    streams: list[list[CallDocument | CallInsight]] = [list(DOCUMENTS), list(INSIGHTS)]
    order = data.draw(st.permutations([0] * len(DOCUMENTS) + [1] * len(INSIGHTS)))
    events = [streams[n].pop(0) for n in order]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events) - 1))))
    slices = [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    found = told(*slices, events)
    assert found[-1] == told([*DOCUMENTS, *INSIGHTS])[0]
    assert len({one.event_id for one in found}) == len(found)
    assert [one.revision for one in found] == sorted(one.revision for one in found)


def test_nothing_is_said_before_both_have_come() -> None:
    """An insight without words, or words without an insight."""
    assert told(DOCUMENTS) == []
    assert told(INSIGHTS) == []


def test_what_says_nothing_new_is_not_said() -> None:
    """A document in which only another hearing gathers; the same insight again."""
    gathering = growing(3, event_id="gathering", aside=growing(1).turns, aside_only=True)
    assert len(told(DOCUMENTS, INSIGHTS, [replace(gathering, revision=9)], [INSIGHTS[-1]])) == 1


def test_what_is_older_changes_nothing() -> None:
    """An insight or a document that comes again takes nothing back."""
    found = told(DOCUMENTS, INSIGHTS)
    assert told(DOCUMENTS, INSIGHTS, [INSIGHTS[1]], [DOCUMENTS[0]]) == found
    assert told(DOCUMENTS, INSIGHTS, [DOCUMENTS[0], INSIGHTS[0]]) == found


def test_evidence_is_found_wherever_the_insight_names_it() -> None:
    """Judgements, dangers, summary, people, timeline; in a hearing that stands aside, too."""
    turns = tuple(
        replace(turn, utterance_id=f"utterance-{n}") for n, turn in enumerate((*growing(3).turns, *growing(3).turns))
    )
    call = replace(growing(3), turns=turns[:3], aside=turns[3:])
    for found, cited in (
        (of(judged(1)), {"utterance-1"}),
        (of(alert(3)), {"utterance-3"}),
        (of(summed_up(1)), {"utterance-1"}),
        (replace(of(moved(2, 600)), main=None, sub=None, priority=None, intervention=None), {"utterance-2"}),
    ):
        [one] = told([call, found])
        assert {quote.utterance_id for quote in one.quotes} == cited


def test_a_call_of_which_nothing_comes_is_forgotten() -> None:
    """Without a word: what was said in clear does not stay."""
    [known] = Restricted().advance([CallSlice(CALL, [*DOCUMENTS, *INSIGHTS], None, None)])
    [silent] = Restricted().advance([CallSlice(CALL, [], known.state, None, 1_000)])
    assert (list(silent.events), silent.state) == ([], None)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("step", get_args(CallEventType))
def test_the_insight_and_its_state_hold_nothing_in_clear(kind: Kind, step: CallEventType) -> None:
    """Whatever free text its inputs carry: reasons, attributes, words, entities. Timeline and models neither."""
    event: CallEvent = replace(filled(CallEvent), call_id=CALL, type=step, stage="qa")
    heard: UtteranceEntities = replace(filled(UtteranceEntities), call_id=CALL, kind=kind)
    state = fold(fold(state_of(life("started"), said(1)), event), heard)
    found = insight(state, LINEAGE)
    assert found.timeline
    for word in CLEAR.split():
        if len(word) > 2:
            assert word not in repr(found)
            assert word not in dump(state).decode()
