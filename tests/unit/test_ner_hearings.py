"""A call that is heard twice: its persons keep their placeholders until the last hearing is over."""

import pytest

from callbus.consumer import CallSlice
from consumers.ner import Ner
from schemas.records import UtteranceEntities
from tests.unit.test_ner import SPACY, load_ner, translation


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


def test_who_is_heard_again_keeps_his_placeholder(ner: Ner) -> None:
    """Both hearings are one call: its names are forgotten with the end of the last one."""
    first = [translation("My name is Amina."), translation("", 1, kind="end", heard_again=True)]
    (once,) = ner.advance([CallSlice("call", first, None, None)])
    assert once.state is not None
    again = [translation("I am Wanjiku.", 2, revision=2), translation("My name is Amina.", 3, revision=2)]
    (twice,) = ner.advance([CallSlice("call", again, once.state, None)])
    assert [event.redacted_text for event in twice.events if isinstance(event, UtteranceEntities)] == [
        "I am [NAME_2].",
        "My name is [NAME_1].",
    ]
    assert twice.state is not None
    (over,) = ner.advance([CallSlice("call", [translation("", 4, kind="end", revision=2)], twice.state, None)])
    assert over.state is None


def test_a_recording_that_never_comes_lets_names_be_forgotten(ner: Ner) -> None:
    """By silence, like those of a call without an end."""
    end = translation("", 1, kind="end", heard_again=True)
    (once,) = ner.advance([CallSlice("call", [translation("My name is Amina."), end], None, None)])
    assert once.state is not None
    (silent,) = ner.advance([CallSlice("call", [], once.state, None, 1_000)])
    assert (list(silent.events), silent.state) == ([], None)


def test_one_hearing_does_not_answer_the_other(ner: Ner) -> None:
    """What was asked last in the first is not what is said first in the second."""
    asked = translation("What is your name?", speaker="agent")
    (first,) = ner.advance([CallSlice("call", [asked], None, None)])
    assert first.state is not None
    assert first.state.expecting == ("NAME",)
    (answer,) = ner.advance([CallSlice("call", [translation("blossom", 1)], first.state, None)])
    (other,) = ner.advance([CallSlice("call", [translation("blossom", 1, revision=2)], first.state, None)])
    assert isinstance(answer.events[0], UtteranceEntities)
    assert isinstance(other.events[0], UtteranceEntities)
    assert (answer.events[0].redacted_text, other.events[0].redacted_text) == ("[NAME_1]", "blossom")
    assert other.state is not None
    assert (other.state.expecting, other.state.revision) == ((), 2)
