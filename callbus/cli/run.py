"""`callbus run`: hosts consumer groups in this process."""

import asyncio
import socket
from typing import Annotated

import typer

from callbus.cli import options
from callbus.kafka import DEFAULT_BROKERS

EXAMPLES = options.examples(
    "callbus run transcription",
    "callbus run classification qa  # one process, one encoder in memory",
    "callbus run --all --brokers kafka-1:9092,kafka-2:9092 --log-json",
    "callbus run ner --http 9100  # http://127.0.0.1:9100/metrics, /livez and /readyz",
)


def run(
    groups: Annotated[list[str] | None, typer.Argument(metavar="GROUP…", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every group of the graph.")] = False,
    member: Annotated[
        str | None,
        typer.Option(
            envvar="CALLBUS_MEMBER",
            help="This process's name in its groups: stable over restarts, and its alone.",
            show_default="the host's name",
        ),
    ] = None,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
    wait: options.Wait = 15,
    http: options.Http = None,
    log_level: options.LogLevel = "info",
    log_json: options.LogJson = None,
) -> None:
    """Run consumer groups in this process until it is told to stop.

    SIGTERM and SIGINT (Ctrl-C) let every group finish and commit what it has in hand; a second one aborts.
    If one group fails, all stop, and the exit code says why: 2 topology.yaml, 3 schemas, 4 a model,
    5 the broker or its topics, 7 a setting, 8 another process took the work over, 10 too many dead letters,
    70 a fault in callbus.
    """
    from callbus import logs

    logs.configure(log_level, log_json)
    from callbus import process

    graph = options.load_topology(topology)
    if every == bool(groups):
        known = ", ".join(graph.groups)
        raise typer.BadParameter(f"name either groups or --all; {graph.path} has {known}", param_hint="GROUP…")
    names = list(graph.groups) if every else groups or []
    kafka, name = options.connection(brokers), member or socket.gethostname()
    asyncio.run(process.run(graph, names, kafka, name, registry, wait, _address(http) if http else None))


def _address(http: str) -> tuple[str, int]:
    from callbus.observe.server import address

    return address(http)
