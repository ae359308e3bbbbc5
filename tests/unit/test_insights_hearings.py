"""A call that is heard twice, in its insight: complete after the first hearing, and again after the second."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.insights.join import Input, fold, insight, shows_more
from consumers.insights.state import InsightState, dump, restore
from schemas.records import (
    CallEvent,
    CallInsight,
    Classification,
    Entity,
    Kind,
    QaEvaluation,
    UtteranceEntities,
    WordChanges,
)
from tests.unit.test_insights import LINEAGE, WANJIKU, judged, life, named, of, said, scored, stages, state_of

CHANGES = WordChanges(words=10, changed=1, added=1, removed=0, word_error_rate=0.2)


def again(n: int, *entities: Entity, kind: Kind = "speech", language: str = "en") -> UtteranceEntities:
    event = said(n, *entities, kind=kind, language=language)
    return replace(event, event_id=f"again-{n}", utterance_id=f"again-{n}", at_ms=event.at_ms + 10_000, revision=2)


def rejudged(revision: int, main: str = "nutrition", *, complete: bool = True) -> Classification:
    event = judged(revision, main=main, complete=complete)
    return replace(event, at_ms=20_000, hearing=2, changes=CHANGES)


def rescored(revision: int, overall: float = 0.8, *, complete: bool = True) -> QaEvaluation:
    return replace(scored(revision, overall=overall, complete=complete), at_ms=20_000, hearing=2)


LIFE: tuple[CallEvent, ...] = (life("started", 1000, mode="hybrid"), life("ended", 9000))
FIRST = (said(1, WANJIKU, named("AGE", "ten")), said(2, language="sw"), said(3, kind="gap"), said(4, kind="end"))
SECOND = (
    again(1, named("NAME", "Mama Wanjiru", "[NAME_2]")),
    again(2, named("AGE", "two")),
    again(3),
    again(4, kind="end"),
)
ONCE: tuple[Input, ...] = (*LIFE, *FIRST, judged(3, complete=True), scored(3, complete=True))
TWICE: tuple[Input, ...] = (*ONCE, *SECOND, rejudged(9), rescored(9))


def test_the_first_hearing_is_complete_on_its_own() -> None:
    """Nobody waits for the recording; the mode says that it follows."""
    found = of(*ONCE)
    assert (found.complete, found.mode, found.hearing, found.supersedes, found.changes) == (True, "hybrid", 1, 0, None)
    assert (found.turns, found.languages) == (2, ("en", "sw"))


def test_the_second_hearing_does_not_show_until_it_is_over() -> None:
    """What gathers changes nothing that a reader sees; names are kept out from the first moment."""
    before, gathering = state_of(*ONCE), state_of(*ONCE, again(2, named("AGE", "two")), again(3))
    assert not shows_more(before, gathering)
    found = insight(gathering, LINEAGE)
    assert (found.complete, found.hearing, found.turns, found.at_ms) == (True, 1, 2, 9000)
    named_now = of(*ONCE, *SECOND[:1], life("failed", stage="qa", reason="no turn of wanjiru"))
    assert "wanjiru" not in repr(named_now)


def test_the_second_hearing_supersedes_the_first() -> None:
    """Complete again, on the words of the recording alone, with how many of them differ."""
    found = of(*TWICE)
    assert (found.complete, found.hearing, found.supersedes, found.changes) == (True, 2, 1, CHANGES)
    assert (found.turns, found.languages) == (3, ("en",))
    assert {(mention.label, mention.text) for mention in found.entities} == {("NAME", "[NAME_2]"), ("AGE", "two")}
    assert found.main and found.main.label == "nutrition"
    assert found.qa_overall == 0.8
    assert found.revision > of(*ONCE).revision
    assert found.event_id != of(*ONCE).event_id


def test_what_was_judged_of_the_first_hearing_is_not_the_last_word_on_the_second() -> None:
    """Between the second hearing's end and its judgements the call is not complete, and says who is waited for."""
    over = (*ONCE, *SECOND)
    found = of(*over)
    assert (found.complete, found.hearing, found.supersedes, found.changes) == (False, 2, 1, None)
    assert stages(found) == {
        **dict.fromkeys(("transcription", "translation", "ner"), "complete"),
        **dict.fromkeys(("documents", "classification", "qa"), "partial"),
    }
    found = of(*over, rejudged(9))
    assert (found.complete, stages(found)["classification"], stages(found)["qa"]) == (False, "complete", "partial")


