"""The documents group: how a call's utterances become one growing document."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.consumer import CallSlice, Settings
from consumers.documents import Result, Slice, load
from schemas.records import CallDocument, Kind, Provenance, Speaker, UtteranceEntities

DOCUMENTS = load(Settings(group="documents"))


def said(
    number: int, text: str = "", *, start_ms: int | None = None, speaker: Speaker = "caller", kind: Kind = "speech"
) -> UtteranceEntities:
    return UtteranceEntities(
        event_id=f"entities-{number}-{text}",
        call_id="call",
        at_ms=1000 + number,
        utterance_id=f"utterance-{number}",
        kind=kind,
        speaker=speaker,
        start_ms=number * 1000 if start_ms is None else start_ms,
        end_ms=number * 1000 + 900,
        confidence=0.9,
        status="pass_through",
        source_language="en",
        text=text,
        redacted_text=text,
        entities=(),
        provenance=Provenance(stage="ner", model="m", model_version="1", origin_ids=()),
    )


END = said(99, kind="end", speaker="unknown")
END_BY_SILENCE = replace(said(98, kind="end", speaker="unknown"), interrupted=True)
SINCE_MS = 999_999


def advance(*events: UtteranceEntities, state: CallDocument | None = None) -> Result:
    return DOCUMENTS.advance([CallSlice(call_id="call", events=events, state=state, memory=None)])[0]


def silence(state: CallDocument | None) -> Result:
    return DOCUMENTS.advance([CallSlice("call", [], state, None, SINCE_MS)])[0]


def facts(call: CallDocument) -> tuple[int, bool, bool]:
    return call.revision, call.complete, call.interrupted


def document(result: Result) -> CallDocument:
    """The one revision that came of it, which is also what is remembered."""
    (only,) = result.events
    assert isinstance(only, CallDocument)
    assert result.state == only
    return only


def texts(call: CallDocument) -> list[str]:
    return [turn.text for turn in call.turns]


def test_a_slice_becomes_one_revision_with_all_its_events() -> None:
    """Many utterances that wait together cost the groups behind only one document."""
    first = document(advance(said(1, "hello"), said(2, "yes", speaker="agent")))
    assert (first.revision, first.complete, first.at_ms, texts(first)) == (1, False, 1002, ["hello", "yes"])
    assert first.provenance.origin_ids == ("entities-1-hello", "entities-2-yes")

    second = document(advance(said(3, "goodbye"), state=first))
    assert (second.revision, texts(second)) == (2, ["hello", "yes", "goodbye"])
    assert second.provenance.origin_ids == ("entities-3-goodbye",)


def test_calls_in_one_batch_keep_apart() -> None:
    """One result per slice, in order."""
    slices: list[Slice] = [
        CallSlice(call_id=call_id, events=[replace(said(1, call_id), call_id=call_id)], state=None, memory=None)
        for call_id in ("a", "b")
    ]
    results = [document(result) for result in DOCUMENTS.advance(slices)]
    assert [(each.call_id, texts(each)) for each in results] == [("a", ["a"]), ("b", ["b"])]


def test_turns_stand_in_order_of_time_then_speaker_then_arrival() -> None:
    """The two channels are transcribed apart and their utterances arrive crossed."""
    events = (
        said(1, "third", start_ms=500, speaker="caller"),
        said(2, "second", start_ms=500, speaker="agent"),
        said(3, "first", start_ms=0),
        said(4, "fourth", start_ms=500, speaker="caller"),
    )
    assert texts(document(advance(*events))) == ["first", "second", "third", "fourth"]


def test_an_utterance_seen_again_replaces_itself() -> None:
    """A better transcript of the same utterance leaves no double."""
    first = document(advance(said(1, "helo"), said(2, "yes")))
    second = document(advance(said(1, "hello"), state=first))
    assert (second.revision, texts(second)) == (2, ["hello", "yes"])


def test_the_same_event_again_makes_no_revision() -> None:
    """What says nothing new costs nothing, and the state stays."""
    first = document(advance(said(1, "hello"), END))
    again = advance(said(1, "hello"), END, state=first)
    assert (again.events, again.state) == ((), first)


def test_the_end_completes_the_document_and_keeps_it() -> None:
    """`call-documents` is read by others and is the changelog: the state is never given up."""
    running = document(advance(said(1, "hello")))
    ended = document(advance(END, state=running))
    assert (ended.revision, ended.complete, texts(ended)) == (2, True, ["hello"])


def test_a_call_in_which_nothing_was_said_has_an_empty_complete_document() -> None:
    """Silence is a result too: the groups behind must hear of the end."""
    silent = document(advance(END))
    assert (silent.revision, silent.complete, silent.turns) == (1, True, ())


def test_what_comes_after_the_end_is_a_new_complete_revision() -> None:
    """An utterance sent back from the dead letters isn't lost, and the call needs no second end."""
    ended = document(advance(said(1, "hello"), END))
    late = document(advance(said(2, "late"), state=ended))
    assert (late.revision, late.complete, texts(late)) == (2, True, ["hello", "late"])
    assert late.event_id != ended.event_id


