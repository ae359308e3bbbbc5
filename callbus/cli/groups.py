"""`callbus groups`: a live table of every consumer group of the graph."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, wide_console
from callbus.clock import now_ms
from callbus.errors import BrokerError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from rich.console import Console

    from callbus.groups import GroupReader, GroupReading, Rates
    from callbus.kafka import Connection
    from callbus.topology import Topology

_EVERY_S = 1.0
_RATES_OVER_S = 5.0  # an idle group commits once a second: over one second its rate would jump

EXAMPLES = options.examples(
    "callbus groups  # live, until Ctrl-C",
    "callbus groups transcription qa --once",
    "callbus groups --json | jq '.groups[] | select(.unowned_lanes != [])'",
    "callbus groups --json --every 10 >> groups.jsonl",
)


def groups(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="GROUP…", help="Only these.", show_default="all of the graph")
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.2, metavar="S", help="Read every S seconds; with --json a line each time.", show_default="1"
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One table, as in a pipe; not the live one.")] = False,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    topology: options.TopologyFile = None,
) -> None:
    """Show how every consumer group is doing, live.

    Told by Kafka alone; counts are exact while they are small.

    state    of its members; `stopped`: it gave up too much, see `callbus dlq resume`
    lanes    which member reads which; one that nobody reads stands out
    lag      events not yet committed, on all inputs and on the retry topic
    lag s    the age of the oldest of them
    in/s     events finished, over the last 5 s
    waiting  inputs that wait for another attempt, or behind one that does
    dead     dead letters that nobody has sent back or dropped

    Transcription holds its offset back on purpose while somebody speaks:
    during a call its lag s is as long as the open utterance.
    """
    quiet()
    graph = options.load_topology(topology)
    wanted = [graph.group(name).name for name in names or graph.groups]
    from callbus.cli.up import until_interrupted

    console = wide_console()
    until_interrupted(
        _stream(graph, options.connection(brokers), wanted, every)
        if json and every
        else _live(graph, options.connection(brokers), wanted, every or _EVERY_S, console)
        if console.is_terminal and not once and not json
        else _once(graph, options.connection(brokers), wanted, every or _EVERY_S, console, json)
    )


async def _once(
    graph: "Topology",
    connection: "Connection",
    names: Sequence[str],
    apart_s: float,
    console: "Console",
    as_json: bool,
) -> None:
    from callbus import groups
    from callbus.cli.groups_view import table

    async with groups.reader(connection, graph) as reader:
        before = await reader.read(names)
        await asyncio.sleep(apart_s)
        now = await reader.read(names, before)
    if as_json:
        print_json(plain(now, _rates(before, now)))
    else:
        console.print(table(now, _rates(before, now), console.width))


async def _stream(graph: "Topology", connection: "Connection", names: Sequence[str], every_s: float) -> None:
    from callbus import groups

    async with groups.reader(connection, graph) as reader:
        async for now, rates in _readings(reader, names, every_s):
            print_json(plain(now, rates), lines=True)


async def _live(
    graph: "Topology", connection: "Connection", names: Sequence[str], every_s: float, console: "Console"
) -> None:
    """Redraw until cancelled. A broker that goes away is waited for, once it has been there."""
    from rich.live import Live

    from callbus import groups
    from callbus.cli.groups_view import away, table

    async with groups.reader(connection, graph) as reader:
        shown: Any = None
        with Live(console=console, auto_refresh=False) as live:
            while True:
                try:
                    async for now, rates in _readings(reader, names, every_s):
                        shown = table(now, rates, console.width, f"{time.strftime('%X')}, {connection.brokers}")
                        live.update(shown, refresh=True)
                except BrokerError as problem:
                    if shown is None:
                        raise
                    live.update(away(shown, str(problem)), refresh=True)
                await asyncio.sleep(every_s)


async def _readings(
    reader: "GroupReader", names: Sequence[str], every_s: float
) -> "AsyncIterator[tuple[Mapping[str, GroupReading], Mapping[str, Rates]]]":
    """A reading every so many seconds, with the rates of the last few."""
    history: deque[Mapping[str, GroupReading]] = deque()
    began_s = time.monotonic()
    while True:
        now = await reader.read(names, history[-1] if history else None)
        history.append(now)
        while len(history) > 2 and time.monotonic() - _at_s(history[1]) >= _RATES_OVER_S:
            history.popleft()
        yield now, _rates(history[0], now)
        began_s = max(began_s + every_s, time.monotonic())
        await asyncio.sleep(began_s - time.monotonic())


def plain(readings: "Mapping[str, GroupReading]", rates: "Mapping[str, Rates]") -> dict[str, Any]:
    """A reading as data for JSON. The rates are null where there was no reading before."""
    return {
        "at_ms": now_ms(),
        "groups": [_plain(reading, rates.get(name)) for name, reading in readings.items()],
    }


def _plain(reading: "GroupReading", rates: "Rates | None") -> dict[str, Any]:
    return {
        "group": reading.group,
        "state": reading.membership.state,
        "stopped": reading.stopped or None,
        "members": [
            {"name": member.name, "host": member.host, "static": member.static, "lanes": member.lanes}
            for member in reading.membership.members
        ],
        "lanes": reading.lanes,
        "unowned_lanes": reading.unowned,
        "lag_events": reading.events,
        "lag_seconds": reading.seconds,
        "events_per_s": round(rates.done, 3) if rates else None,
        "waiting": reading.waiting,
        "dead": reading.dead,
        "dead_per_s": round(rates.dead, 3) if rates else None,
    }


def _rates(before: "Mapping[str, GroupReading]", now: "Mapping[str, GroupReading]") -> "dict[str, Rates]":
    from callbus.groups import rates

    return {name: rates(before[name], reading) for name, reading in now.items() if before[name] is not reading}


def _at_s(readings: "Mapping[str, GroupReading]") -> float:
    return next(iter(readings.values())).at_s
