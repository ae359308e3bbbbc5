"""`callbus call show` of a call that was heard twice: what the second hearing changed."""

import json
from dataclasses import replace

import pytest

from callbus.cli.call import Found
from callbus.cli.call import plain as call_plain
from callbus.cli.call_changes import Passage, changed
from callbus.cli.call_view import print_call, print_restricted
from schemas import records
from schemas.records import (
    CallDocument,
    CallInsight,
    RestrictedInsight,
    RestrictedParticular,
    RestrictedQuote,
    Speaker,
    Turn,
    WordChanges,
)
from tests.builders import PROVENANCE
from tests.unit.test_cli_shown import filled

CHANGES = WordChanges(words=40, changed=2, added=1, removed=1, word_error_rate=0.1)


def turn(revision: int, start_ms: int, end_ms: int, text: str, speaker: Speaker = "caller") -> Turn:
    return Turn(
        utterance_id=f"{revision}-{speaker}-{start_ms}", kind="speech", speaker=speaker, start_ms=start_ms,
        end_ms=end_ms, confidence=1.0, status="pass_through", source_language="en", text=text,
        redacted_text=text.replace("Amina", "[NAME_1]").replace("Armena", "[NAME_2]"), entities=(), revision=revision,
    )  # fmt: skip


def twice(before: list[Turn], after: list[Turn]) -> CallDocument:
    whole: CallDocument = filled(records.CallDocument)
    return replace(
        whole, revision=9, complete=True, hearing=2, turns=tuple(after), aside=tuple(before), changes=CHANGES
    )


BEFORE = [
    turn(1, 0, 2_000, "hello"),
    turn(1, 2_500, 5_000, "I am Armena"),
    turn(1, 2_600, 3_000, "yes", "agent"),
    turn(1, 8_000, 9_000, "thank you"),
]
AFTER = [
    turn(2, 100, 1_900, "Hello."),
    turn(2, 2_400, 3_900, "I am Amina,"),
    turn(2, 4_100, 5_200, "and I am ten."),
    turn(2, 2_700, 3_100, "Yes?", "agent"),
    turn(2, 6_000, 7_000, "Good.", "agent"),
]


def test_passages_that_differ_are_put_side_by_side() -> None:
    """However the hearings cut them; capitals and punctuation are no difference; in order of time."""
    assert changed(twice(BEFORE, AFTER)) == [
        Passage(speaker="caller", start_ms=2_400, before="I am Armena", after="I am Amina, and I am ten."),
        Passage(speaker="agent", start_ms=6_000, before="", after="Good."),
        Passage(speaker="caller", start_ms=8_000, before="thank you", after=""),
    ]


def test_what_gathers_is_no_difference_yet() -> None:
    """Only a hearing before the one that is shown can be compared with it."""
    document = replace(twice(BEFORE, AFTER), hearing=1, turns=tuple(BEFORE), aside=tuple(AFTER))
    assert changed(document) == []


@pytest.mark.parametrize("clear", [False, True])
def test_the_difference_is_shown(capsys: pytest.CaptureFixture[str], clear: bool) -> None:
    """How many words, and which; redacted on both sides unless asked for in clear, in JSON too."""
    found = Found(insight=None, document=twice(BEFORE, AFTER), evaluation=None)
    print_call("call-1", None, found.document, None, clear=clear)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Conversation: revision 9, complete, hearing 2" in shown
    assert "What hearing 2 changed: 4 of 40 words differ (2 changed, 1 added, 1 removed; WER of the hearing" in shown
    assert "(nothing)" in shown
    as_json = json.dumps(call_plain("call-1", found, clear=clear))
    for name in ("Amina", "Armena"):
        assert (name in shown) == (name in as_json) == clear
    assert ("[NAME_2]" in shown) != clear


def test_the_insight_says_which_hearing_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    """And of a hybrid call's first one, that another follows."""
    insight: CallInsight = replace(filled(records.CallInsight), mode="hybrid", hearing=1, supersedes=0, changes=None)
    print_call("call-1", insight, None, None, clear=False)
    assert "hybrid; to be heard again from its recording" in capsys.readouterr().out
    print_call("call-1", replace(insight, hearing=2, supersedes=1, changes=CHANGES), None, None, clear=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "hybrid, hearing 2, takes the place of hearing 1; 4 of 40 words differ (2 changed" in shown
    print_call("call-1", replace(insight, mode=""), None, None, clear=False)
    assert "heard" not in capsys.readouterr().out


def test_what_is_restricted_is_shown_where_it_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """In clear, with what stands for it elsewhere; in JSON too; and that there is none yet."""
    restricted = RestrictedInsight(
        event_id="e", call_id="call-1", at_ms=1, insight_id="i", revision=7, complete=True, document_id="d",
        particulars=(
            RestrictedParticular(
                label="NAME", text="Amina", placeholder="[NAME_2]", utterance_id="u", start=5, end=10
            ),
        ) * 2,
        quotes=(RestrictedQuote(utterance_id="u", speaker="caller", start_ms=65_000, text="I am Amina"),),
        provenance=PROVENANCE,
    )  # fmt: skip
    print_restricted(restricted)
    shown = " ".join(capsys.readouterr().out.split())
    assert "revision 7" in shown
    assert "NAME │ Amina x2 │ [NAME_2]" in shown
    assert "1:05 │ caller │ I am Amina" in shown
    print_restricted(None)
    assert capsys.readouterr().out == "Restricted: nothing yet\n"
    found = Found(insight=None, document=None, evaluation=None, restricted=restricted)
    assert call_plain("call-1", found, clear=False)["restricted"]["particulars"][0]["text"] == "Amina"
    assert "restricted" not in call_plain("call-1", replace(found, restricted=None), clear=True)


def test_a_call_that_is_heard_once_has_no_table_of_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to compare with."""
    print_call("call-1", None, replace(twice([], AFTER), changes=None, hearing=1), None, clear=False)
    assert "changed" not in capsys.readouterr().out
