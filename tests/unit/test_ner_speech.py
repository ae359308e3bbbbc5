"""The ner group on sentences of many helplines, with its real models: what is found and hidden in calls like theirs."""

import pytest

from consumers.ner import Ner
from tests.unit.test_ner import SPACY, found, load_ner, one_by_one, together

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am Sister Agatha, from Lusaka.", [("NAME", "Agatha"), ("LOCATION", "Lusaka")]),
        ("Mr Zulu and mrs banda came.", [("NAME", "Zulu"), ("NAME", "banda")]),
        ("My name is Tendai Moyo.", [("NAME", "Tendai Moyo")]),
        ("we moved to Moyo in Uganda", [("LOCATION", "Moyo"), ("LOCATION", "Uganda")]),
        ("It is Mama Achieng, and Baba Otis.", [("NAME", "Mama Achieng"), ("NAME", "Baba Otis")]),
        ("my mama Achieng is sick", [("NAME", "Achieng")]),
        ("i am happiness from singida", [("NAME", "happiness"), ("LOCATION", "singida")]),
        ("mr stone is our headmaster", [("NAME", "stone")]),
        ("i am akello grace im a teacher", [("NAME", "akello grace")]),
        ("the man baba kolo he is shouting", [("NAME", "baba kolo")]),
        ("we live in lira ogur sub county", [("LOCATION", "lira"), ("LOCATION", "ogur")]),
        ("this is chief kiprono of kericho kapsoit location", [
            ("NAME", "kiprono"), ("LOCATION", "kericho"), ("LOCATION", "kapsoit"),
        ]),
        ("we are at door number eleven, flat B", [("LOCATION", "door number eleven"), ("LOCATION", "flat B")]),
        ("at Twenty three Kolobe Street", [("LOCATION", "Twenty three Kolobe Street")]),
        ("How close is the road? The street is dark.", []),
        ("it is in area twenty three", [("LOCATION", "area twenty three")]),
        ("write to jane underscore doe ninety two at gmail dot com", [
            ("EMAIL", "jane underscore doe ninety two at gmail dot com"),
        ]),
    ],
)  # fmt: skip
def test_people_and_places_of_everywhere(ner: Ner, text: str, expected: list[tuple[str, str]]) -> None:
    """Names beside titles and forms of address, places to the door, in either case."""
    (event,) = together(ner, text)
    kept = [find for find in found(event) if find[0] in ("NAME", "LOCATION", "EMAIL")]
    assert kept == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He was taken to Mulago Hospital.", [("ORGANIZATION", "Mulago Hospital")]),
        ("we live behind Mulago Hospital", [("LANDMARK", "Mulago Hospital")]),
        ("take her to the lira regional referral hospital", [("ORGANIZATION", "lira regional referral hospital")]),
        ("she learns at Igokelo Primary School", [("ORGANIZATION", "Igokelo Primary School")]),
        ("we play against Sakubva High today", [("ORGANIZATION", "Sakubva High")]),
        ("she is in grade three at kadem primary", [("ORGANIZATION", "kadem primary")]),
        ("go to Kasarani police station", [("ORGANIZATION", "Kasarani police station")]),
        ("ask for the gender and children desk", [("ORGANIZATION", "gender and children desk")]),
        ("the department of social welfare helps", [("ORGANIZATION", "department of social welfare")]),
        ("the victim support unit and the labour office", [
            ("ORGANIZATION", "victim support unit"), ("ORGANIZATION", "labour office"),
        ]),
        ("at the parish of St Mary", [("ORGANIZATION", "St Mary")]),
        ("meet me at the bus park", [("LANDMARK", "the bus park")]),
        ("i live near the ginnery", [("LANDMARK", "the ginnery")]),
        ("its behind the naivas", [("LANDMARK", "the naivas")]),
        ("a kiosk by the Giorgis church", [("LANDMARK", "the Giorgis church")]),
        ("there is the spaza with the Omo sign", [("LANDMARK", "the spaza with the Omo sign")]),
        ("she goes as far as the bridge", [("LANDMARK", "the bridge")]),
        ("turn off from the M1 there", [("LANDMARK", "M1")]),
        ("he is at the school, not at the clinic", []),
        ("go to the health centre or to the police station", []),
    ],
)  # fmt: skip
def test_institutions_and_landmarks(ner: Ner, text: str, expected: list[tuple[str, str]]) -> None:
    """What has a name of its own is an organization, unless it says where something stands; "the school" is neither."""
    (event,) = together(ner, text)
    assert [find for find in found(event) if find[0] in ("ORGANIZATION", "LANDMARK")] == expected


@pytest.mark.parametrize(
    "text",
    [
        "Muraho, how are you? Eish, I have no airtime.",
        "lumela ausi, okay gogo, sala hantle",
        "Thank you, Sister. Good night, Grandmother.",
        "Calm, actually. Jeez, that is a lot.",
        "youve told them and they shouldnt come anytime",
        "we eat injera, moroho and ugali, it costs four maluti",
        "she is in S4, he is in P7",
        "Mangwanani. Bom dia. Selam, I have a question.",
        "wacha nikuambie, pole sana",
    ],
)
def test_words_of_the_helplines_languages_are_nobody(ner: Ner, text: str) -> None:
    """Greetings, sounds, kin, food and money that callers mix into English are left as they were said."""
    (event,) = together(ner, text)
    assert event.redacted_text == text


def test_an_id_is_dictated_as_an_id(ner: Ner) -> None:
    """Asked for an ID, its pieces and its letters are one, over turns; without a question digits are a telephone's."""
    events = one_by_one(ner, "What is your national ID number?", "two two four five", "go on", "six seven double eight")
    assert [event.redacted_text for event in events[1:]] == ["[ID_NUMBER_1]", "go on", "[ID_NUMBER_2]"]
    (alone,) = together(ner, "eight four two nine nine one")
    assert alone.redacted_text == "[PHONE_NUMBER_1]"


def test_an_end_of_a_number_is_hidden_when_it_is_repeated(ner: Ner) -> None:
    """Corrections and what is read back leave no digit in clear."""
    events = one_by_one(
        ner,
        "And a number that is charged?",
        "Zero nine nine nine, two zero seven, wait, he is reading it to me, four one, no, four seven.",
        "So it ends on four seven. Do people know who the mother is?",
    )
    digits = {"zero", "nine", "two", "seven", "four", "one"}
    for event in events:
        assert digits.isdisjoint(event.redacted_text.lower().replace(".", "").replace(",", "").split())


def test_what_was_heard_as_other_words_is_found_again(ner: Ner) -> None:
    """Under the same words it has the same placeholder, also where nothing stands beside it that tells of a name."""
    first, second = one_by_one(ner, "my name is you saint i live in goo loo", "tell you saint that goo loo is far")
    assert first.redacted_text == "my name is [NAME_1] i live in [LOCATION_1]"
    assert second.redacted_text == "tell [NAME_1] that [LOCATION_1] is far"


@pytest.mark.parametrize(
    "text",
    [
        "refugees wait at the end and the end is only water",
        "they make you the enemy in the game and the cook serves you last",
        "my name is important and her name is beautiful",
        "behind the kitchen door there is a broom",
        "is your husband happy about the baby",
    ],
)
def test_small_words_are_no_part_of_a_misheard_name(ner: Ner, text: str) -> None:
    """What sounds like a name only with the words of every sentence is none."""
    assert [find for find in found(together(ner, text)[0]) if find[0] in ("NAME", "LOCATION", "LANDMARK")] == []
