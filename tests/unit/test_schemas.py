"""schemas/: documented, mirrored by the typed records, exemplified, and compatible with every release."""

import dataclasses
import json
import typing
from pathlib import Path

import pytest

from schemas import convert, gate, records, store

EXAMPLES = Path(store.__file__).parent / "examples"
RECORDS = [name for name in store.names() if store.parsed(name)["type"] == "record"]
ENUMS = [name for name in store.names() if store.parsed(name)["type"] == "enum"]


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_is_documented(name: str) -> None:
    """A subscriber in any language learns meaning and unit from the schema alone."""
    schema = store.parsed(name)
    assert schema["doc"]
    assert [field["name"] for field in schema["fields"] if len(field.get("doc", "")) < 5] == []


@pytest.mark.parametrize("name", RECORDS)
def test_the_typed_record_mirrors_its_schema(name: str) -> None:
    """Same fields, same order, same types."""
    kind = convert.record_types()[name]
    hints = typing.get_type_hints(kind)
    assert [(f["name"], _python(f["type"])) for f in store.parsed(name)["fields"]] == [
        (f.name, _words(hints[f.name])) for f in dataclasses.fields(kind)
    ]


@pytest.mark.parametrize("name", ENUMS)
def test_an_enumeration_has_a_default_and_its_python_twin(name: str) -> None:
    """Without a default, a new symbol would break every old reader."""
    schema = store.parsed(name)
    assert schema["default"] == "unknown"
    assert tuple(schema["symbols"]) == typing.get_args(getattr(records, name))


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_has_an_example_that_reads(name: str) -> None:
    """The example is whole, and goes through the codec unchanged."""
    plain = json.loads((EXAMPLES / f"{name}.json").read_text(), object_hook=_bytes)
    kind = convert.record_types()[name]
    assert convert.to_plain(convert.from_plain(kind, plain)) == plain


@pytest.mark.parametrize("name", store.names())
def test_every_schema_is_compatible_with_its_releases(name: str) -> None:
    """FULL_TRANSITIVE, by Avro's own checker; and there is at least one release to compare with."""
    assert dict(store.released(name))
    assert gate.problems(name) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"name": "text"', '"name": "words_said"'),  # a rename
        ('{"name": "confidence", "type": "double"', '{"name": "confidence", "type": "string"'),  # another type
        ('"namespace": "callbus"', '"namespace": "elsewhere"'),  # another full name
        ('"fields": [', '"fields": [{"name": "new", "type": "string", "doc": "no default"},'),  # no default
    ],
)
def test_the_gate_refuses_what_breaks_a_reader(old: str, new: str) -> None:
    """Each way of breaking an old event or an old reader is seen."""
    text = json.dumps(json.loads(store.text("Word")))
    text = text.replace('"callbus.Word"', '"Word", "namespace": "callbus"')
    text = text.replace('"name": "confidence", "type"', '"name": "confidence", "type"')
    reordered = json.loads(text)
    reordered["fields"] = [{"name": f["name"], "type": f["type"], "doc": f["doc"]} for f in reordered["fields"]]
    text = json.dumps(reordered)
    assert gate.problems("Word", text) == []
    broken = text.replace(old, new)
    assert broken != text
    assert gate.problems("Word", broken) != []


def _python(avro: object) -> str:
    match avro:
        case "string":
            return "str"
        case "long" | "int":
            return "int"
        case "double":
            return "float"
        case "boolean":
            return "bool"
        case "bytes":
            return "bytes"
        case ["null", inner]:
            return f"{_python(inner)} | None"
        case {"type": "array", "items": inner}:
            return f"tuple[{_python(inner)}, ...]"
        case {"type": "map"}:
            return "Mapping[str, str]"
        case {"name": str(name)} | str(name):
            return name.removeprefix("callbus.")
    raise AssertionError(avro)


def _words(hint: object) -> str:
    """A type hint in the words of `_python`."""
    for name in ENUMS:
        if hint == getattr(records, name):
            return name
    if typing.get_origin(hint) is tuple:
        return f"tuple[{_words(typing.get_args(hint)[0])}, ...]"
    if type(None) in typing.get_args(hint):
        return f"{_words(next(a for a in typing.get_args(hint) if a is not type(None)))} | None"
    if typing.get_args(hint):
        return "Mapping[str, str]"
    return getattr(hint, "__name__", str(hint))


def _bytes(plain: dict[str, object]) -> object:
    """In examples bytes are written {"hex": "…"}."""
    return bytes.fromhex(str(plain["hex"])) if set(plain) == {"hex"} else plain
