"""schemas.wire against fastavro: the same bytes for any record, and from any bytes the same record or none."""

import io
import struct
from dataclasses import replace
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import convert, store, wire
from tests.builders import utterance

KINDS = convert.record_types()
NAMES = sorted(KINDS)
Drawn = st.SearchStrategy[Any]

large = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # an insight has hundreds of fields


def values(schema: Any, named: dict[str, Any]) -> Drawn:
    """Whatever a schema allows, as fastavro takes it."""
    if isinstance(schema, list):
        return st.one_of(*(values(each, named) for each in schema))
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in named:
        return values(named[kind], named)
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = schema
    match kind:
        case "record":
            return st.fixed_dictionaries({f["name"]: values(f["type"], named) for f in schema["fields"]})
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "array":
            return st.lists(values(schema["items"], named), max_size=2)
        case "map":
            return st.dictionaries(st.text(max_size=3), values(schema["values"], named), max_size=2)
    most = {"int": 2**31, "long": 2**63}.get(kind, 0)
    edges = [edge for bits in range(0, most.bit_length(), 7) for edge in (2**bits - 1, -(2**bits))]
    plain: dict[str, Drawn] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "double": st.floats(allow_nan=False),
        "string": st.text(max_size=5) | st.text("ãé", min_size=130, max_size=130),
        "bytes": st.binary(max_size=5),
    }
    return plain[kind] if kind in plain else st.integers(-most, most - 1) | st.sampled_from(edges)


def written(name: str, plain: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, store.parsed(name), plain)
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
@large
@given(data=st.data())
def test_every_record_has_fastavros_bytes(name: str, data: st.DataObject) -> None:
    """Numbers of every length, empty and long texts, nulls, nested records: the same bytes, and back."""
    plain = data.draw(values(store.parsed(name), {}))
    record = convert.from_plain(KINDS[name], plain)
    value = written(name, plain)
    assert wire.writer(name, KINDS[name])(record) == value
    assert wire.reader(name, KINDS[name])(b"frame" + value, 5) == record


@pytest.mark.parametrize("name", ["Utterance", "CallEvent", "CallInsight", "DeadLetter"])
@large
@given(data=st.data())
def test_what_is_damaged_is_refused_or_what_fastavro_reads(name: str, data: st.DataObject) -> None:
    """A byte changed: never another record than fastavro's, and never another kind of error."""
    value = bytearray(written(name, data.draw(values(store.parsed(name), {}))))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        record = wire.reader(name, KINDS[name])(bytes(value), 0)
    except (ValueError, IndexError, struct.error):
        return
    theirs = convert.from_plain(KINDS[name], fastavro.schemaless_reader(io.BytesIO(value), store.parsed(name), None))
    assert repr(record) == repr(theirs)  # a damaged number may be no number, which equals nothing


def test_what_is_cut_off_or_goes_on_is_refused() -> None:
    """At any place; and not one byte more."""
    value = wire.writer("Utterance", KINDS["Utterance"])(utterance(text="Olá"))
    read = wire.reader("Utterance", KINDS["Utterance"])
    for length in [*range(len(value)), len(value) + 1]:
        with pytest.raises((ValueError, IndexError, struct.error)):
            read((value + b"\0")[:length], 0)


def test_an_array_may_come_in_blocks_with_their_sizes() -> None:
    """As Java writes long ones: a negative count, then how many bytes they are."""
    value = written("RedactionState", {"call_id": "c", "placeholders": [], "expecting": ["a", "b"], "revision": 1})
    assert value == b"\2c\0\4\2a\2b\0\2"
    in_blocks = b"\2c\0\1\4\2a\2\2b\0\2"
    read = wire.reader("RedactionState", KINDS["RedactionState"])
    assert read(in_blocks, 0) == read(value, 0)
    assert read(value, 0).expecting == ("a", "b")


@pytest.mark.parametrize(
    "wrong",
    [{"at_ms": 2**63}, {"at_ms": 1.5}, {"at_ms": "1"}, {"text": None}, {"text": b"raw"}, {"text": "\ud800"},
     {"revision": 2**31}, {"confidence": "high"}, {"kind": "song"}, {"words": ("word",)}, {"doubts": (1,)}],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(wrong: dict[str, Any]) -> None:
    """Before a byte of it is published. Numbers that have no place in their field, too."""
    with pytest.raises((TypeError, AttributeError, KeyError, ValueError, struct.error)):
        wire.writer("Utterance", KINDS["Utterance"])(replace(utterance(), **wrong))
