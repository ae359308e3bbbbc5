"""What must hold between the parts of the graph. Each rule yields its faults with their line and mend."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from callbus.errors import SchemaError
from callbus.topology.choosing import unrecorded
from callbus.topology.graph import Topology, derived_topics
from callbus.topology.source import Problem, Where, line_of, nearest


def problems_of(topology: Topology, avro: Path) -> Iterator[Problem]:
    """Every fault of a graph whose entries are each well formed; `avro` is the folder of the `.avsc` files.

    Raises `SchemaError` for a schema that is not JSON.
    """
    yield from _keeping(topology)
    yield from _subscribers(topology)
    yield from _sources(topology)
    unknown = [*_unknown_topics(topology), *_unknown_models(topology), *_schemas(topology, avro)]
    yield from unknown
    yield from _runtimes(topology)
    yield from _collisions(topology)
    yield from _writers(topology)
    if not unknown:  # a misspelt name would make an orphan of the one that was meant
        yield from _orphans(topology)
        yield from unrecorded(topology.modes, _is_recorded(topology), topology.lines)
    yield from _cycles(topology)


def _subscribers(topology: Topology) -> Iterator[Problem]:
    for name, topic in topology.topics.items():
        if topic.public and topic.restricted:
            mend = "a restricted topic is for few subscribers, a public one for all: keep one"
            yield _at(
                topology, "topics", name, "public", said=f"topic {name} is both `public` and `restricted`; {mend}"
            )
        if topic.restricted and topic.retention_ms is None:
            mend = "what is personal in clear must end: write `retention: 30d` instead of `compacted: true`"
            yield _at(topology, "topics", name, said=f"topic {name} is `restricted` and kept for ever; {mend}")


def _keeping(topology: Topology) -> Iterator[Problem]:
    for name, topic in topology.topics.items():
        if topic.compacted and topic.retention_ms is not None:
            mend = "a compacted topic keeps each call's newest event: remove `retention` or `compacted`"
            yield _at(topology, "topics", name, said=f"topic {name} has both `compacted` and `retention`; {mend}")
        if not topic.compacted and topic.retention_ms is None:
            mend = "add `retention: 30d`, or `compacted: true` to keep each call's newest event"
            yield _at(topology, "topics", name, said=f"topic {name} doesn't say how long it keeps events; {mend}")


def _sources(topology: Topology) -> Iterator[Problem]:
    for name, model in topology.models.items():
        where = ("models", name)
        if len(model.sources) > 1:
            said = f"model {name} has {len(model.sources)} sources: {', '.join(model.sources)}; keep one"
            yield _at(topology, *where, said=said)
        elif not model.sources:
            said = f"model {name} has no source; add `package:`, `directory:` or `hub:`"
            yield _at(topology, *where, said=said)
        elif model.path is not None and model.package is None:
            said = f"model {name}: `path` is inside a package; put it into `{model.sources[0]}` or add `package:`"
            yield _at(topology, *where, "path", said=said)
        elif model.revision is not None and model.hub is None:
            said = f"model {name}: `revision` belongs to `hub:`; remove it"
            yield _at(topology, *where, "revision", said=said)


def _unknown_topics(topology: Topology) -> Iterator[Problem]:
    for where, name in _named_topics(topology):
        if name not in topology.topics:
            said = f"{_owner(where)}: no topic {name} in `topics:`; {nearest(name, topology.topics)}"
            yield _at(topology, *where, said=said)


def _unknown_models(topology: Topology) -> Iterator[Problem]:
    for name, group in topology.groups.items():
        for index, model in enumerate(group.models):
            if model not in topology.models:
                said = f"group {name}: no model {model} in `models:`; {nearest(model, topology.models)}"
                yield _at(topology, "groups", name, "models", index, said=said)


def _schemas(topology: Topology, avro: Path) -> Iterator[Problem]:
    references = _references(avro)
    events = set(references) - {name for inner in references.values() for name in inner}
    used = {"DeadLetter"} if topology.groups else set()
    named: list[tuple[Where, str]] = [(("topics", n, "schema"), t.schema) for n, t in topology.topics.items()]
    named += [(("groups", n, "state"), g.state) for n, g in topology.groups.items() if g.state is not None]
    for where, schema in named:
        used.add(schema)
        if schema not in references:
            mend = f"{nearest(schema, events)} Or add {avro.parent.name}/{avro.name}/{schema}.avsc"
            yield _at(
                topology, *where, said=f"{_owner(where)}: no schema {schema} in {avro.parent.name}/{avro.name}/; {mend}"
            )
    if used <= set(references):
        for schema in sorted(events - used):
            mend = f"add a topic or a `state:` with it, or remove {avro.parent.name}/{avro.name}/{schema}.avsc"
            yield _at(topology, "topics", said=f"no topic has the schema {schema}; {mend}")


def _references(avro: Path) -> Mapping[str, set[str]]:
    """Record name to the names it refers to. Whether they are good Avro is not asked here."""
    texts = {file.stem: _json(file) for file in avro.glob("*.avsc")}
    return {
        name: {inner for inner in _strings(text.get("fields")) if inner in texts and inner != name}
        for name, text in texts.items()
        if text.get("type") == "record"
    }


def _json(file: Path) -> dict[str, Any]:
    try:
        text: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        place = f"{file.parent.parent.name}/{file.parent.name}/{file.name}:{line}:"
        raise SchemaError(f"{place} not JSON: {error}; mend it") from error
    return text


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from _strings([value for key, value in node.items() if key in ("type", "items", "values", "fields")])
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item)
    elif isinstance(node, str):
        yield node.rpartition(".")[2]


def _runtimes(topology: Topology) -> Iterator[Problem]:
    for name, group in topology.groups.items():
        if group.runtime == "faust" and group.delivery == "exactly-once":
            mend = "write `delivery: at-least-once` and let its outputs replace each other per call"
            yield _at(topology, "groups", name, "runtime", said=f"group {name}: Faust can't be exactly-once; {mend}")
        if group.runtime == "faust" and group.state is not None:
            mend = "remove `state:`, or `runtime: faust`"
            said = f"group {name}: Faust keeps its state in its own tables; {mend}"
            yield _at(topology, "groups", name, "state", said=said)
        where: Where = ("groups", name, "dead_letters_limit")
        if group.runtime == "faust" and where in topology.lines:
            said = f"group {name}: nothing holds a Faust group to `dead_letters_limit`; remove it, or `runtime: faust`"
            yield _at(topology, *where, said=said)


def _collisions(topology: Topology) -> Iterator[Problem]:
    for group in topology.groups.values():
        for topic in derived_topics(group, topology.lanes):
            if topic.name in topology.topics and topic.name not in group.outputs:
                said = f"topic {topic.name} follows from the group {group.name}; remove it here"
                yield _at(topology, "topics", topic.name, said=said)


def _writers(topology: Topology) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name, group in topology.groups.items():
        for index, topic in enumerate(group.outputs):
            other = first.setdefault(topic, name)
            where: Where = ("groups", name, "outputs", index)
            if other != name:
                mend = "give one of them a topic of its own"
                yield _at(topology, *where, said=f"groups {other} and {name} both write {topic}; {mend}")
            elif topic in group.outputs[:index]:
                yield _at(topology, *where, said=f"group {name} names the output {topic} twice; keep one")
        for index, topic in enumerate(group.inputs):
            if topic in group.inputs[:index]:
                where = ("groups", name, "inputs", index)
                yield _at(topology, *where, said=f"group {name} names the input {topic} twice; keep one")


def _orphans(topology: Topology) -> Iterator[Problem]:
    sides = [(where[2], name) for where, name in _named_topics(topology)]
    for name, topic in topology.topics.items():
        if ("outputs", name) not in sides:
            mend = "name it in a group's or a producer's `outputs`, or remove it"
            yield _at(topology, "topics", name, said=f"nobody writes the topic {name}; {mend}")
        if ("inputs", name) not in sides and not (topic.public or topic.restricted):
            mend = "name it in a group's `inputs`, mark it `public: true` for subscribers, or remove it"
            yield _at(topology, "topics", name, said=f"nobody reads the topic {name}; {mend}")


def _is_recorded(topology: Topology) -> bool:
    """Whether a door can publish recordings."""
    outputs = {name for producer in topology.producers.values() for name in producer.outputs}
    return any(topology.topics[name].schema == "Recording" for name in outputs)


def _cycles(topology: Topology) -> Iterator[Problem]:
    done: set[str] = set()

    def walk(topic: str, path: tuple[str, ...]) -> Iterator[Problem]:
        for name, group in topology.groups.items():
            if topic not in group.inputs or name in done:
                continue
            if name in path:
                loop = " → ".join((*path[path.index(name) :], topic, name))
                index = group.inputs.index(topic)
                mend = f"take {topic} out of the inputs of {name}"
                yield _at(topology, "groups", name, "inputs", index, said=f"a cycle: {loop}; {mend}")
                continue
            for output in group.outputs:
                yield from walk(output, (*path, topic, name))
            done.add(name)

    for topic in topology.topics:
        yield from walk(topic, ())


def _named_topics(topology: Topology) -> Iterator[tuple[Where, str]]:
    """Every place that names a topic: ("groups", "ner", "inputs", 0) and its name."""
    for name, group in topology.groups.items():
        for index, topic in enumerate(group.inputs):
            yield ("groups", name, "inputs", index), topic
        for index, topic in enumerate(group.outputs):
            yield ("groups", name, "outputs", index), topic
    for name, producer in topology.producers.items():
        for index, topic in enumerate(producer.outputs):
            yield ("producers", name, "outputs", index), topic


def _owner(where: Where) -> str:
    return f"{str(where[0]).removesuffix('s')} {where[1]}"


def _at(topology: Topology, *where: str | int, said: str) -> Problem:
    return Problem(line_of(topology.lines, where), said)