def test_a_stage_that_fails_at_the_second_hearing_shows_it() -> None:
    """What it did of the first mends nothing; what it does of the second mends all before."""
    failed = life("failed", 2000, stage="classification", reason="out of memory", scope="event")
    found = of(*ONCE, *SECOND, rescored(9), failed)
    assert (found.complete, stages(found)["classification"]) == (True, "failed")
    assert stages(of(*ONCE, failed))["classification"] == "complete"
    assert set(stages(of(*TWICE, failed)).values()) == {"complete"}


def test_a_recording_that_cant_be_heard_leaves_the_first_hearing() -> None:
    """The call is complete as it was, and says what failed."""
    lost = life("failed", 12_000, stage="transcription", reason="sha256 does not match")
    found = of(*ONCE, lost)
    assert (found.complete, found.hearing) == (True, 1)
    assert stages(found) == {**dict.fromkeys(stages(found), "complete"), "transcription": "failed"}


def test_a_second_hearing_alone_supersedes_nothing() -> None:
    """The live path heard nothing at all."""
    found = of(*LIFE, *SECOND, rejudged(9), rescored(9))
    assert (found.complete, found.hearing, found.supersedes) == (True, 2, 0)


def test_what_comes_late_of_the_first_hearing_counts_no_more() -> None:
    """Nor is it kept; only its names are, so that they are never shown."""
    late = replace(said(9, named("NAME", "Juma", "[NAME_3]")), at_ms=1500)
    state = state_of(*TWICE, late)
    assert (state.aside, insight(state, LINEAGE).turns) == ({}, 3)
    assert len(state.names) > len(state_of(*TWICE).names)


def test_a_second_hearing_that_silence_ended_is_not_shown() -> None:
    """It is a part of the call, and the first is whole."""
    found = of(*ONCE, *SECOND[:2], replace(SECOND[3], interrupted=True))
    assert (found.complete, found.hearing, found.turns) == (True, 1, 2)


@pytest.mark.parametrize("mode", ["realtime", "post-call"])
def test_a_call_that_is_heard_once_is_complete_once(mode: str) -> None:
    """Its mode is told, and nothing else is different."""
    found = of(life("started", 1000, mode=mode), *ONCE[1:])
    assert (found.complete, found.mode, found.hearing) == (True, mode, 1)


def _shown(state: InsightState) -> CallInsight:
    """The insight without its id, and with what is listed in the order of arrival sorted."""
    found = insight(state, LINEAGE)
    origins = tuple(sorted(found.provenance.origin_ids))
    return replace(found, event_id="", provenance=replace(found.provenance, origin_ids=origins))


@given(st.data())
def test_any_interleaving_comes_to_the_same_insight(data: st.DataObject) -> None:
    """Each hearing, the call's life and each judge keep their own order; a restart in between changes nothing."""
    streams: list[list[Input]] = [
        list(LIFE), list(FIRST), list(SECOND), [judged(3, complete=True), rejudged(9)],
        [scored(3, complete=True), rescored(9)],
    ]  # fmt: skip
    state = InsightState(call_id="call-1")
    while any(streams):
        stream = data.draw(st.sampled_from([each for each in streams if each]))
        state = restore(dump(fold(state, stream.pop(0))))
    expected = state_of(*TWICE)
    state, expected = (replace(each, entities_id="", life=tuple(sorted(each.life))) for each in (state, expected))
    assert _shown(state) == _shown(expected)


def test_a_state_of_an_older_release_goes_on() -> None:
    """It knows of one hearing; the second takes its place all the same."""
    old = dump(state_of(*ONCE))
    for field in (b'"mode":"hybrid",', b'"hearing":1,', b'"ended_hearings":[1],', b'"aside":{},', b'"changes":null,'):
        assert field in old
        old = old.replace(field, b"")
    state = restore(old)
    for event in TWICE[len(ONCE) :]:
        state = fold(state, event)
    found = insight(state, LINEAGE)
    assert (found.complete, found.hearing, found.turns, found.changes) == (True, 2, 3, CHANGES)


def test_turns_that_nobody_could_read_are_counted() -> None:
    """Unclear ones, and those in a language without a translation, of the hearing that the insight shows."""
    foreign = replace(said(2, language="sw"), status="untranslated")
    unclear = said(3, kind="unclear")
    assert of(said(1), foreign, unclear, said(4, kind="end")).unread == 2
    assert of(said(1), foreign, unclear, said(4, kind="end"), again(1), again(4, kind="end")).unread == 0
