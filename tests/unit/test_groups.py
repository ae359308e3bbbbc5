"""What offsets and the records between them come to: lag, waiting inputs, dead letters, rates, membership."""

from dataclasses import replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from callbus.dead_letters.ledger import Letter, settlement_record
from callbus.dead_letters.letters import dead_letter
from callbus.groups.membership import Member, Membership, membership
from callbus.groups.reckoning import (
    GroupReading,
    Letters,
    Stretch,
    input_lag,
    letters,
    letters_start,
    next_offset,
    rates,
    retry_lag,
)
from callbus.worker.records import Input, OutRecord
from callbus.worker.retry_log import Entry, attempt_record, entry_record, settled_record

NOW_MS = 1_000_000
TP = TopicPartition("transcripts", 3)
RETRIES = TopicPartition("translation-retry", 3)
LETTERS = TopicPartition("translation-dead-letters", 3)


def record(offset: int, timestamp_ms: int = NOW_MS, out: OutRecord | None = None) -> Any:
    """A record as it is fetched; what it holds is `out`'s."""
    key, value = (out.key, out.value) if out else (b"call", b"said")
    headers = tuple(out.headers) if out else ()
    return ConsumerRecord("topic", 3, offset, timestamp_ms, 0, key, value, None, 0, 0, headers)


def entry(offset: int) -> Entry:
    return Entry(f"transcripts:{offset}", Input("transcripts", 3, offset, b"call", b"said", (), NOW_MS))


def settlement(letter_at: int) -> OutRecord:
    """The record that settles the dead letter at this offset."""
    said = dead_letter(
        group="translation",
        topic="transcripts",
        lane=3,
        offset=7,
        timestamp_ms=NOW_MS,
        key=b"call",
        value=b"said",
        headers=(),
        problem=ValueError(),
    )
    letter = Letter(lane=3, offset=letter_at, said=said, size_bytes=4)
    return settlement_record("translation-dead-letters", letter, "dropped", NOW_MS, "somebody")


def test_markers_alone_are_no_lag() -> None:
    """Offsets are left, but no record: nothing is unread."""
    lag = input_lag(TP, 10, Stretch(10, 12, 12), NOW_MS)
    assert (lag.committed, lag.end, lag.events, lag.seconds) == (10, 12, 0, 0.0)


def test_lag_is_counted_while_it_is_small() -> None:
    """Two events in four offsets are two; the seconds are the first one's age."""
    unread = Stretch(10, 14, 14, [record(10, NOW_MS - 2_500), record(12, NOW_MS - 500)])
    lag = input_lag(TP, 10, unread, NOW_MS)
    assert (lag.events, lag.seconds) == (2, 2.5)


def test_a_large_lag_is_as_dense_as_its_beginning() -> None:
    """Of 1000 offsets 100 were read, 50 of them events: 500 in all."""
    unread = Stretch(0, 1_000, 100, [record(offset) for offset in range(0, 100, 2)])
    assert input_lag(TP, None, unread, NOW_MS).events == 500


def test_a_stretch_of_which_nothing_was_read_is_taken_for_full() -> None:
    """One batch larger than what a glance fetches: its offsets are nearly all events."""
    assert Stretch(100, 400, 100).events == 300


def test_a_clock_that_is_behind_hides_no_lag() -> None:
    """An event from the future is unread all the same."""
    assert input_lag(TP, 0, Stretch(0, 1, 1, [record(0, NOW_MS + 60_000)]), NOW_MS).seconds == 0.001


@pytest.mark.parametrize(("committed", "expected"), [(None, 40), (30, 40), (50, 50)])
def test_a_group_reads_on_where_the_lane_still_is(committed: int | None, expected: int) -> None:
    """Never begun, or overtaken by retention: at the lane's start."""
    assert next_offset(committed, 40) == expected


def test_what_waits_is_what_is_not_settled() -> None:
    """Attempts and settlements are the group's own words, and an attempt settles nothing."""
    log = [
        record(5, NOW_MS - 9_000, entry_record("log", entry(1))),
        record(6, NOW_MS - 8_000, entry_record("log", entry(2))),
        record(7, NOW_MS - 7_000, attempt_record("log", entry(2))),
        record(8, NOW_MS - 6_000, settled_record("log", entry(1))),
        record(9, NOW_MS - 5_000, entry_record("log", entry(3))),
        record(10),  # a stranger's
    ]
    lag = retry_lag(RETRIES, 5, Stretch(5, 12, 12, log), NOW_MS)
    assert (lag.events, lag.seconds) == (2, 8.0)


