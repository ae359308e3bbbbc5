"""Feedback: what may be said, and what stands of it."""

import re
from pathlib import Path
from typing import Any

import pytest

from callbus.errors import InputError
from callbus.feedback.giving import Said, feedback
from callbus.feedback.places import turn_at, words_of
from callbus.feedback.standing import standing
from tests.cli import TOPOLOGY, callbus
from tests.documents import document
from tests.feedback import CALL, LABELS, REDACTED, given


def test_a_sub_category_tells_its_main() -> None:
    """Unless two mains have it."""
    one = given(sub="Physical Abuse")
    assert (one.main, one.sub, one.priority) == ("vane", "Physical Abuse", None)
    assert given(main="vane", sub="Physical Abuse").event_id == one.event_id


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"main": "vane"}, "main category vane has sub-categories; say which with --sub"),
        ({"main": "vain", "sub": "Physical Abuse"}, "no main category vain; did you mean vane?"),
        ({"main": "gbv", "sub": "Physical Abuse"}, "no sub-category of gbv Physical Abuse"),
        ({"priority": "urgent"}, "no priority urgent"),
        ({"intervention": "Refer"}, "no intervention Refer"),
        ({}, "nothing was said to be right of classification"),
        ({"criteria": ["Empathizes with the caller=pass"]}, "belongs to qa, not to classification"),
        ({"stage": "translation", "sub": "Custody"}, "no stage translation"),
        ({"stage": "qa", "criteria": ["Empathizes=pass"]}, "no criterion Empathizes"),
        ({"stage": "qa", "criteria": ["Consults if unsure=yes"]}, "no verdict yes"),
        ({"stage": "qa", "criteria": ["Consults if unsure"]}, "write it like NAME=pass"),
        ({"stage": "alerts", "alerts": ["fire=high"]}, "no matter fire"),
        ({"stage": "alerts", "alerts": ["violence=low"]}, "no level low"),
        ({"stage": "ner", "entities": ["0:04/4=NAMES"]}, "no label NAMES; did you mean NAME?"),
        ({"stage": "ner", "entities": ["0:04/40=NAME"]}, "40: give words by number, like 3 or 3-4; the turn has 12"),
        ({"stage": "ner", "entities": ["0:05/4=NAME"]}, "nothing is said at 0:05"),
        ({"sub": "Custody", "evidence": ["9:99"]}, "nothing is said at 9:99"),
        ({"sub": "Custody", "note": "x" * 2001}, "2000 characters at most"),
    ],
)
def test_what_can_not_be_right_is_refused(words: dict[str, Any], told: str) -> None:
    """With what could be meant."""
    with pytest.raises(InputError, match=re.escape(told)):
        given(**words)


@pytest.mark.parametrize("by", ["Amina W", "amina@example.org", "", "-x"])
def test_nobody_says_who_by_name(by: str) -> None:
    """A pseudonym has neither blanks nor an address."""
    with pytest.raises(InputError, match="by an id like c-17"):
        feedback(Said(stage="classification", by=by, sub="Custody"), REDACTED, LABELS, 1)


def test_a_turn_is_named_by_its_time_or_its_id() -> None:
    """Of two that start within the same second, the one whose side it is."""
    assert turn_at(CALL, "1:05").utterance_id == "call-1-4"
    two = document([("agent", "And then?", 65_100, 66_000), ("caller", "He ran.", 65_900, 67_000)], "0123456789")
    assert turn_at(two, "1:05", "caller").text == "He ran."
    assert turn_at(two, "0123456789-0").text == "And then?"
    with pytest.raises(InputError, match="2 turns of 0123456789 start at 1:05"):
        turn_at(two, "1:05")
    with pytest.raises(InputError, match="nothing is said at 012"):
        turn_at(two, "012")


def test_words_are_named_by_number_so_that_nothing_personal_is_published() -> None:
    """A comma after them is not part of them."""
    [one] = given(stage="ner", entities=["0:13/9=NAME"]).entities
    turn = CALL.turns[3]
    assert turn.text[one.start : one.end] == "Amina"
    assert words_of(turn, "1-2") == (0, 6)
    assert "Amina" not in repr(given(stage="ner", entities=["0:13/9=NAME"]))


def test_the_newest_word_on_each_matter_stands() -> None:
    """A later word on the priority leaves the category as it was; doubles and their order change nothing."""
    first, second = given(1, sub="Physical Abuse", evidence=["0:09"]), given(2, priority="high")
    third = given(3, sub="Emotional Abuse")
    for words in ([first, second, third], [third, second, first, first]):
        found = standing(words)["call-1"]
        assert {name: word.label for name, word in found.case.items()} == {
            "main": "vane",
            "sub": "Emotional Abuse",
            "priority": "high",
        }
        assert found.evidence == ("call-1-2",)
        assert found.case["sub"].event_id == third.event_id
    quality = given(4, stage="qa", criteria=["Consults if unsure=pass"], evidence=["0:13"])
    assert standing([first, quality])["call-1"].evidence == ("call-1-2",)


def test_where_no_broker_is(tmp_path: Path) -> None:
    """One line, exit code 5, and nothing is written."""
    nowhere = ("--brokers", "127.0.0.1:9", "--topology", TOPOLOGY)
    for arguments in (
        ("give", "call-1", "--stage", "classification", "--by", "c-17", "--sub", "Custody"),
        ("export", tmp_path / "new"),
    ):
        result = callbus("feedback", *arguments, *nowhere)
        assert "127.0.0.1:9" in result.stderr
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (5, "", 1)
    assert not (tmp_path / "new").exists()
