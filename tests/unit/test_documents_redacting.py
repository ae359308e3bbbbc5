"""What was said before a name was known is redacted in the document once it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import CallDocument, Entity, UtteranceEntities
from tests.unit.test_documents import END, advance, document, said
from tests.unit.test_documents_hearings import again, essence


def found(event: UtteranceEntities, label: str, text: str, placeholder: str = "") -> UtteranceEntities:
    """The utterance as redaction hands it on when it has found `text` in it."""
    start = event.text.index(text)
    entity = Entity(label=label, text=text, start=start, end=start + len(text), score=1.0, placeholder=placeholder)
    shown = event.redacted_text.replace(text, placeholder or text, 1)
    return replace(event, redacted_text=shown, entities=(*event.entities, entity))


def shown(*events: UtteranceEntities) -> list[str]:
    return [turn.redacted_text for turn in document(advance(*events)).turns]


FIRST = said(1, "Kipchoge beats me. It was kipchoge's belt, and the Kipchoges saw it.")
LATER = found(said(2, "My uncle is Kipchoge Arap"), "NAME", "Kipchoge Arap", "[NAME_1]")
HIDDEN = "[NAME_1] beats me. It was [NAME_1]'s belt, and the [NAME_1] saw it."


def test_a_name_that_is_found_late_is_hidden_where_it_was_said_before() -> None:
    """By each of its words, in capitals or not; the words in clear stay as they were said."""
    early = document(advance(FIRST))
    assert early.turns[0].redacted_text == FIRST.text
    late = document(advance(LATER, state=early))
    assert [turn.redacted_text for turn in late.turns] == [HIDDEN, "My uncle is [NAME_1]"]
    assert [turn.text for turn in late.turns] == [FIRST.text, LATER.text]
    assert late.event_id != early.event_id


@given(st.permutations([FIRST, LATER, said(3, "Is Arap there?"), END]), st.lists(st.booleans(), min_size=3, max_size=3))
def test_it_is_the_same_however_the_turns_came(events: list[UtteranceEntities], cuts: list[bool]) -> None:
    """A replay in other batches ends at the same document, with the same id."""
    batches: list[list[UtteranceEntities]] = [[]]
    for event, cut in zip(events, [*cuts, False], strict=True):
        batches[-1].append(event)
        if cut:
            batches.append([])
    state: CallDocument | None = None
    for batch in batches:
        state = advance(*batch, state=state).state
    assert state is not None
    assert essence(state) == essence(document(advance(FIRST, LATER, said(3, "Is Arap there?"), END)))


def test_the_same_utterance_again_makes_no_revision() -> None:
    """Though it comes with the text that it was first redacted to."""
    known = document(advance(FIRST, LATER))
    assert advance(FIRST, LATER, state=known).events == ()


def test_what_is_no_particular_any_more_stands_in_clear_again() -> None:
    """A better transcript of the turn that named him takes the name out of the others."""
    known = document(advance(FIRST, LATER))
    other = replace(said(2, "My uncle is kind"), event_id="better")
    assert document(advance(other, state=known)).turns[0].redacted_text == FIRST.text


@pytest.mark.parametrize(
    ("label", "particular", "before", "after"),
    [
        ("PHONE_NUMBER", "zero seven one two", "call Zero seven, one two or seven one", "call [X] or seven one"),
        ("PHONE_NUMBER", "0712345678", "0712345678 is his, not 0712", "[X] is his, not 0712"),
        ("LANDMARK", "the old railway station", "by the old railway station, a station", "by the [X], a station"),
        ("LANDMARK", "the aqueduct", "behind that aqueduct", "behind that [X]"),
        ("LANDMARK", "restaurant", "every restaurant is full", "every restaurant is full"),
        ("LANDMARK", "Nakumatt", "behind Nakumatt", "behind [X]"),
        ("LOCATION", "Kaptembwo", "in kaptembwo village", "in [X] village"),
        ("LOCATION", "the village", "the village is far", "the village is far"),
        ("NAME", "Mama Wanjiku", "My mama is Mama Wanjiku", "My mama is [X]"),
        ("NAME", "Hope", "I hope that Hope comes", "I hope that [X] comes"),
        ("NAME", "Hope", "hope beats me", "[X] beats me"),
        ("NAME", "Wa", "It was me", "It was me"),
        ("NAME", "Camau camera", "Camau has a camera", "[X] has a camera"),
    ],
)
def test_particulars_are_found_as_whole_words(label: str, particular: str, before: str, after: str) -> None:
    """Phrases whole, names by every word that tells anybody apart.

    An ordinary word that is a name too needs its capital where there are capitals.
    """
    named = found(said(2, f"That is {particular}"), label, particular, "[X]")
    assert shown(said(1, before), named)[0] == after


def test_a_part_of_another_particular_stays_with_it() -> None:
    """A town in an office's name is the office's; a name in another's is in his placeholder."""
    named = found(found(said(2, "Monze, and Asha"), "LOCATION", "Monze", "[LOCATION_1]"), "NAME", "Asha", "[NAME_1]")
    office = found(said(1, "Monze police know Asha School"), "ORGANIZATION", "Monze police")
    office = found(office, "ORGANIZATION", "Asha School")
    other = found(said(3, "Asha Nekesa called"), "NAME", "Asha Nekesa", "[NAME_2]")
    assert shown(office, named, other) == [
        "Monze police know [NAME_1] School",
        "[LOCATION_1], and [NAME_1]",
        "[NAME_2] called",
    ]


def test_what_two_persons_share_is_the_first_ones() -> None:
    """Whoever was named first, by number and not by letter."""
    ten = found(said(2, "Mary Okello"), "NAME", "Mary Okello", "[NAME_10]")
    two = found(said(3, "Daniel Okello"), "NAME", "Daniel Okello", "[NAME_2]")
    assert shown(said(1, "Okello, Mary Okello"), ten, two)[0] == "[NAME_2], [NAME_10]"


def test_one_hearing_knows_what_the_other_has_found() -> None:
    """A name that only the recording told is hidden in what was heard live, before the recording counts."""
    live = document(advance(FIRST, END))
    gathering = document(advance(again(LATER), state=live))
    assert (gathering.turns[0].redacted_text, gathering.hearing, gathering.aside_only) == (HIDDEN, 1, False)


def test_a_gender_keeps_no_place_from_being_hidden() -> None:
    """A word of a landmark that was found as a gender before hides nothing less."""
    early = found(said(1, "We hide at the big girl rock."), "GENDER", "girl")
    late = found(said(2, "Come to the big girl rock."), "LANDMARK", "the big girl rock", "[LANDMARK_1]")
    assert shown(early, late) == ["We hide at the [LANDMARK_1].", "Come to [LANDMARK_1]."]