def test_nothing_waits_when_all_is_settled() -> None:
    """Though the group has not committed past it yet."""
    log = [record(5, 0, entry_record("log", entry(1))), record(6, 0, settled_record("log", entry(1)))]
    assert retry_lag(RETRIES, 5, Stretch(5, 7, 7, log), NOW_MS).seconds == 0.0


def test_dead_letters_are_counted_on_from_the_last_reading() -> None:
    """Only what is new is read; what somebody settled is not open any more."""
    first = letters(None, 0, Stretch(0, 4, 4, [record(0), record(2)]))
    assert first == Letters(0, 4, written=2, open=2)
    assert letters_start(first, 0, 8) == 4
    second = letters(first, 0, Stretch(4, 8, 8, [record(4), record(6, out=settlement(2))]))
    assert second == Letters(0, 8, written=3, open=2)
    assert letters(second, 0, Stretch(8, 8, 8)) == second


def test_dead_letters_are_counted_anew_when_some_have_gone() -> None:
    """Retention took the first two, and with them what was settled of them; or the topic was made anew."""
    before = Letters(0, 8, written=3, open=2)
    assert letters_start(before, 4, 8) == 4
    again = letters(before, 4, Stretch(4, 8, 8, [record(4), record(6, out=settlement(2))]))
    assert again == Letters(4, 8, written=1, open=1)
    assert letters_start(before, 0, 5) == 0


def reading(**changes: Any) -> GroupReading:
    """Group `translation` with nothing to do."""
    one = GroupReading("translation", 100.0, 8, Membership("stable"), lags=(), waiting=0, letters={})
    return replace(one, **changes)


def test_rates_are_between_two_readings() -> None:
    """Events and dead letters per second."""
    before, now = reading(done=10, given_up=1), reading(at_s=104.0, done=30, given_up=2)
    assert (rates(before, now).done, rates(before, now).dead) == (5.0, 0.25)


def test_a_group_is_as_late_as_its_last_lane() -> None:
    """Events add up, seconds don't."""
    lags = [input_lag(TP, 0, Stretch(0, 1, 1, [record(0, NOW_MS - age_ms)]), NOW_MS) for age_ms in (1_000, 3_000)]
    late = reading(lags=tuple(lags), letters={LETTERS: Letters(0, 9, written=5, open=4)})
    assert (late.events, late.seconds, late.dead) == (2, 3.0, 4)
    assert (reading().events, reading().seconds, reading().dead) == (0, 0.0, 0)


def assigned(**topics: list[int]) -> bytes:
    """A member's assignment on the wire."""
    by_topic = [(name.replace("_", "-"), lanes) for name, lanes in topics.items()]
    encoded: bytes = ConsumerProtocolMemberAssignment(0, by_topic, b"").encode()
    return encoded


def described(state: str, *members: tuple[Any, ...]) -> tuple[Any, ...]:
    """A group's entry in a DescribeGroups response."""
    return (0, "qa", state, "consumer", "callbus-lanes", list(members), 0)


def test_members_own_the_lanes_of_the_inputs() -> None:
    """By name; a lane counts once however many topics it brings, and a changelog's lanes are no input's."""
    both = {"call_audio": [4, 5], "call_recordings": [5, 4], "table_changelog": [7]}
    found = membership(
        described(
            "Stable",
            ("gpu-2-uuid", "gpu-2", "aiokafka", "/10.0.0.2", b"", assigned(**both)),
            ("gpu-1-uuid", "gpu-1", "aiokafka", "/10.0.0.1", b"", assigned(call_audio=[0])),
            ("aiokafka-1f9c", None, "aiokafka", "h", b"", b""),
        ),
        ["call-audio", "call-recordings"],
    )
    assert found == Membership(
        "stable",
        (
            Member("aiokafka-1f9c", "h", static=False, lanes=()),
            Member("gpu-1", "10.0.0.1", static=True, lanes=(0,)),
            Member("gpu-2", "10.0.0.2", static=True, lanes=(4, 5)),
        ),
    )
    assert found.unowned(6) == (1, 2, 3)


@pytest.mark.parametrize(
    ("kafkas", "ours", "unowned"),
    [
        ("Stable", "stable", (0, 1)),
        ("PreparingRebalance", "rebalancing", ()),
        ("CompletingRebalance", "rebalancing", ()),
        ("Empty", "empty", (0, 1)),
        ("Dead", "dead", (0, 1)),
        ("Reconciling", "unknown", (0, 1)),
    ],
)
def test_states(kafkas: str, ours: str, unowned: tuple[int, ...]) -> None:
    """In few words; while lanes are being shared out none is called unowned."""
    found = membership(described(kafkas), ["call-audio"])
    assert (found.state, found.members, found.unowned(2)) == (ours, (), unowned)
