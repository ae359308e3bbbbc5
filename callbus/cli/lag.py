"""`callbus lag`: how far each group is behind, lane by lane; for alerts and autoscalers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, wide_console
from callbus.clock import now_ms
from callbus.errors import CallbusError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from rich.table import Table

    from callbus.groups import GroupLag
    from callbus.kafka import Connection
    from callbus.topology import Topology

    Lags = Mapping[str, GroupLag]

EXAMPLES = options.examples(
    "callbus lag",
    "callbus lag transcription --max-seconds 30 || page-somebody",
    "callbus lag --json | jq '.groups[] | {group, seconds}'",
)


class Behind(CallbusError):
    """A group is farther behind than `--max-seconds` allows."""


def lag(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="GROUP…", help="Only these.", show_default="all of the graph")
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="S", help="Exit code 1 if a group is more than S seconds behind.", show_default=False
        ),
    ] = None,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    topology: options.TopologyFile = None,
) -> None:
    """Show how far each group is behind, lane by lane.

    The table has the lanes that are behind and a sum per group; --json all.

    events   on an input, those not yet committed; exact while they are few
             on the retry topic, those that wait there
    seconds  the age of the oldest of them; 0 when nothing is unread

    Transcription holds its offset back on purpose while somebody speaks:
    during a call it is behind by the open utterance. Leave room for that.
    """
    quiet()
    graph = options.load_topology(topology)
    wanted = [graph.group(name).name for name in names or graph.groups]
    lags = asyncio.run(_read(graph, options.connection(brokers), wanted))
    if json:
        print_json(plain(lags))
    else:
        wide_console().print(_table(lags))
    if late := _late(lags, max_seconds):
        raise Behind("\n".join(late))


async def _read(graph: "Topology", connection: "Connection", names: Sequence[str]) -> "Lags":
    from callbus import groups

    async with groups.reader(connection, graph) as reader:
        return await reader.lags(names)


def plain(lags: "Lags") -> dict[str, Any]:
    """Every lane, and per group how many events on all its lanes, how many seconds on the worst, and why it stopped
    itself, if it did."""
    return {
        "at_ms": now_ms(),
        "lanes": [
            {
                "group": group,
                "topic": lag.topic,
                "lane": lag.lane,
                "committed": lag.committed,
                "end": lag.end,
                "events": lag.events,
                "seconds": lag.seconds,
            }
            for group, its in lags.items()
            for lag in its.lanes
        ],
        "groups": [
            {
                "group": group,
                "events": sum(lag.events for lag in its.lanes),
                "seconds": max((lag.seconds for lag in its.lanes), default=0.0),
                "stopped": its.stopped or None,
            }
            for group, its in lags.items()
        ],
    }


def _table(lags: "Lags") -> "Table":
    from rich import box
    from rich.table import Table

    from callbus.cli.groups_view import seconds

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("group", "topic"):
        table.add_column(name, no_wrap=True)
    for name in ("lane", "committed", "end", "events", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for total in plain(lags)["groups"]:
        name = total["group"]
        for lag in (lag for lag in lags[name].lanes if lag.events):
            committed = "—" if lag.committed is None else str(lag.committed)
            table.add_row(
                name, lag.topic, str(lag.lane), committed, str(lag.end), f"{lag.events:,}", seconds(lag.seconds)
            )
        table.add_row(name, "all lanes", "", "", "", f"{total['events']:,}", seconds(total["seconds"]), style="bold")
    return table


def _late(lags: "Lags", max_seconds: float | None) -> list[str]:
    """A line per group that is beyond the limit, with its worst lane."""
    if max_seconds is None:
        return []
    worst = {group: max(its.lanes, key=lambda lag: lag.seconds) for group, its in lags.items() if its.lanes}
    return [
        f"{group} is {lag.seconds:.1f} s behind on {lag.topic} lane {lag.lane}, more than {max_seconds:g} s; "
        f"see `callbus groups {group}`"
        for group, lag in worst.items()
        if lag.seconds > max_seconds
    ]
