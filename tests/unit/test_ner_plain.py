"""What says nothing of who somebody is, a gender or an incident: found, shown, and giving way to all that does."""

import pytest

from consumers.ner import Ner
from consumers.ner.incidents import Incidents
from consumers.ner.spans import beside
from consumers.ner.words import Span
from consumers.relations import read_relations
from tests.unit.test_ner import ROOT, found, ner, one_by_one, together

__all__ = ["ner"]
pytestmark = pytest.mark.model


def plain(ner: Ner, text: str, label: str) -> list[str]:
    [event] = together(ner, text)
    return [said for its, said in found(event) if its == label]


@pytest.mark.parametrize(
    ("text", "genders"),
    [
        ("She is a girl of nine and he is a boy.", ["girl", "boy"]),
        ("the man who lives there took two women with him", ["man", "women"]),
        ("The lady's husband is a gentleman.", ["lady", "gentleman"]),
        ("i am a female student", ["female"]),
        ("The patient is male.", ["male"]),
        ("A boy.", ["boy"]),
        ("Some men came at night.", ["men"]),
    ],
)
def test_words_that_state_a_gender(ner: Ner, text: str, genders: list[str]) -> None:
    """Of people of any age, in lower case too."""
    assert plain(ner, text, "GENDER") == genders


@pytest.mark.parametrize(
    "text",
    [
        "She told him that he should go.",
        "Oh man, it is late.",
        "Man! It is late.",
        "It is hard, man.",
        "Good morning ladies and gentlemen.",
        "Is it a boy or a girl?",
        "Who will man the desk?",
        "Go to the women's desk at the station.",
        "she is at the girls school in the next village",
        "He is in the Boys Brigade.",
        "My mother and my sister are here.",
    ],
)
def test_words_that_state_none(ner: Ner, text: str) -> None:
    """Pronouns, cries, forms of address, questions for it, and what institutions are called."""
    assert plain(ner, text, "GENDER") == []


@pytest.mark.parametrize(
    ("text", "incidents"),
    [
        ("She was raped and then beaten up.", ["raped", "beaten up"]),
        ("it is a child marriage and she was married off", ["child marriage", "married off"]),
        ("There is bullying at school and he was defiled.", ["bullying", "defiled"]),
        ("They were trafficked. It is neglect.", ["trafficked", "neglect"]),
        ("my uncle touches me and he locked my brother in the store", ["touches", "locked"]),
        ("female genital mutilation is against the law", ["female genital mutilation"]),
        ("Did he beat her?", []),
    ],
)
def test_words_that_name_an_incident(ner: Ner, text: str, incidents: list[str]) -> None:
    """Verbs and nouns; one that may be harmless only where somebody does it to somebody."""
    assert plain(ner, text, "INCIDENT_TYPE") == incidents


@pytest.mark.parametrize(
    "text",
    [
        "He touched the wall and hit the road.",
        "She cut her hair.",
        "I was touched by her story.",
        "Nobody beats me here.",
        "She was not raped.",
        "He has never abused her.",
        "It is about drug abuse.",
        "They locked the gate and tied the goat.",
    ],
)
def test_words_that_name_none(ner: Ner, text: str) -> None:
    """What harms nobody, and what is denied right before."""
    assert plain(ner, text, "INCIDENT_TYPE") == []


def test_both_stay_in_clear(ner: Ner) -> None:
    """They are no personal data: no placeholder, and the redacted text has them."""
    [event] = together(ner, "My girl Wanjiku was raped.")
    assert event.redacted_text == "My girl [NAME_1] was raped."
    assert [(one.label, one.placeholder) for one in event.entities] == [
        ("GENDER", ""),
        ("NAME", "[NAME_1]"),
        ("INCIDENT_TYPE", ""),
    ]


def test_they_take_nothing_from_what_is_personal(ner: Ner) -> None:
    """A place whose name holds such a word is hidden whole, and known again in a later utterance."""
    first, second = one_by_one(
        ner,
        "We live behind the Old Man pub in Kisumu.",
        "Yes, it is behind the Old Man pub.",
    )
    for event in (first, second):
        assert "Man" not in event.redacted_text
        assert "GENDER" not in {label for label, _ in found(event)}


def test_they_give_way() -> None:
    """To any other span that they touch, whatever the scores; of two the longer stays."""
    kept = [Span(0, 4, "NAME", 0.4), Span(10, 20, "ORGANIZATION", 0.1)]
    more = [Span(3, 6, "GENDER", 0.8), Span(12, 15, "GENDER", 0.8), Span(20, 24, "GENDER", 0.8)]
    longer = Span(20, 30, "INCIDENT_TYPE", 0.8)
    assert beside(kept, [*more, longer]) == [*kept, longer]
    assert beside(kept, []) == kept


def test_an_incident_has_its_place() -> None:
    """Each word once, though the list and the grammar both know it."""
    text = "My uncle rapes me, he beats her."
    spans = Incidents(read_relations(ROOT / "domain" / "relations.yaml")).find(text)
    assert [text[span.start : span.end] for span in spans] == ["rapes", "beats"]
