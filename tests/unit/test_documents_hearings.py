"""A call that is heard twice: its document is the first hearing until the second is over, and then the second."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.codec import codec_of
from callbus.topology import load as load_topology
from consumers.revisions import newest
from schemas.records import CallDocument, Speaker, UtteranceEntities, WordChanges
from tests.unit.test_documents import END, END_BY_SILENCE, advance, document, facts, said, silence, texts

TOPOLOGY = Path(__file__).parents[2] / "topology.yaml"


def heard(number: int, text: str, *, start_ms: int | None = None, speaker: Speaker = "caller") -> UtteranceEntities:
    return again(said(number, text, start_ms=start_ms, speaker=speaker))


def again(event: UtteranceEntities) -> UtteranceEntities:
    """The same of the second hearing. Its recording was published after the call."""
    return replace(
        event,
        event_id=f"{event.event_id}-again",
        utterance_id=f"{event.utterance_id}-again",
        at_ms=event.at_ms + 100_000,
        revision=2,
    )


END_AGAIN = again(END)
FIRST = (said(1, "hello asher"), said(2, kind="gap"), said(3, "can you here me"), END)
SECOND = (heard(1, "Hello, Asha!"), heard(2, "Yes."), heard(3, "Can you hear me?"), END_AGAIN)


def after(*events: UtteranceEntities) -> CallDocument:
    """The document once these have come one by one."""
    state: CallDocument | None = None
    for event in events:
        state = advance(event, state=state).state
    assert state is not None
    return state


def essence(call: CallDocument) -> CallDocument:
    """The document without what tells how it came about."""
    return replace(call, revision=0, aside_only=False, provenance=replace(call.provenance, origin_ids=()))


def test_the_second_hearing_gathers_unseen() -> None:
    """Nobody reads half of it: what is shown, and judged, stays the first."""
    first = after(*FIRST)
    gathering = document(advance(*SECOND[:2], state=first))
    assert (gathering.turns, gathering.hearing, facts(gathering)) == (first.turns, 1, (5, True, False))
    assert [turn.text for turn in gathering.aside] == ["Hello, Asha!", "Yes."]
    assert (gathering.aside_only, gathering.changes) == (True, None)
    assert gathering.event_id != first.event_id


def test_its_end_puts_it_in_the_place_of_the_first() -> None:
    """Gaps of the live path are gone; the document says what it rests on and how the words differ."""
    second = after(*FIRST, *SECOND)
    assert texts(second) == ["Hello, Asha!", "Yes.", "Can you hear me?"]
    assert (second.hearing, second.complete, second.aside_only) == (2, True, False)
    assert [(turn.text, turn.revision) for turn in second.aside] == [
        ("hello asher", 1), ("", 1), ("can you here me", 1)
    ]  # fmt: skip
    assert second.changes == WordChanges(words=7, changed=2, added=1, removed=0, word_error_rate=0.4286)


def test_events_of_two_hearings_never_share_an_id() -> None:
    """Each revision of the document has an id of its own, whatever it is that is new."""
    states = [after(*(*FIRST, *SECOND)[:n]) for n in range(1, 9)]
    assert len({each.event_id for each in states}) == 8


@given(st.data())
def test_any_interleaving_comes_to_the_same_document(data: st.DataObject) -> None:
    """Each hearing keeps its own order; how the two are mixed, and cut into slices, changes nothing at the end."""
    rest = [list(FIRST), list(SECOND)]
    mixed: list[UtteranceEntities] = []
    while any(rest):
        mixed.append(data.draw(st.sampled_from([each for each in rest if each])).pop(0))
    state: CallDocument | None = None
    shown: list[Sequence[str]] = []
    while mixed:
        taken = data.draw(st.integers(1, len(mixed)))
        state = advance(*mixed[:taken], state=state).state
        mixed = mixed[taken:]
        assert state is not None
        shown.append([turn.utterance_id for turn in state.turns])
    assert state is not None
    assert essence(state) == essence(after(*FIRST, *SECOND))
    assert all(not any(u.endswith("again") for u in each) or len(each) == 3 for each in shown), "half a hearing shown"


@given(st.permutations([*FIRST, *SECOND]), st.lists(st.integers(0, 7)))
def test_so_does_any_order_with_doubles(order: list[UtteranceEntities], doubles: list[int]) -> None:
    """Even without an order within a hearing, and with events that come twice."""
    assert essence(after(*order, *(order[n] for n in doubles))) == essence(after(*FIRST, *SECOND))


def test_what_comes_late_of_the_first_hearing_only_stands_aside() -> None:
    """The second is the whole call already; but the difference is told anew, and what is judged with it."""
    second = after(*FIRST[:1], *SECOND)
    late = document(advance(FIRST[2], state=second))
    assert (late.turns, late.hearing, late.complete) == (second.turns, 2, True)
    assert late.changes != second.changes
    assert not late.aside_only
    assert advance(END, state=late).events == ()


def test_what_comes_late_of_the_second_is_folded_in() -> None:
    """As after any end: the document is complete again with it."""
    second = after(*FIRST, *SECOND)
    late = document(advance(heard(5, "Bye."), state=second))
    assert (texts(late)[-1], late.complete, late.aside_only) == ("Bye.", True, False)


def test_silence_puts_no_part_in_the_place_of_a_whole() -> None:
    """A second hearing that breaks off leaves the first as it is, until its real end."""
    gathering = after(*FIRST, *SECOND[:2])
    assert silence(gathering).events == ()
    broken = advance(again(END_BY_SILENCE), state=gathering)
    assert (broken.events, broken.state) == ((), gathering)
    assert essence(after(*FIRST, *SECOND[:2], again(END_BY_SILENCE), *SECOND[2:])) == essence(after(*FIRST, *SECOND))


def test_a_second_hearing_opens_what_silence_ended() -> None:
    """The line broke and its end never came; the recording has it all."""
    silent = after(*FIRST[:1], END_BY_SILENCE)
    reopened = document(advance(SECOND[0], state=silent))
    assert (facts(reopened), texts(reopened), reopened.aside_only) == ((3, False, False), ["hello asher"], False)
    assert facts(document(advance(END_BY_SILENCE, state=reopened))) == (4, True, True)
    gathering = document(advance(SECOND[1], state=reopened))
    over = document(advance(END_BY_SILENCE, state=gathering))
    assert (facts(over), gathering.aside_only, over.aside_only) == ((5, True, True), True, False)
    whole = after(*FIRST[:1], END_BY_SILENCE, *SECOND)
    assert (texts(whole), whole.complete, whole.interrupted) == ([turn.text for turn in SECOND[:3]], True, False)


def test_a_call_that_is_only_heard_from_its_recording_compares_with_nothing() -> None:
    """Nothing is shown until all of it is there."""
    gathering = after(*SECOND[:3])
    assert (gathering.turns, gathering.complete, gathering.aside_only) == ((), False, True)
    whole = after(*SECOND)
    assert (len(whole.turns), whole.aside, whole.changes, whole.complete) == (3, (), None, True)


def test_only_two_hearings_are_kept() -> None:
    """The document stays bounded, however often a call is heard."""
    third = [replace(event, event_id=f"{event.event_id}3", revision=3) for event in SECOND]
    state = after(*FIRST, *SECOND, *third)
    assert {turn.revision for turn in (*state.turns, *state.aside)} == {2, 3}
    assert advance(said(7, "late"), state=state).events == ()
    assert essence(after(*third, *SECOND, *FIRST)) == essence(state)


def test_what_only_gathers_is_not_judged() -> None:
    """The judges take the newest document that says something new, and none twice."""
    running = after(*FIRST[:1])
    ended = after(*FIRST)
    gathering = after(*FIRST, *SECOND[:2])
    second = after(*FIRST, *SECOND)
    assert newest([running, ended, gathering]) == [False, True, False]
    assert newest([gathering]) == [False]
    assert newest([gathering, second]) == [False, True]
    assert newest([gathering, replace(running, call_id="other")]) == [False, True]


def test_both_hearings_go_through_the_changelog() -> None:
    """The document is its own state: what gathers survives a restart."""
    codec = codec_of(load_topology(TOPOLOGY))
    for state in (after(*FIRST, *SECOND[:2]), after(*FIRST, *SECOND)):
        assert codec.decode("call-documents", codec.encode("call-documents", state)) == state


@pytest.mark.parametrize(
    ("before", "now", "changes"),
    [
        (["a b c"], ["a b c"], (3, 0, 0, 0, 0.0)),
        (["a b c"], ["A, b! C?"], (3, 0, 0, 0, 0.0)),
        (["a b", "c"], ["a b c"], (3, 0, 0, 0, 0.0)),  # cut elsewhere
        (["a b c"], ["a x c d"], (4, 1, 1, 0, 0.5)),
        (["a b c d"], ["a d"], (2, 0, 0, 2, 1.0)),
        (["a"], [], (0, 0, 0, 1, 1.0)),
        ([""], [], (0, 0, 0, 0, 0.0)),
        (["don\u2019t"], ["don't"], (1, 0, 0, 0, 0.0)),
    ],
)
def test_differences_are_counted_in_words(
    before: list[str], now: list[str], changes: tuple[int, int, int, int, float]
) -> None:
    """Least edits; capitals, punctuation and where the turns are cut don't count."""
    first = [said(number, text) for number, text in enumerate(before)]
    second = [heard(number, text) for number, text in enumerate(now)]
    found = after(*first, END, *second, END_AGAIN).changes
    assert found == WordChanges(**dict(zip(WordChanges.__dataclass_fields__, changes, strict=True)))


def test_speakers_are_compared_apart_where_both_hearings_know_them() -> None:
    """Two who speak at once may change places; a recording with one channel knows no speakers."""
    first = [said(1, "a b", start_ms=0), said(2, "x y", start_ms=1, speaker="agent")]
    swapped = [heard(1, "a b", start_ms=1), heard(2, "x y", start_ms=0, speaker="agent")]
    mixed = [heard(1, "a b x y", start_ms=0, speaker="unknown")]
    assert after(*first, END, *swapped, END_AGAIN).changes == WordChanges(**_none(4))
    assert after(*first, END, *mixed, END_AGAIN).changes == WordChanges(**_none(4))


def _none(words: int) -> dict[str, int | float]:
    return {"words": words, "changed": 0, "added": 0, "removed": 0, "word_error_rate": 0.0}
