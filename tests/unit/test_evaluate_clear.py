"""What stands in clear in records that many read, and of numbers: small enough to be checked by hand."""

from typing import Any

from callbus.evaluate import clear
from callbus.evaluate.clear import Clear
from schemas.records import CallSummary, SummarySentence
from tests.builders import PROVENANCE
from tests.evaluations import alert, heard, read, translated, turns

PERSONAL = frozenset({"NAME", "LOCATION", "PHONE_NUMBER", "ID_NUMBER"})
TEXT = "I am Hope. My number is zero seven one two, three four five."
TRUTH: dict[str, Any] = {
    "turns": turns(TEXT, "I hope so."),
    "entities": [
        {"turn": 0, "text": "Hope", "label": "NAME"},
        {"turn": 0, "text": "zero seven one two", "label": "PHONE_NUMBER"},
        {"turn": 0, "text": "three four five", "label": "PHONE_NUMBER"},
    ],
}
MASKED = "I am [NAME_1]. My number is [PHONE_NUMBER_1], [PHONE_NUMBER_1]."
READ = read(0, TEXT, MASKED)


def score(*records: Any, truth: dict[str, Any] = TRUTH, audio: bool = False) -> Clear:
    return clear.score([heard(truth, *records, audio=audio)], PERSONAL)


def summary(text: str, number: int, *, quoted: bool = True) -> CallSummary:
    sentence = SummarySentence(part="events", text=text, utterance_id=str(number), score=1.0, quoted=quoted)
    return CallSummary(
        event_id="Hope",
        call_id="call",
        at_ms=1,
        document_id="Hope",
        revision=1,
        complete=True,
        sentences=(sentence,),
        people=(),
        provenance=PROVENANCE,
    )


def test_what_is_masked_everywhere_is_nowhere_in_clear() -> None:
    """An id may read like a name; it is none."""
    its = score(READ, alert(0, MASKED), summary(MASKED, 0))
    assert (its.elsewhere, its.elsewhere_calls, its.digits_calls) == (0, [], [])
    assert (its.looked_through, its.with_numbers) == (1, 1)


def test_a_name_in_a_quote_a_reason_or_a_summary_is_in_clear() -> None:
    """Each particular of a call counts once, in however many records it stands."""
    for record in (alert(0, "I am Hope."), alert(1, "", reason="hope said so"), summary("Hope is sad.", 0)):
        assert score(READ, record).elsewhere == 1
    both = score(READ, alert(0, "I am Hope."), summary("I am Hope.", 0))
    assert (both.elsewhere, both.elsewhere_calls) == (1, ["call"])


def test_a_word_of_another_turn_is_no_name() -> None:
    """What quotes a turn is compared with that turn's particulars; a sentence of its own words with all."""
    assert score(READ, alert(1, "I hope so."), summary("I hope so.", 1)).elsewhere == 0
    assert score(READ, summary("I hope so.", 1, quoted=False)).elsewhere == 1
    foreign = score(READ, translated(1, "I hope so."), summary("I hope so.", 1))
    assert foreign.elsewhere == 1
    assert score(READ, alert(1, "I hope so."), audio=True).elsewhere == 1


def test_one_digit_of_a_number_in_a_redacted_text_is_enough() -> None:
    """As a word or in figures; what else stands in a number is no digit."""
    left = "I am [NAME_1]. My number is [PHONE_NUMBER_1], [PHONE_NUMBER_1] five."
    assert score(read(0, TEXT, left)).digits_calls == ["call"]
    plate = {"turns": turns("K B A 12"), "entities": [{"turn": 0, "text": "K B A 12", "label": "ID_NUMBER"}]}
    assert score(read(0, "K B A 12", "K [ID_NUMBER_1]"), truth=plate).digits_calls == []
    assert score(read(0, "K B A 12", "[ID_NUMBER_1] 12"), truth=plate).digits_calls == ["call"]
    double = {"turns": turns("double two"), "entities": [{"turn": 0, "text": "double two", "label": "ID_NUMBER"}]}
    assert score(read(0, "double two", "double [ID_NUMBER_1]"), truth=double).digits_calls == ["call"]


def test_three_digits_in_a_row_elsewhere_are_in_clear() -> None:
    """However they are written; two may be an age."""
    assert score(READ, alert(0, "Call 712.")).digits_calls == ["call"]
    assert score(READ, summary("Call seven, one two.", 0)).digits_calls == ["call"]
    assert score(READ, alert(0, "I am 7, she is 1.")).digits_calls == []
    assert score(READ, alert(0, "Room 916.")).digits_calls == []


def test_without_truth_or_records_nothing_is_known() -> None:
    """No list, no figure; nor without a record to look through, or a number in the truth."""
    assert score(READ, alert(0, TEXT), truth={"turns": turns(TEXT)}).elsewhere is None
    assert score(READ, truth={"turns": turns(TEXT)}).digits_calls is None
    assert score(READ).elsewhere is None
    nameless = {"turns": turns(TEXT), "entities": []}
    assert (score(READ, alert(0, TEXT), truth=nameless).elsewhere, score(READ, truth=nameless).digits_calls) == (
        0,
        None,
    )
