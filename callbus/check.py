"""`callbus check`: all that can be wrong before anything runs. Finds everything it can, changes nothing."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from callbus import offsets_kept
from callbus.errors import BrokerError, ModelError, SchemaError, TopologyError
from callbus.kafka import Connection
from callbus.models import resolve
from callbus.reach import reach
from callbus.release import release, warning
from callbus.topics import connected, plan, read
from callbus.topology import Group, Topology, load, module_of
from callbus.topology.choosing import never_live
from schemas import gate, store


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: an `error` stops the graph from working, a `warning` does not."""

    severity: Literal["error", "warning"]
    message: str  # begins with `file:line:` where there is one

    def to_json(self) -> dict[str, str]:
        """The finding as plain data for `--json`."""
        return asdict(self)


def check(path: Path, brokers: str | None = None) -> list[Finding]:
    """Check the topology, its schemas, consumers and models; with `brokers`, that Kafka too. Not for a running loop."""
    found = list(_schemas())
    try:
        topology = load(path)
    except (TopologyError, SchemaError) as error:
        return [*(_error(line) for line in str(error).splitlines()), *found]
    for group in topology.groups.values():
        found += _consumer(topology, group)
    found += _models(topology)
    found += (Finding("warning", f"{topology.place(*where)} {said}") for where, said in never_live(topology.modes))
    if brokers is not None:
        found += asyncio.run(check_broker(topology, Connection.from_environment(brokers)))
    return found


async def check_broker(topology: Topology, connection: Connection) -> list[Finding]:
    """What a broker that answers, or does not, has to say: its release, and its topics against the topology."""
    try:
        await reach(connection)
        async with connected(connection) as admin:
            name = await release(admin)
            difference = plan(topology, await read(admin))
            kept = await offsets_kept.warning(admin, topology)
    except BrokerError as error:
        return [_error(str(error))]
    found = []
    if name is not None and (said := warning(name)) is not None:
        found.append(Finding("warning", said))
    if kept is not None:
        found.append(Finding("warning", kept))
    if not difference.empty:
        found.append(Finding("warning", "the broker's topics differ from topology.yaml; see `callbus topics plan`"))
    return found


def _schemas() -> Iterator[Finding]:
    for name in store.names():
        place = f"schemas/avro/{name}.avsc:1:"
        try:
            store.parsed(name)
            problems = gate.problems(name)
        except Exception as error:  # both Avro libraries raise almost anything on a broken schema
            yield _error(f"{place} can't be read as Avro: {type(error).__name__}: {error}; mend the file")
            continue
        for problem in problems:
            mend = "give new fields a default, add instead of renaming, never remove what has none"
            yield _error(f"{place} {problem}; {mend}")


def _consumer(topology: Topology, group: Group) -> Iterator[Finding]:
    where = ("groups", group.name)
    try:
        options = getattr(module_of(topology, group.name), "Options", None)
    except TopologyError as error:
        yield _error(str(error))
        return
    except Exception as error:  # a module that can't be imported raises what it likes
        said = f"consumers.{group.name} can't be imported: {type(error).__name__}: {error}; mend or install that"
        yield _error(f"{topology.place(*where)} {said}")
        return
    if options is None:
        if group.options:
            said = f"group {group.name} takes no options; remove `options:`, or give its module a model `Options`"
            yield _error(f"{topology.place(*where, 'options')} {said}")
        return
    yield from _options(topology, group, options)


def _options(topology: Topology, group: Group, options: type[BaseModel]) -> Iterator[Finding]:
    try:
        options.model_validate(dict(group.options))
    except ValidationError as error:
        for detail in error.errors():
            key = ".".join(str(part) for part in detail["loc"])
            place = topology.place("groups", group.name, "options", *detail["loc"])
            known = ", ".join(sorted(options.model_fields))
            said = f"group {group.name}: option `{key}`: {detail['msg']}; its options are {known}"
            yield _error(f"{place} {said}")


def _models(topology: Topology) -> Iterator[Finding]:
    used = {model for group in topology.groups.values() for model in group.models}
    for name, spec in topology.models.items():
        place = topology.place("models", name)
        try:
            resolve(spec, topology.root)
        except ModelError as error:
            # A model that no group names may well be missing here.
            yield Finding("error" if name in used else "warning", f"{place} {error}")


def _error(message: str) -> Finding:
    return Finding("error", message)