def written(number: int, text: str) -> UtteranceEntities:
    return said(number, text, kind="message")


@pytest.mark.parametrize("kind", ["speech", "gap", "unclear"])
def test_a_voice_call_is_ended_by_its_transcription_alone(kind: Kind) -> None:
    """Nothing comes of it while translation is down for half an hour, and the child speaks on."""
    running = document(advance(said(1, kind=kind)))
    assert (silence(running).events, silence(running).state) == ((), running)
    assert facts(document(advance(END_BY_SILENCE, state=running))) == (2, True, True)


def test_a_chat_that_falls_silent_is_completed() -> None:
    """A chat whose door crashed never gets its end; nothing of the revision follows from a clock."""
    running = document(advance(written(1, "hello")))
    silent = document(silence(running))
    assert facts(silent) == (2, True, True)
    assert (silent.turns, silent.at_ms) == (running.turns, running.at_ms)
    assert silent.provenance.origin_ids == (running.event_id,)
    assert silent.event_id != running.event_id
    assert silent == document(silence(running))


def test_a_complete_call_says_nothing_of_silence() -> None:
    """Nor does one of which nothing is known."""
    for events in [(said(1, "hello"), END), (END,), (said(1), END_BY_SILENCE)]:
        ended = document(advance(*events))
        assert (silence(ended).events, silence(ended).state) == ((), ended)
    assert (silence(None).events, silence(None).state) == ((), None)


def test_an_end_by_silence_completes_the_document_and_says_so() -> None:
    """As transcription's does. The real end takes its place, and never the other way round."""
    silent = document(advance(said(1, "hello"), END_BY_SILENCE))
    assert facts(silent) == (1, True, True)
    ended = document(advance(END, state=silent))
    assert facts(ended) == (2, True, False)
    assert ended.event_id != silent.event_id
    assert advance(END_BY_SILENCE, state=ended).events == ()
    assert facts(document(advance(said(1), END, END_BY_SILENCE, said(2)))) == (1, True, False)


def test_what_comes_late_opens_an_interrupted_document_again() -> None:
    """Until the next silence or end: so that nobody takes for final what may go on."""
    silent = document(silence(document(advance(written(1, "hello")))))
    late = document(advance(written(2, "are you there?"), state=silent))
    assert (facts(late), texts(late)) == ((3, False, False), ["hello", "are you there?"])
    again = document(silence(late))
    assert facts(again) == (4, True, True)
    assert len({each.event_id for each in (silent, late, again)}) == 3
    assert facts(document(advance(END, state=late))) == (4, True, False)


def test_even_a_double_opens_it_again() -> None:
    """The worker tells the call that it goes on, and only a revision at the next silence tells it otherwise."""
    silent = document(silence(document(advance(written(1, "hello")))))
    reopened = document(advance(written(1, "hello"), state=silent))
    assert (facts(reopened), reopened.turns) == ((3, False, False), silent.turns)
    assert facts(document(silence(reopened))) == (4, True, True)


def test_a_gap_is_a_turn_and_an_untranslated_utterance_too() -> None:
    """What is missing stays visible."""
    untranslated = replace(said(2), status="untranslated")
    seen = document(advance(said(1, kind="gap"), untranslated))
    assert [(turn.kind, turn.status) for turn in seen.turns] == [("gap", "pass_through"), ("speech", "untranslated")]


def test_ids_tell_what_differs() -> None:
    """Another order of arrival of the same utterances is the same document; another text, or the end, is not."""
    events = (said(1, "a"), said(2, "b"), said(3, "c"))
    assert len({document(advance(*order)).event_id for order in permutations(events)}) == 1
    others = [(said(1, "a"), said(2, "b"), said(3, "x")), (*events, END), events[:2]]
    assert len({document(advance(*each)).event_id for each in [events, *others]}) == 4


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "a", "b"]), st.integers(0, 2)), min_size=1),
    st.data(),
)
def test_batches_do_not_matter(drawn: list[tuple[int, str, int]], data: st.DataObject) -> None:
    """However a replay cuts the same events into slices, the last document says the same and has the same id."""
    ends = {"": END, "a": END_BY_SILENCE, "b": END_BY_SILENCE}
    events = [ends[text] if number == 5 else said(number, text, start_ms=start) for number, text, start in drawn]
    whole = advance(*events).state
    state: CallDocument | None = None
    while events:
        taken = data.draw(st.integers(1, len(events)))
        state = advance(*events[:taken], state=state).state
        events = events[taken:]
    assert whole is not None
    assert state is not None
    assert (state.event_id, state.turns, state.complete, state.interrupted, state.at_ms) == (
        whole.event_id,
        whole.turns,
        whole.complete,
        whole.interrupted,
        whole.at_ms,
    )
