"""`callbus demo` and `callbus up`: everything on this machine."""

from pathlib import Path
from typing import Annotated

import typer

import callbus
from callbus.cli import options
from callbus.cli.shell import quiet

DEMO_EXAMPLES = options.examples(
    "callbus demo", "callbus demo --speed 4", "callbus demo --keep  # look at it afterwards"
)
UP_EXAMPLES = options.examples("callbus up", "callbus up --brokers kafka-1:9092  # the groups only")


def demo(
    samples: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The calls to play.", show_default="those shipped with callbus"),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, metavar="N", help="1 is real time, 2 twice as fast.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the broker running, with every event.")] = False,
    json: options.Json = False,
    topology: options.TopologyFile = None,
) -> None:
    """See it work: sample calls and what is understood of them.

    Real Kafka, real models, nothing to set up. Leaves nothing behind unless you say --keep.
    """
    quiet()
    graph = options.load_topology(topology)
    from callbus.cli.demo import demo as work
    from callbus.cli.up import until_interrupted

    folder = samples or Path(callbus.__file__).parents[1] / "samples"
    until_interrupted(work(graph, folder, speed, keep, json))


def up(
    brokers: Annotated[
        str | None,
        typer.Option(
            envvar="CALLBUS_BROKERS",
            metavar="HOST:PORT,…",
            help="A Kafka that runs already.",
            show_default="one of our own, on this machine",
        ),
    ] = None,
    topology: options.TopologyFile = None,
) -> None:
    """Run everything on this machine until Ctrl-C.

    The broker, its topics and every group, in a few processes."""
    quiet()
    graph = options.load_topology(topology)
    from callbus.cli.up import until_interrupted
    from callbus.cli.up import up as work

    until_interrupted(work(graph, brokers))
