"""The ner group on names that are English words too, with its real models: where no capital tells them."""

import pytest

from consumers.ner import Ner
from tests.unit.test_ner import SPACY, found, load_ner, together

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


def names(ner: Ner, text: str) -> list[str]:
    (event,) = together(ner, text)
    return [said for label, said in found(event) if label == "NAME"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("then mercy came and hid", ["mercy"]),
        ("faith said that innocent touched her", ["faith", "innocent"]),
        ("lucky hit me with a belt", ["lucky"]),
        ("sunday beat her with a hose", ["sunday"]),
        ("blessing is six", ["blessing"]),
        ("grace was crying too", ["grace"]),
        ("me and joy ran away", ["joy"]),
        ("trymore and surprise are here", ["trymore", "surprise"]),
        ("prince and princess have not eaten", ["prince", "princess"]),
        ("the father of precious is here", ["precious"]),
        ("its memory again", ["memory"]),
        ("did grace tell you", ["grace"]),
        ("where is mercy sleeping", ["mercy"]),
        ("okay junior listen to me", ["junior"]),
        ("precious you did well", ["precious"]),
        ("Happy has been gone for long.", ["Happy"]),
        ("given and talent are outside", ["given", "talent"]),
        ("so marvellous is only ten", ["marvellous"]),
        ("my little brother is gift", ["gift"]),
        ("i heard junior shouting", ["junior"]),
        ("i am mrs nyoni class teacher here", ["nyoni"]),
        ("Blessed, can you hear me?", ["Blessed"]),
        ("Her sister May is in form two.", ["May"]),
        ("I'm Sunday, from the village.", ["Sunday"]),
        ("teacher clever hits us", ["clever"]),
        ("a man known as bishop gave her this", ["bishop"]),
        ("her name it is violet", ["violet"]),
        ("the name of the baby is happy", ["happy"]),
        ("evening tendayi it is late", ["tendayi"]),
        ("good day selam speaking", ["selam"]),
    ],
)
def test_grammar_tells_a_name_without_a_capital(ner: Ner, text: str, expected: list[str]) -> None:
    """It does what people do, has an age, stands beside somebody, is asked after or called to."""
    assert names(ner, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "my patience is finished",
        "there is no justice and no peace at home",
        "we have joy and hope",
        "life goes on and rain came",
        "i hope you are well",
        "so happy you called",
        "is your husband happy",
        "Welcome, how can I help?",
        "Wonderful, can you tell me more?",
        "Yes, sir. I am here.",
        "the grace of the lord said nothing",
        "grace two weeks",
        "may i go back now",
        "you have the right to be safe",
        "he is frank with me",
    ],
)
def test_the_word_itself_stays(ner: Ner, text: str) -> None:
    """With an article, as a quality, as what comes by itself, and the "I" after "sir"."""
    assert names(ner, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("that is spelled n a k a t o", "that is spelled [NAME_1]"),
        ("It is B-O-N-G-A-N-I.", "It is [NAME_1]."),
        ("His page is big_zed_254.", "His page is [NAME_1]."),
        ("it is zed underscore boy", "it is [NAME_1]"),
        ("She follows @sweetangie9 there.", "She follows [NAME_1] there."),
        ("her facebook is sweet angie", "her facebook is [NAME_1]"),
        ("i i i i do not know", "i i i i do not know"),
        ("I got a B, a C and a D.", "I got a B, a C and a D."),
        ("my facebook is new", "my facebook is new"),
    ],
)
def test_a_name_is_hidden_as_it_is_spelt_and_as_an_account(ner: Ner, text: str, expected: str) -> None:
    """Letter by letter, with underscores, after the name of a network; a stutter and marks are none."""
    (event,) = together(ner, text)
    assert event.redacted_text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Madam Kerubo has the key.", "[NAME_1] has the key."),
        ("the headman zulu refused", "the headman [NAME_1] refused"),
        ("you are welcome betelhem", "you are welcome [NAME_1]"),
        ("he is my son morena", "he is my son [NAME_1]"),
        ("mister phiri know it", "mister [NAME_1] know it"),
    ],
)
def test_a_title_takes_its_name_and_no_more(ner: Ner, text: str, expected: str) -> None:
    """A people's name after a headman, a town's after a welcome; the verb stays."""
    (event,) = together(ner, text)
    assert event.redacted_text == expected
