"""The ner group on numbers that look like something else, with its real models: none of their digits is shown."""

import pytest

from consumers.ner import Ner
from tests.unit.test_ner import SPACY, found, load_ner, together

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("he drives a white probox k c a 1 1 9 b", "he drives a white probox [ID_NUMBER_1]"),
        ("the last three digits are nine one one", "the last three digits are [PHONE_NUMBER_1]"),
        (
            "seven eight, sorry, seven nine four two one eight zero",
            "[PHONE_NUMBER_1], sorry, [PHONE_NUMBER_2]",
        ),
        ("the case number is c r one one seven of the court", "the case number is [ID_NUMBER_1] of the court"),
        ("it is under OB forty two", "it is under OB [ID_NUMBER_1]"),
        ("I have it. Two four one, six six three, slash six one, slash one.", "I have it. [ID_NUMBER_1]."),
        (
            "zero seven one two three four five six seven eight slash nine zero one",
            "[PHONE_NUMBER_1]",
        ),
    ],
)
def test_no_digit_is_shown(ner: Ner, text: str, expected: str) -> None:
    """A short code's digits in a plate, after "the last digits are", before a correction, before "of"; what is said
    with a stroke is no telephone's, but between two whole numbers."""
    (event,) = together(ner, text)
    assert event.redacted_text == expected


@pytest.mark.parametrize(
    "text",
    [
        "one of them is here, or three of us",
        "seven or eight, sorry, I have to go",
        "he is in class two of the primary school",
    ],
)
def test_a_count_stays(ner: Ner, text: str) -> None:
    """Of nobody's own number."""
    (event,) = together(ner, text)
    assert event.redacted_text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a person of sixteen cannot sign", ["sixteen"]),
        ("you wait until eighteen to get the card", ["eighteen"]),
        ("no only eighteen so we argue", ["eighteen"]),
        ("the law says twenty one and my book says so", ["twenty one"]),
        ("my last born has three years", ["three years"]),
        ("kids of seven and nine carrying bricks", ["seven", "nine"]),
        ("Fifteen is a good age for that.", ["Fifteen"]),
        ("We are eight in that room.", []),
        ("we wait until sixteen people come", []),
        ("only fifteen bob", []),
    ],
)
def test_an_age_is_what_the_law_counts_too(ner: Ner, text: str, expected: list[str]) -> None:
    """Until when somebody waits, who one must be; not how many there are."""
    (event,) = together(ner, text)
    assert [said for label, said in found(event) if label == "AGE"] == expected
