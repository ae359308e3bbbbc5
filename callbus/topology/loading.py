"""From the file's data to the typed graph: names, keys, types and values, each fault with its line."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

import schemas
from callbus.models import ModelSpec
from callbus.topology import choosing
from callbus.topology.graph import Batch, Giving, Group, Producer, Retrying, Topic, Topology
from callbus.topology.rules import problems_of
from callbus.topology.source import Problem, Source, Where, line_of, nearest, raise_any, read

AVRO = Path(schemas.__file__).parent / "avro"

_SECTIONS = ("lanes", "models", "topics", "modes", "producers", "groups")
_REQUIRED = ("lanes", "topics", "groups")
_FOLLOWS = {"name", "partitions", "derived", "changelog"}  # fields that the file never gives
_ALIASES = {"retention_ms": "retention", "idle_after_ms": "idle_after", "first_ms": "first", "most_ms": "most"}
_NAMES: dict[str, tuple[str, str]] = {
    "topics": (r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "small letters and digits joined by hyphens"),
    "groups": (r"[a-z][a-z0-9]*(_[a-z0-9]+)*", "a Python module's: small letters and digits joined by underscores"),
    "models": (r"[a-z][a-z0-9]*([-.][a-z0-9]+)*", "small letters and digits joined by hyphens or dots"),
    "producers": (r"[a-z][a-z0-9]*(_[a-z0-9]+)*", "a Python module's: small letters and digits joined by underscores"),
}

_INNER: dict[tuple[int | str, ...], type] = {
    ("batch",): Batch,
    ("retry",): Retrying,
    ("dead_letters_limit",): Giving,
}

T = TypeVar("T", Topic, Group, Producer, ModelSpec)


def load(path: Path, *, avro: Path = AVRO) -> Topology:
    """Read and validate the whole graph; `avro` is the folder of the `.avsc` files that it may name.

    Raises `TopologyError` with every fault found, a line each: `topology.yaml:LINE: what is wrong; how to mend it`,
    and `SchemaError` for a schema that is not JSON.
    """
    source = read(path)
    problems = list(_section_problems(source))
    raise_any(path, problems)
    lanes = source.data["lanes"]
    topics = _entries(Topic, "topics", source, problems, partitions=lanes)
    groups = _entries(Group, "groups", source, problems)
    producers = _entries(Producer, "producers", source, problems)
    models = _entries(ModelSpec, "models", source, problems)
    modes = choosing.rules_of(source, problems)
    raise_any(path, problems)
    topology = Topology(
        path=path,
        root=path.resolve().parent,
        lanes=lanes,
        topics=topics,
        groups={
            name: dataclasses.replace(group, changelog=_changelog(group, topics)) for name, group in groups.items()
        },
        producers=producers,
        models=models,
        modes=modes,
        lines=source.lines,
    )
    raise_any(path, list(problems_of(topology, avro)))
    return topology


def _changelog(group: Group, topics: Mapping[str, Topic]) -> str | None:
    """Where the group's state is kept: an output that is compacted and holds just that, else a topic of its own."""
    if group.state is None:
        return None
    for output in group.outputs:
        if output in topics and topics[output].compacted and topics[output].schema == group.state:
            return output
    return f"{group.name}-progress"


def _section_problems(source: Source) -> Iterator[Problem]:
    for section, value in source.data.items():
        line = source.lines[(section,)]
        if section not in _SECTIONS:
            yield Problem(line, f"unknown key `{section}`; {nearest(section, _SECTIONS)}")
        elif section == "lanes":
            if type(value) is not int or value < 1:
                yield Problem(line, f"`lanes` is {value!r}; it should be a whole number from 1, like 8")
        elif section != choosing.SECTION and not isinstance(value, dict):
            yield Problem(line, f"`{section}` should hold one entry per name; write them under it, indented")
    for section in _REQUIRED:
        if section not in source.data:
            yield Problem(1, f"`{section}:` is missing; add it")


def _entries(kind: type[T], section: str, source: Source, problems: list[Problem], **follows: Any) -> dict[str, T]:
    pattern, described = _NAMES[section]
    adapter = TypeAdapter(kind)
    found: dict[str, T] = {}
    for name, entry in source.data.get(section, {}).items():
        where: Where = (section, name)
        line, what = source.lines[where], f"{section.removesuffix('s')} {name}"
        if not re.fullmatch(pattern, name):
            problems.append(Problem(line, f"{what}: the name should be {described}; rename it"))
        elif not isinstance(entry, dict):
            example = "{" + ", ".join(f"{key}: …" for key in _keys(kind)[:2]) + "}"
            problems.append(Problem(line, f"{what} should have keys, like {example}, not {entry!r}"))
        elif own := list(_follow_problems(entry, where, what, kind, source)):
            problems.extend(own)
        else:
            try:
                found[name] = adapter.validate_python({**entry, "name": name, **follows})
            except ValidationError as error:
                problems.extend(_explained(error, where, what, kind, source))
    return found


def _follow_problems(
    entry: Mapping[str, Any], where: Where, what: str, kind: type, source: Source
) -> Iterator[Problem]:
    """Keys that the types have but the file may not: they follow from the graph."""
    for key in entry:
        if kind is Topic and key in ("lanes", "partitions"):
            mend = f"all call topics have {source.data['lanes']} lanes, so that a call stays on one; remove `{key}`"
            yield Problem(line_of(source.lines, (*where, key)), f"{what}: unequal lanes: {mend}")
        elif key in _FOLLOWS:
            mend = nearest(key, _keys(kind))
            yield Problem(line_of(source.lines, (*where, key)), f"{what}: unknown key `{key}`; {mend}")


def _explained(error: ValidationError, where: Where, what: str, kind: type, source: Source) -> Iterator[Problem]:
    details = error.errors()
    misspelt = any(detail["type"] == "unexpected_keyword_argument" for detail in details)
    for detail in details:
        if detail["type"] == "missing" and misspelt:
            continue  # probably the misspelt one
        line = line_of(source.lines, (*where, *detail["loc"]))
        yield Problem(line, f"{what}: {_said(detail, kind)}")


def _said(detail: ErrorDetails, kind: type) -> str:
    *around, last = detail["loc"]
    key = ".".join(str(part) for part in detail["loc"])
    given = detail["input"]
    match detail["type"]:
        case "unexpected_keyword_argument":
            return f"unknown key `{key}`; {nearest(str(last), _keys(_INNER.get(tuple(around), kind)))}"
        case "missing":
            return f"`{key}:` is missing; add it"
        case "too_short":
            return f"`{key}` is empty; name at least one"
        case "literal_error":
            should = nearest(str(given), re.findall(r"'([^']*)'", str(detail["ctx"]["expected"])))
        case "string_pattern_mismatch":
            should = "it should be " + ("auto, cpu, cuda or cuda:1" if key == "device" else "an ISO 639 code like en")
        case _:
            should = "it " + detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"`{key}` is {given!r}; {should}"


def _keys(kind: type) -> list[str]:
    """The keys that an entry may have in the file."""
    names = (field.name for field in dataclasses.fields(kind) if field.name not in _FOLLOWS)
    return [_ALIASES.get(name, name) for name in names]
