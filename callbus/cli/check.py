"""`callbus check`: all that can be wrong before anything runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, wide_console
from callbus.errors import ModelError, TopologyError

EXAMPLES = options.examples(
    "callbus check",
    "callbus check --brokers kafka-1:9092  # that Kafka's release and topics too",
    "callbus check --models  # which models are on this machine, their licences, how much memory they need",
    "callbus check --json | jq '.findings[].message'",
)


def check(
    brokers: Annotated[
        str | None,
        typer.Option(
            envvar="CALLBUS_BROKERS", metavar="HOST:PORT,…", help="Check this Kafka too.", show_default="no broker"
        ),
    ] = None,
    models: Annotated[bool, typer.Option("--models", help="Look at the models instead, each for itself.")] = False,
    topology: options.TopologyFile = None,
    json: options.Json = False,
) -> None:
    """Find what is wrong before anything runs.

    Checks topology.yaml, its schemas, consumers, options and models, and a broker's topics.

    One line a fault: where, what is wrong, how to mend it. The exit code is 2 if one of them is an error.

    With --models: of each model whether it is here and whole, its version, licence, size and about how much memory
    it needs. Nothing is fetched. The exit code is 4 if one that a group needs is missing or not whole.
    """
    quiet()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # importing a consumer must not ask a hub
    if models:
        _look_at_models(topology, json)
        return
    from callbus.check import check as find

    path = options.topology_path(topology)
    found = find(path, brokers)
    errors = [finding for finding in found if finding.severity == "error"]
    if json:
        print_json({"ok": not errors, "findings": [finding.to_json() for finding in found]})
    else:
        for finding in found:
            print(f"{finding.severity}: {finding.message}")
        print(f"{len(errors)} to mend" if errors else f"ok: {_checked(topology, brokers)}")
    if errors:
        raise typer.Exit(TopologyError.exit_code)


def _look_at_models(topology: Path | None, json: bool) -> None:
    from callbus.cli.check_models import table
    from callbus.inventory import take

    entries = take(options.load_topology(topology))
    needed = [entry for entry in entries if not entry.found and entry.groups]
    if json:
        print_json({"ok": not needed, "models": [entry.to_json() for entry in entries]})
    else:
        wide_console().print(table(entries))
        for entry in entries:
            if not entry.found:
                print(f"{'error' if entry.groups else 'warning'}: {entry.problem}")
        print(f"{len(needed)} to mend" if needed else f"ok: {sum(entry.found for entry in entries)} models are here")
    if needed:
        raise typer.Exit(ModelError.exit_code)


def _checked(topology: Path | None, brokers: str | None) -> str:
    from schemas import store

    graph = options.load_topology(topology)
    parts = [f"{len(graph.groups)} groups", f"{len(graph.topics)} topics", f"{len(graph.models)} models"]
    return ", ".join([*parts, f"{len(store.names())} schemas", *([f"Kafka at {brokers}"] if brokers else [])])
