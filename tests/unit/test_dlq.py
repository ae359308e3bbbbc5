"""Which letters there are, what has become of them, and which are meant. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from callbus.dead_letters import call_of, dead_letter
from callbus.dead_letters.ledger import (
    SETTLED,
    Ledger,
    Letter,
    Settlement,
    entry,
    in_order,
    parcels,
    settlement_in,
    settlement_record,
)
from callbus.dead_letters.selection import Selection, moment_ms, one, shown_length
from callbus.errors import InputError, Reject
from callbus.worker import retry_log
from callbus.worker.records import Input
from schemas.records import DeadLetter

NOW_MS = 1_769_850_000_000


def given_up(call: str = "call", offset: int = 0, **changes: Any) -> DeadLetter:
    facts: dict[str, Any] = {
        "group": "ner",
        "topic": "translations",
        "lane": 0,
        "timestamp_ms": 5,
        "key": call.encode(),
        "value": b"bytes",
        "headers": [("twice", b"1"), ("twice", None)],
        "problem": Reject("no"),
    }
    return dead_letter(offset=offset, **facts | changes)


def lying(*letters: DeadLetter) -> list[Letter]:
    """The letters as they lie on their lanes, one after the other."""
    ledger = Ledger("ner", "ner-dead-letters")
    for at, letter in enumerate(letters):
        ledger.given_up(letter.lane, at, letter)
    return list(ledger.letters)


def settled(letter: Letter, at_ms: int = 9) -> Settlement:
    found = settlement_in(settlement_record("ner-dead-letters", letter, "replayed", at_ms, "mary").headers)
    assert found
    return found


def test_the_last_word_about_a_letter_counts() -> None:
    """Open, settled, and open again when the same input is given up again at a later offset."""
    ledger, letter = Ledger("ner", "ner-dead-letters"), given_up()
    states = []

    def note() -> Letter:
        [now] = ledger.letters
        states.append(now.state)
        return now

    ledger.given_up(0, 0, letter)
    ledger.settled(settled(note()))
    note()
    ledger.given_up(0, 3, letter)
    again = note()
    assert states == ["open", "replayed", "open"]
    assert (again.id, again.offset, again.given_up, len(again.settlements)) == (letter.event_id, 3, 2, 1)


def test_a_letter_written_twice_is_one_letter() -> None:
    """An at-least-once group may write it twice; one settlement is enough for both."""
    ledger, letter = Ledger("ner", "ner-dead-letters"), given_up()
    ledger.given_up(0, 0, letter)
    [first] = ledger.letters
    ledger.given_up(0, 1, letter)
    ledger.settled(settled(first))
    assert [each.state for each in ledger.letters] == ["replayed"]


def test_what_was_looked_at_may_have_been_settled_since() -> None:
    """Or given up again: then nobody has agreed to what lies there now."""
    ledger = Ledger("ner", "ner-dead-letters")
    for at in range(3):
        ledger.given_up(0, at, given_up(offset=at))
    looked_at = ledger.letters
    ledger.settled(settled(looked_at[0]))
    ledger.settled(settled(looked_at[1]))
    ledger.given_up(0, 9, given_up(offset=1))
    assert ledger.still_open(looked_at) == [looked_at[2]]


def test_a_ledger_keeps_no_bytes() -> None:
    """Ninety days of documents would not fit in memory: their size is enough to list them."""
    [letter, empty] = lying(given_up(), given_up(offset=1, value=None))
    assert (letter.said.value, letter.said.headers, letter.size_bytes) == (None, (), 5)
    assert empty.size_bytes is None


@pytest.mark.parametrize(
    "value",
    [
        *(None, b"", b"{", b"[]", b'{"letter": "x"}'),
        b'{"letter": "x", "offset": "1", "how": "replayed", "at_ms": 0, "by": "mary"}',
        b'{"letter": "x", "offset": 1, "how": "eaten", "at_ms": 0, "by": "mary"}',
        b'{"letter": [], "offset": 1, "how": "dropped", "at_ms": 0, "by": "mary"}',
    ],
)
def test_what_is_no_settlement(value: bytes | None) -> None:
    """It says nothing, and breaks nothing."""
    assert settlement_in([(SETTLED, value), ("other", b"{}")]) is None


def test_a_settlement_lies_with_its_letter() -> None:
    """On its lane, under its key, with no value."""
    [letter] = lying(given_up(lane=4))
    record = settlement_record("ner-dead-letters", letter, "dropped", NOW_MS, "mary")
    assert (record.topic, record.partition, record.key, record.value) == ("ner-dead-letters", 4, b"call", None)
    assert settlement_in(record.headers) == Settlement(
        letter=letter.id, offset=0, how="dropped", at_ms=NOW_MS, by="mary"
    )


def test_an_entry_is_the_input_as_it_was() -> None:
    """Place, key, value, headers and time; what the retry log reads back is the same."""
    whole = given_up(lane=4, offset=17)
    [letter] = lying(whole)
    made = entry(letter, whole)
    headers = [("twice", b"1"), ("twice", None)]
    assert made == retry_log.Entry(
        "replay:4:0", Input("translations", 4, 17, b"call", b"bytes", headers, 5), replayed=True
    )
    record = retry_log.entry_record("ner-retry", made)
    fetched = Input("ner-retry", record.partition, 2, record.key, record.value, record.headers, 99)
    assert (record.partition, retry_log.read(fetched)) == (4, made)


def test_letters_of_a_call_go_back_in_their_order() -> None:
    """One that was given up again lies last, but what stood before others of its topic goes before them."""
    wanted = [("b", 2), ("a", 1), ("b", 4), ("a", 3)]
    lie = [("b", 4), ("a", 1), ("b", 2), ("a", 3)]
    assert [(call_of(one.said.key), one.said.offset) for one in in_order(lying(*(given_up(c, o) for c, o in lie)))] == (
        wanted
    )


def test_topics_of_a_call_keep_how_they_alternate() -> None:
    """Offsets of two topics say nothing of each other; the order of the letters does."""
    lie = [("x", 9), ("y", 2), ("x", 8), ("y", 1)]
    letters = lying(*(given_up(offset=offset, topic=topic) for topic, offset in lie))
    assert [(one.said.topic, one.said.offset) for one in in_order(letters)] == [("x", 8), ("y", 1), ("x", 9), ("y", 2)]


def test_lanes_one_after_the_other() -> None:
    """So that a transaction touches few of them."""
    letters = lying(*(given_up(f"call-{n}", n, lane=n % 2) for n in range(6)))
    assert [letter.lane for letter in in_order(letters)] == [0, 0, 0, 1, 1, 1]


def test_parcels_are_bounded_in_letters_and_bytes() -> None:
    """A letter larger than the bound goes alone."""
    letters = [replace(letter, size_bytes=size) for letter, size in zip(lying(*map_offsets(5)), SIZES, strict=True)]
    assert [[letter.size_bytes for letter in parcel] for parcel in parcels(letters, 2, 10)] == [[4, 6], [99], [5], [6]]
    assert [len(parcel) for parcel in parcels(letters, 2, 1_000)] == [2, 2, 1]
    assert list(parcels([], 2, 10)) == []


SIZES = (4, 6, 99, 5, 6)


def map_offsets(count: int) -> list[DeadLetter]:
    return [given_up(offset=offset) for offset in range(count)]


def test_every_condition_must_hold() -> None:
    """Of one letter, each alone and all together; and a wrong one among them."""
    [letter] = lying(replace(given_up(), at_ms=NOW_MS))
    right: dict[str, Any] = {
        "ids": ("00000000", letter.id[:8]),
        "error": "Reject",
        "call_id": "call",
        "topic": "translations",
        "since_ms": NOW_MS,
        "until_ms": NOW_MS + 1,
    }
    wrong: dict[str, Any] = {
        "ids": ("00000000",),
        "error": "Retry",
        "call_id": "other",
        "topic": "transcripts",
        "since_ms": NOW_MS + 1,
        "until_ms": NOW_MS,
    }
    assert Selection().admits(letter)
    assert Selection(**right).admits(letter)
    for name, value in right.items():
        assert Selection(**{name: value}).admits(letter)
        assert not Selection(**right | {name: wrong[name]}).admits(letter)


def test_an_id_by_its_beginning() -> None:
    """Long enough, and of one letter only."""
    ledger = Ledger("ner", "ner-dead-letters")
    for at, event_id in enumerate(("aaaaaaaa-1", "aaaaaaaa-2", "bbbbbbbb-1")):
        ledger.given_up(0, at, replace(given_up(), event_id=event_id))
    assert one([ledger], "bbbbbbbb")[1].offset == 2
    for beginning, said in (
        ("bbbb", "give at least 8 characters"),
        ("cccccccc", "no letter cccccccc there"),
        ("aaaaaaaa", "the beginning of 2 letters' ids; give more of it:\naaaaaaaa-1\naaaaaaaa-2"),
    ):
        with pytest.raises(InputError, match=said):
            one([ledger], beginning)
    assert shown_length(ledger.letters) == 10
    assert shown_length(ledger.letters[1:]) == 8


def test_moments() -> None:
    """So long ago, or ISO 8601; without an offset it is local."""
    assert moment_ms("2h", NOW_MS) == NOW_MS - 7_200_000
    assert moment_ms("2026-01-31T09:00:00+00:00", NOW_MS) == NOW_MS
    assert moment_ms("2026-01-31T09:00Z", 0) == NOW_MS
    assert moment_ms("2026-01-31", 0) == datetime(2026, 1, 31).timestamp() * 1000
    with pytest.raises(ValueError, match="'yesterday': give a duration like"):
        moment_ms("yesterday", NOW_MS)
