"""The ner group on the way to a place, with its real models: landmarks however they are told, and what is none."""

import pytest

from consumers.ner import Ner
from tests.unit.test_ner import SPACY, found, load_ner, one_by_one, together

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


def of(label: str, ner: Ner, text: str) -> list[str]:
    (event,) = together(ner, text)
    return [said for its, said in found(event) if its == label]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("you walk up there is a field and then the cotton store", ["the cotton store"]),
        ("We live past the goat auction, by the church with the crooked tower.", ["the church with the crooked tower"]),
        ("behind the mosque with two minarets", ["the mosque with two minarets"]),
        ("there is a shop with a yellow door", ["a shop with a yellow door"]),
        ("the truck waits at the Chobe weighbridge", ["the Chobe weighbridge"]),
        ("he sleeps by the clinic", ["the clinic"]),
        ("her house is near the market", ["the market"]),
        ("You know where the lighthouse is.", ["the lighthouse"]),
        ("I'm past the harbour turn-off.", ["the harbour turn-off"]),
        ("we are on the N4", ["N4"]),
        ("the lorry leaves the m five before the bridge", ["m five", "the bridge"]),
        ("She waits behind the Barclays building.", ["the Barclays building"]),
        ("we meet in the parish hall", ["the parish hall"]),
        ("go to the boma with the paper", ["the boma"]),
        ("they sell it at kisenyi open market", ["kisenyi open market"]),
    ],
)
def test_a_landmark_is_found_on_the_way(ner: Ner, text: str, expected: list[str]) -> None:
    """With an article where a way or a home is told, by its sign, as a road, beside a name; in either case."""
    assert [said for said in of("LANDMARK", ner, text) if said in expected] == expected


@pytest.mark.parametrize(
    "text",
    [
        "You feel that feeling well?",
        "does that sit well with you",
        "The court decided it by the book.",
        "near the school",
        "she has a small tap in the head",
        "I read it in the exam hall.",
        "stand up and walk",
        "The children play with two sticks.",
        "the market women help her",
    ],
)
def test_what_is_no_landmark_stays(ner: Ner, text: str) -> None:
    """A thing of the house, a verb that reads the same, or a kind with nothing that tells it from others."""
    assert of("LANDMARK", ner, text) == []


def test_a_landmark_is_found_again_by_its_head(ner: Ner) -> None:
    """Told once with more words it is "the mosque" too, and the same words anywhere; an office may be any."""
    events = one_by_one(
        ner,
        "I sit near the mosque with the silver dome, past the sugar mill.",
        "They came from the mosque side.",
        "The sugar mill is closed.",
        "She works in the office.",
    )
    assert [event.redacted_text for event in events[1:]] == [
        "They came from [LANDMARK_3] side.",
        "[LANDMARK_2] is closed.",
        "She works in the office.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("you have reached the kenyan child line", ["kenyan child line"]),
        ("welcome to Pendo Children's Line", ["Pendo Children's Line"]),
        ("child helpline tumelo speaking", ["child helpline"]),
        ("the child protection desk", ["child protection desk"]),
    ],
)
def test_a_helpline_is_an_organization(ner: Ner, text: str, expected: list[str]) -> None:
    """By its whole name, a people in it too; who speaks for it is no part of that."""
    (event,) = together(ner, text)
    assert [said for label, said in found(event) if label == "ORGANIZATION"] == expected
    assert not [said for label, said in found(event) if label == "LOCATION"]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Thank you for calling Childline Zimbabwe.", "Thank you for calling Childline [LOCATION_1]."),
        ("hello child helpline botswana how can i help", "hello child helpline [LOCATION_1] how can i help"),
        ("I am from Childline Kenya.", "I am from Childline [LOCATION_1]."),
        ("This is the Gulu Child Helpline.", "This is the [LOCATION_1] Child Helpline."),
    ],
)
def test_the_place_in_a_helplines_name_is_hidden(ner: Ner, text: str, redacted: str) -> None:
    """Who calls it mostly lives there; the rest of its name is an organization still."""
    (event,) = together(ner, text)
    assert event.redacted_text == redacted
    assert "ORGANIZATION" in [label for label, _ in found(event)]


def test_who_speaks_for_a_helpline_is_hidden(ner: Ner) -> None:
    """A name right after it, be it a place's too."""
    (event,) = together(ner, "child helpline tumelo speaking")
    assert event.redacted_text == "child helpline [NAME_1] speaking"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call me Miss K. I teach here.", [("NAME", "K")]),
        ("you are through to jabuvu", [("NAME", "jabuvu")]),
        ("Wait. Patience! Come and listen.", [("NAME", "Patience")]),
        ("they took the girl to nakomolo", [("LOCATION", "nakomolo")]),
        ("it is just past rukandira", [("LOCATION", "rukandira")]),
        ("She is going to kill Ayola.", [("NAME", "Ayola")]),
        ("hahahaha nooo stop it", []),
        ("The new one is a Butterfly.", []),
        ("wetin dey happen abeg", []),
        ("I need my omang and a Tecno.", []),
    ],
)
def test_names_and_places_are_told_from_sounds_and_things(ner: Ner, text: str, expected: list[tuple[str, str]]) -> None:
    """An initial, a call, a motion; laughter, brands and the words of other languages name nobody."""
    (event,) = together(ner, text)
    assert [find for find in found(event) if find[0] in ("NAME", "LOCATION")] == expected


def test_an_address_at_a_helpline_is_hidden_whole(ner: Ner) -> None:
    """Its name in an address is a part of that."""
    (event,) = together(ner, "write to help at childline dot org")
    assert event.redacted_text == "write to [EMAIL_1]"


def test_go_ahead_answers_no_name(ner: Ner) -> None:
    """What encourages is not taken for the name that was asked for."""
    _, event = one_by_one(ner, "May I know your name?", "Go ahead.")
    assert found(event) == []


def test_a_word_that_is_name_and_place_is_told_by_its_preposition(ner: Ner) -> None:
    """Heard as both in one call, it is a place after "in", and a name elsewhere."""
    *_, where, who = one_by_one(
        ner, "My name is Mukandira.", "I live in Mukandira.", "It happened in Mukandira.", "So Mukandira cried."
    )
    assert found(where) == [("LOCATION", "Mukandira")]
    assert found(who) == [("NAME", "Mukandira")]


def test_an_age_that_is_repeated_is_one(ner: Ner) -> None:
    """After "how old" an answer may be said again; a count that is asked for in between is none."""
    *_, again, asked, several = one_by_one(
        ner, "How old is the boy?", "um twelve", "Twelve?", "How many sisters has he?", "four"
    )
    assert found(again) == [("AGE", "Twelve")]
    assert found(asked) == []
    assert found(several) == []
