"""`callbus check`: all that can be wrong before anything runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet
from callbus.errors import TopologyError

EXAMPLES = options.examples(
    "callbus check",
    "callbus check --brokers kafka-1:9092  # that Kafka's release and topics too",
    "callbus check --json | jq '.findings[].message'",
)


def check(
    brokers: Annotated[
        str | None,
        typer.Option(
            envvar="CALLBUS_BROKERS", metavar="HOST:PORT,…", help="Check this Kafka too.", show_default="no broker"
        ),
    ] = None,
    topology: options.TopologyFile = None,
    json: options.Json = False,
) -> None:
    """Find what is wrong before anything runs.

    Checks topology.yaml, its schemas, consumers, options and models, and a broker's topics.

    One line a fault: where, what is wrong, how to mend it. The exit code is 2 if one of them is an error.
    """
    quiet()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # importing a consumer must not ask a hub
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


def _checked(topology: Path | None, brokers: str | None) -> str:
    from schemas import store

    graph = options.load_topology(topology)
    parts = [f"{len(graph.groups)} groups", f"{len(graph.topics)} topics", f"{len(graph.models)} models"]
    return ", ".join([*parts, f"{len(store.names())} schemas", *([f"Kafka at {brokers}"] if brokers else [])])
