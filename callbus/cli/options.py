"""The options that many commands share, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import callbus
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.kafka import Connection
    from callbus.topology import Topology

DEFAULT_PORT = int(DEFAULT_BROKERS.rpartition(":")[2])
"""Where `callbus broker start` listens unless told otherwise, so that every other command finds it."""

Brokers = Annotated[
    str, typer.Option("--brokers", envvar="CALLBUS_BROKERS", metavar="HOST:PORT,…", help="Where Kafka is.")
]
Registry = Annotated[
    str | None,
    typer.Option(
        "--registry",
        envvar="CALLBUS_REGISTRY",
        metavar="URL",
        help="A Confluent-compatible schema registry.",
        show_default="none",
    ),
]
TopologyFile = Annotated[
    Path | None,
    typer.Option(
        "--topology",
        envvar="CALLBUS_TOPOLOGY",
        metavar="FILE",
        help="The graph; without ./topology.yaml, the one shipped with callbus.",
        show_default="./topology.yaml",
    ),
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, metavar="S", help="How long broker and topics may come after us.")
]
Http = Annotated[
    str | None,
    typer.Option(
        "--http",
        envvar="CALLBUS_HTTP",
        metavar="[HOST:]PORT",
        help="Serve /metrics, /livez and /readyz; port 0 takes a free one and logs it.",
        show_default="off",
    ),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    typer.Option("--log-level", envvar="CALLBUS_LOG_LEVEL", case_sensitive=False),
]
LogJson = Annotated[
    bool | None,
    typer.Option("--log-json/--log-pretty", help="How the log on stderr looks.", show_default="by the terminal"),
]
Json = Annotated[bool, typer.Option("--json", help="For programs: JSON on stdout.")]
Clear = Annotated[bool, typer.Option("--clear", help="Show what was said with names and numbers, unredacted.")]


def topology_path(file: Path | None) -> Path:
    """The file that was named, else ./topology.yaml, else the one beside the package."""
    here = Path("topology.yaml")
    return file or (here if here.is_file() else Path(callbus.__file__).parents[1] / "topology.yaml")


def load_topology(file: Path | None) -> "Topology":
    """The graph. TopologyError with every fault in it."""
    from callbus.topology import load

    return load(topology_path(file))


def connection(brokers: str) -> "Connection":
    """How to reach `brokers`, with the credentials that the environment gives."""
    from callbus.kafka import Connection

    return Connection.from_environment(brokers)


def examples(*commands: str) -> str:
    """The end of a command's help. Each is a command, and after two spaces and a # what it is for."""
    from rich.markup import escape

    lines = (escape(command).partition("  #") for command in commands)
    return "[bold]Examples[/]\n" + "\n".join(
        f"  {command}[dim]{mark}{comment}[/]" if mark else f"  {command}" for command, mark, comment in lines
    )
