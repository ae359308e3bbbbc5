"""callbus.worker.retry_log: what is written there is read back whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.worker.records import Input, OutRecord
from callbus.worker.retry_log import (
    ATTEMPT,
    SETTLED,
    WAITING,
    Attempt,
    Entry,
    Settled,
    attempt_record,
    entry_record,
    id_of,
    read,
    settled_record,
)

LOG = "qa-retry"
OURS = (WAITING, ATTEMPT, SETTLED)
BYTES = st.none() | st.binary(max_size=40)
HEADERS = st.lists(st.tuples(st.text(max_size=20).filter(lambda name: name not in OURS), BYTES), max_size=4)
OFFSETS = st.integers(0, 1 << 62)
INPUTS = st.builds(Input, st.text(min_size=1), st.integers(0, 1_000), OFFSETS, BYTES, BYTES, HEADERS, OFFSETS)
ENTRIES = st.builds(Entry, st.text(), INPUTS, st.integers(0, 100), OFFSETS, st.booleans())


def fetched(record: OutRecord, offset: int = 7) -> Input:
    """The record as the group's own consumer gets it."""
    return Input(record.topic, record.partition, offset, record.key, record.value, record.headers, 123)


@given(entry=ENTRIES)
def test_an_entry_comes_back_with_every_byte(entry: Entry) -> None:
    """Also without a key or a value, with any headers; and on the lane where it came from."""
    record = entry_record(LOG, entry)
    assert (record.topic, record.partition, record.key) == (LOG, entry.input.lane, entry.input.key)
    assert read(fetched(record)) == entry


@given(entry=ENTRIES)
def test_an_attempt_and_the_end_of_waiting_come_back(entry: Entry) -> None:
    """They say only which entry they are about, under the key of its call, and carry no value."""
    attempt, settled = attempt_record(LOG, entry), settled_record(LOG, entry)
    assert read(fetched(attempt)) == Attempt(entry.id, entry.attempts, entry.due_ms)
    assert read(fetched(settled)) == Settled(entry.id)
    for record in (attempt, settled):
        assert (record.topic, record.partition, record.key, record.value) == (
            LOG,
            entry.input.lane,
            entry.input.key,
            None,
        )


@given(source=INPUTS, name=st.sampled_from([ATTEMPT, SETTLED]), said=BYTES)
def test_headers_that_look_like_ours_on_an_input_do_not_deceive(source: Input, name: str, said: bytes | None) -> None:
    """Whoever may publish an input can't settle others with it: our own header is the last one, and counts."""
    entry = Entry(id_of(source), replace(source, headers=[*source.headers, (name, said)]))
    assert read(fetched(entry_record(LOG, entry))) == entry


@given(headers=HEADERS, name=st.sampled_from(OURS), said=st.binary())
def test_what_is_not_ours_is_read_as_nothing(headers: list[tuple[str, bytes | None]], name: str, said: bytes) -> None:
    """A stranger's record on the retry log: no header of ours, or nonsense in it."""
    assert read(Input(LOG, 0, 0, b"call", b"value", headers, 0)) is None
    assert read(Input(LOG, 0, 0, b"call", b"value", [(name, b"!" + said)], 0)) is None


@pytest.mark.parametrize("said", [b"[]", b"1", b'"x"', b"{}", b"null"])
@pytest.mark.parametrize("name", OURS)
def test_json_of_another_shape_is_read_as_nothing(name: str, said: bytes) -> None:
    """It must not stop a worker, nor count as an entry."""
    assert read(Input(LOG, 0, 0, b"call", b"value", [(name, said)], 0)) is None


@given(source=INPUTS, lane=st.integers(0, 10))
def test_ids_tell_a_lane_s_inputs_apart(source: Input, lane: int) -> None:
    """By topic and offset; an id is the same whenever the input is read."""
    assert id_of(source) == id_of(replace(source, lane=lane, headers=(), timestamp_ms=0))
    assert id_of(source) != id_of(replace(source, offset=source.offset + 1))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (SETTLED, b'{"id": []}'),
        (ATTEMPT, b'{"id": "a", "attempts": 1, "due_ms": "soon"}'),
        (
            WAITING,
            b'{"id": "a", "topic": "t", "offset": null, "timestamp_ms": 0, "attempts": 0, "due_ms": 0, "replayed": 0}',
        ),
        (WAITING, b'{"id": "a"}'),
        (WAITING, b"{"),
    ],
)
def test_what_a_stranger_wrote_is_passed_over(header: str, said: bytes) -> None:
    """One such record must not keep every worker from opening the lane."""
    assert read(Input("log", 0, 7, b"call", b"", [(header, said)], 0)) is None


def test_a_header_of_that_name_is_the_inputs_own() -> None:
    """Only the last one, ours, is taken away again."""
    source = Input("live", 0, 7, b"call", b"value", [(WAITING, b"mine"), ("other", None)], 3)
    record = entry_record("log", Entry(id_of(source), source))
    again = read(Input("log", 0, 9, record.key, record.value, record.headers, 5))
    assert isinstance(again, Entry)
    assert again.input == source
