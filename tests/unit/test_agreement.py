"""LocalAgreement-2: words that two revisions agree on stop flickering."""

import random

import pytest

from consumers.transcription.agreement import Hypothesis


def after(*heard: str) -> Hypothesis:
    hypothesis = Hypothesis()
    for one in heard:
        hypothesis = hypothesis.revised(one)
    return hypothesis


@pytest.mark.parametrize(
    ("heard", "stable", "text"),
    [
        (["Hello."], "", "Hello."),
        (["Hello.", "Hello, my name is"], "Hello,", "Hello, my name is"),
        (["Hello, my name is", "Hello, my name is Daniel."], "Hello, my name is", "Hello, my name is Daniel."),
        (["I am calling", "I was calling from"], "I", "I was calling from"),
        (["Yes.", "No, he"], "", "No, he"),
        (["She is 9.", "she is nine years"], "she is", "she is nine years"),
        (["", "Hello."], "", "Hello."),
        (["Hello.", ""], "", ""),
    ],
)
def test_what_two_revisions_begin_with_is_stable(heard: list[str], stable: str, text: str) -> None:
    """Case and marks do not count; the newer writing is kept."""
    found = after(*heard)
    assert (found.stable_text, found.text) == (stable, text)


@pytest.mark.parametrize(
    ("again", "text"),
    [
        ("My name is Daniel Okelo and I", "My name is Daniel Okelo and I"),  # as it was
        ("My names is Daniel Okelo and I", "My name is Daniel Okelo and I"),  # a word changed
        ("My name Daniel Okelo and I", "My name is Daniel Okelo and I"),  # a word lost
        ("Oh, my name is Daniel Okelo and I", "My name is Daniel Okelo and I"),  # a word more
        ("My name is", "My name is Daniel"),  # the end lost
        ("", "My name is Daniel"),  # all of it
        ("Something else altogether", "My name is Daniel"),
    ],
)
def test_what_is_stable_is_only_continued(again: str, text: str) -> None:
    """Heard otherwise later, it stays as it was shown, and what follows it is neither lost nor doubled."""
    before = after("My name is Daniel", "My name is Daniel or")
    assert before.stable_text == "My name is Daniel"
    now = before.revised(again)
    assert now.text == text
    assert now.stable_text.startswith("My name is Daniel")


@pytest.mark.parametrize("seed", range(20))
def test_the_stable_part_never_shrinks(seed: int) -> None:
    """Whatever is heard: each revision's stable part begins with the one before, and the text with its stable part."""
    chance = random.Random(seed)  # noqa: S311
    hypothesis = Hypothesis()
    for length in range(1, 40):
        heard = " ".join(chance.choice(["a", "b", "c.", "A,", "d"]) for _ in range(chance.randint(0, length)))
        revised = hypothesis.revised(heard)
        assert revised.words[: hypothesis.stable] == hypothesis.words[: hypothesis.stable]
        assert revised.stable >= hypothesis.stable
        assert revised.text.startswith(revised.stable_text)
        hypothesis = revised
