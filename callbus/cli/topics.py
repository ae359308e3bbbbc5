"""`callbus topics`: the broker's topics against topology.yaml."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet
from callbus.errors import BrokerError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.kafka import Connection
    from callbus.topics import Plan
    from callbus.topology import Topology

_SHOWN_WITHIN_S = 15.0

app = typer.Typer(
    no_args_is_help=True,
    help="The broker's topics against topology.yaml.",
    epilog=options.examples("callbus topics plan", "callbus topics apply --yes"),
)

Shorter = Annotated[
    bool, typer.Option("--allow-shorter-retention", help="Accept that events older than the new retention go.")
]


@app.command(epilog=options.examples("callbus topics plan", "callbus topics plan --json | jq '.create[].topic'"))
def plan(
    brokers: options.Brokers = DEFAULT_BROKERS,
    topology: options.TopologyFile = None,
    allow_shorter_retention: Shorter = False,
    json: options.Json = False,
) -> None:
    """Show what `apply` would do: + create, ~ grow or change, ! refuse, ? leave alone. Changes nothing."""
    quiet()
    graph = options.load_topology(topology)
    found = asyncio.run(_plan(graph, options.connection(brokers), allow_shorter_retention))
    if json:
        print_json(found.to_json())
    else:
        print(found.text())


@app.command(
    epilog=options.examples(
        "callbus topics apply", "callbus topics apply --yes --brokers kafka-1:9092  # in a deployment"
    )
)
def apply(
    brokers: options.Brokers = DEFAULT_BROKERS,
    topology: options.TopologyFile = None,
    allow_shorter_retention: Shorter = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Don't ask; off a terminal nothing is asked anyway.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Make the broker's topics those of topology.yaml.

    What would lose events is refused (exit code 6), and then nothing at all is done.
    """
    quiet()
    graph = options.load_topology(topology)
    connection = options.connection(brokers)
    found = asyncio.run(_plan(graph, connection, allow_shorter_retention))
    if not json:
        print(found.text(), flush=True)
    found.accepted()
    if not found.empty:
        if sys.stdin.isatty() and not yes:
            typer.confirm("Carry this out?", abort=True, err=True)
        asyncio.run(_apply(found, graph, connection))
    if json:
        print_json(found.to_json() | {"applied": not found.empty})
    elif not found.empty:
        print("Done.")


async def _plan(graph: "Topology", connection: "Connection", allow_shorter_retention: bool) -> "Plan":
    from callbus import topics

    async with topics.connected(connection) as admin:
        state = await topics.read(admin)
    return topics.plan(graph, state, allow_shorter_retention=allow_shorter_retention)


async def _apply(plan: "Plan", graph: "Topology", connection: "Connection") -> None:
    """Carry the plan out, and return once the broker shows it: it answers with the old settings for a moment."""
    from callbus import topics

    async with topics.connected(connection) as admin:
        await topics.apply(admin, plan)
        deadline_s = time.monotonic() + _SHOWN_WITHIN_S
        while not topics.plan(graph, await topics.read(admin)).empty:
            if time.monotonic() > deadline_s:
                raise BrokerError(
                    f"the broker took the plan but does not show it after {_SHOWN_WITHIN_S:.0f} s; "
                    "see `callbus topics plan`"
                )
            await asyncio.sleep(0.05)
