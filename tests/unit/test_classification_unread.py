"""Calls in which something was said that nobody could read: they are never taken for calls without a case."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from consumers.classification import UNDETERMINED, Classifier, load
from schemas.records import CallDocument, Turn
from tests.documents import document, spoken
from tests.unit.test_classification import classify, labels, settings

pytestmark = pytest.mark.model

GREETED = (("agent", "Hello, child helpline, can you hear me?"), ("caller", ""), ("agent", "Hello? Goodbye."))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """As the shipped topology sets it up."""
    return load(settings(unclear_priority="low", unclear_intervention="No intervention needed"))


def with_turn(number: int, change: Callable[[Turn], Turn]) -> CallDocument:
    """The greeted call, with one of its turns another."""
    call = document(spoken(*GREETED))
    return replace(call, turns=tuple(change(turn) if at == number else turn for at, turn in enumerate(call.turns)))


def untranslated(turn: Turn) -> Turn:
    return replace(turn, status="untranslated", source_language="sw", kind="message", text="", redacted_text="")


def unclear(turn: Turn) -> Turn:
    return replace(turn, kind="unclear", text="", redacted_text="")


def never_came(turn: Turn) -> Turn:
    return replace(turn, kind="gap", text="", redacted_text="")


@pytest.mark.parametrize("lost", [untranslated, unclear, never_came])
@pytest.mark.parametrize("speaker", ["caller", "unknown"])
def test_a_call_that_nobody_could_read_is_not_said_to_need_nothing(
    classifier: Classifier, lost: Callable[[Turn], Turn], speaker: str
) -> None:
    """A language without a model, sound without words, sound that never came: a child in danger may have spoken."""
    [judged] = classify(classifier, with_turn(1, lambda turn: replace(lost(turn), speaker=speaker)))
    assert set(labels(judged).values()) == {UNDETERMINED}


@pytest.mark.parametrize("lost", [untranslated, unclear, never_came])
def test_what_the_counsellor_said_unread_hides_no_case(classifier: Classifier, lost: Callable[[Turn], Turn]) -> None:
    """Of a caller who was heard to say nothing, it is known that there is nothing to do."""
    [judged] = classify(classifier, with_turn(0, lost))
    assert (judged.priority.label, judged.intervention.label) == ("low", "No intervention needed")


def test_a_case_is_judged_by_what_could_be_read(classifier: Classifier) -> None:
    """One lost turn takes no judgement away."""
    told = spoken(("caller", "My stepmother beats my little brother with a cable until he bleeds."), ("caller", ""))
    call = document(told)
    [judged] = classify(classifier, replace(call, turns=(call.turns[0], untranslated(call.turns[1]))))
    assert judged.main.label == "vane"
    assert judged.priority.label != UNDETERMINED
