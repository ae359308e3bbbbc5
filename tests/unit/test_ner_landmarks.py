"""The ner group on what a place is found by, with its real models: told in many ways, with what belongs to it."""

import pytest

from consumers.ner import Ner
from tests.unit.test_ner import SPACY, found, load_ner, together

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


def redacted(ner: Ner, text: str) -> str:
    (event,) = together(ner, text)
    return event.redacted_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He parks the lorry beyond the sisal factory.", "He parks the lorry beyond [LANDMARK_1]."),
        ("it is between the dispensary and the copper smelter", "it is between [LANDMARK_1] and [LANDMARK_2]"),
        ("The room is on top of the hardware shop.", "The room is on top of [LANDMARK_1]."),
        ("it is to the right of the health post", "it is to the right of [LANDMARK_1]"),
        ("a white house next door to the bakery", "a white house next door to [LANDMARK_1]"),
        ("the plot touches the railway", "the plot touches [LANDMARK_1]"),
        ("three minutes walk from the water kiosk", "three minutes walk from [LANDMARK_1]"),
        ("down the road from the seed store", "down the road from [LANDMARK_1]"),
        ("They hid it in the ditch by the slaughter slab.", "They hid it in the ditch by [LANDMARK_1]."),
        ("turn where the water tower is", "turn where [LANDMARK_1] is"),
        ("the yard of the tile factory", "the yard of [LANDMARK_1]"),
        ("My shop is at the main stage.", "My shop is at [LANDMARK_1]."),
        ("She plaits hair at the Sunday market.", "She plaits hair at [LANDMARK_1]."),
        ("in front of the Mayombe guest house", "in front of [LANDMARK_1]"),
        ("he left it at the old post office", "he left it at [LANDMARK_1]"),
        ("our hut is past the third windmill", "our hut is past [LANDMARK_1]"),
        ("They meet at the ginnery scales every evening.", "They meet at [LANDMARK_1] every evening."),
        ("he found him under the baobab", "he found him under [LANDMARK_1]"),
        ("we live by the netball courts", "we live by [LANDMARK_1]"),
        ("i stay behind the aga khan clinic", "i stay behind [LANDMARK_1]"),
        ("it is on the same road as the veterinary office", "it is on the same road as [LANDMARK_1]"),
        ("he keeps it at the scrapyard", "he keeps it at [LANDMARK_1]"),
        ("we live behind the coffee sorting house", "we live behind [LANDMARK_1]"),
        ("he is a guard at the diamond mine", "he is a guard at [LANDMARK_1]"),
        ("stop at the car wash", "stop at [LANDMARK_1]"),
        ("We rent a room behind the aqueduct.", "We rent a room behind [LANDMARK_1]."),
        ("she is hiding near the clinic", "she is hiding near [LANDMARK_1]"),
    ],
)
def test_what_tells_a_way_tells_a_landmark(ner: Ner, text: str, expected: str) -> None:
    """Whatever words say where it stands, told from others by a word, or of a kind of which a place has few."""
    assert redacted(ner, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("he waits by the cement factory wall", "he waits by [LANDMARK_1]"),
        ("We stay behind the old aerodrome fence.", "We stay behind [LANDMARK_1]."),
        ("past the mine fence", "past [LANDMARK_1]"),
        ("opposite the milk kiosk of St. Jude", "opposite [LANDMARK_1]"),
        ("we stay opposite a big church with a blue roof", "we stay opposite [LANDMARK_1]"),
        ("Behind Mama Oliver's restaurant.", "Behind [NAME_1]'s [LANDMARK_1]."),
        ("she works at the salon of Mama Tabi", "she works at [LANDMARK_1] of [NAME_1]"),
    ],
)
def test_what_belongs_to_a_landmark_is_hidden_with_it(ner: Ner, text: str, expected: str) -> None:
    """Its wall, its saint, its roof; and the landmark beside whose it is."""
    assert redacted(ner, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Please stay by the gate.",
        "We live in the plot with the green gate.",
        "He came on top of the charcoal truck.",
        "she went to a school with sign language",
        "in front of the other teachers he slapped me",
        "we walk past the big girls and they laugh",
        "I sat beside the sick woman.",
        "We stay next to the big house.",
        "I waited behind the neighbours house.",
        "In our house I hide behind the fridge.",
        "Her bed at home is next to the landlord.",
        "the sun goes behind the hill",
        "we were told to wait in the line at the bank",
    ],
)
def test_a_thing_of_every_home_and_a_person_are_none(ner: Ner, text: str) -> None:
    """One's own gate, what moves, who is stood beside."""
    (event,) = together(ner, text)
    assert "LANDMARK" not in [label for label, _ in found(event)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the girl goes to bright star academy", ("ORGANIZATION", "bright star academy")),
        ("she was sent home from green hill secondary", ("ORGANIZATION", "green hill secondary")),
        ("he drinks at zebra bar with them", ("LANDMARK", "zebra bar")),
        ("they took her to mufulira general", ("ORGANIZATION", "mufulira general")),
        ("The society of women lawyers helps.", ("ORGANIZATION", "society of women")),
        ("go to the justice centre at the court", ("ORGANIZATION", "justice centre")),
        ("I bought it at Shoprite.", ("ORGANIZATION", "Shoprite")),
        ("yes helpline who is there", ("ORGANIZATION", "helpline")),
        ("I learn at Groupe Scolaire Kabeza, in town.", ("ORGANIZATION", "Groupe Scolaire Kabeza")),
        ("We walk to Fort Salima and back.", ("LANDMARK", "Fort Salima")),
        ("She lives by Lake Bunyonyi.", ("LOCATION", "Lake Bunyonyi")),
    ],
)
def test_an_institution_needs_no_article_and_no_list(ner: Ner, text: str, expected: tuple[str, str]) -> None:
    """Ordinary words before its kind name it where no article stands before them."""
    (event,) = together(ner, text)
    assert expected in found(event)


@pytest.mark.parametrize(
    "text",
    [
        "she goes to nursing school",
        "he is in private school",
        "she goes to secondary school",
        "i am in standard five",
        "The PIN is new.",
    ],
)
def test_a_kind_of_school_and_an_abbreviation_are_no_institution(ner: Ner, text: str) -> None:
    """Of these there are many, or they are none."""
    (event,) = together(ner, text)
    assert "ORGANIZATION" not in [label for label, _ in found(event)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it happened on mutesa road at night", "it happened on [LOCATION_1] at night"),
        ("i stay in githurai forty five", "i stay in [LOCATION_1]"),
        ("my address is house four two", "my address is [LOCATION_1]"),
        ("she was taken to italy by a woman", "she was taken to [LOCATION_1] by a woman"),
        ("he went to chad for work", "he went to [LOCATION_1] for work"),
        ("Her aunt works in Jordan.", "Her aunt works in [LOCATION_1]."),
        ("Jordan hit me.", "[NAME_1] hit me."),
        ("We go to Fort Portal.", "We go to [LOCATION_1]."),
        ("its kwa njuguna we stay", "its [LOCATION_1] we stay"),
        ("I am in Usa River now.", "I am in [LOCATION_1] now."),
    ],
)
def test_a_street_and_a_number_belong_to_the_place(ner: Ner, text: str, expected: str) -> None:
    """In lower case too; a town with "river" in its name is a town."""
    assert redacted(ner, text) == expected
