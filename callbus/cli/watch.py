"""`callbus watch`: events as they come, one line each."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, say
from callbus.errors import CallbusError, InputError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.codec import Codec
    from callbus.kafka import Connection
    from callbus.subscriber import Received
    from callbus.topology import Topology

EXAMPLES = options.examples(
    "callbus watch call-insights  # what comes from now on",
    "callbus watch transcripts entities --call call-17 --clear  # one call, with what was said",
    "callbus watch call-insights --from beginning --json --limit 10 | jq .event.main.label",
)


class TooFew(CallbusError):
    """`--timeout` came before `--limit` was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What of the stream is wanted, and how."""

    topics: Sequence[str]
    start: Literal["beginning", "now"]
    call_id: str | None
    clear: bool
    as_json: bool
    limit: int | None
    timeout_s: float | None


def watch(
    topics: Annotated[list[str], typer.Argument(metavar="TOPIC…", show_default=False)],
    start: Annotated[Literal["beginning", "now"], typer.Option("--from", help="Where to begin.")] = "now",
    call: Annotated[str | None, typer.Option(metavar="ID", help="Only this call.", show_default="all")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after N events.", show_default=False)
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="S", help="End after S seconds; exit code 1 if --limit wasn't reached.", show_default=False
        ),
    ] = None,
    clear: options.Clear = False,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """Show events as they come, one line each.

    Time, topic, lane:offset, call, what it says. Committed events only, decoded; what is no event is shown as such.
    Words that no stage has redacted are shown as «7 words» unless you say --clear.
    """
    quiet()
    graph = options.load_topology(topology)
    _refuse_foreign(graph, topics)
    if not clear and (remark := _hides(graph, topics)):
        say(remark)
    from callbus.codec import codec_of

    wish = Wish(topics=topics, start=start, call_id=call, clear=clear, as_json=json, limit=limit, timeout_s=timeout)
    asyncio.run(_watch(wish, options.connection(brokers), codec_of(graph, registry)))


async def _watch(wish: Wish, connection: "Connection", codec: "Codec") -> None:
    from callbus.subscriber import subscribe

    deadline_s = time.monotonic() + (wish.timeout_s if wish.timeout_s is not None else float("inf"))
    shown = 0
    async with subscribe(connection, codec, wish.topics, wish.start) as events:
        say(f"watching {', '.join(wish.topics)} from {'the beginning' if wish.start == 'beginning' else 'now on'}")
        while time.monotonic() < deadline_s:
            for received in in_order(await events.next(min(0.2, max(0.0, deadline_s - time.monotonic())))):
                if wish.call_id not in (None, received.call_id):
                    continue
                _show(received, wish)
                shown += 1
                if shown == wish.limit:
                    return
    if wish.limit is not None:
        raise TooFew(f"{shown} of {wish.limit} events came within {wish.timeout_s:g} s; wait longer with --timeout")


def in_order(received: Iterable["Received"]) -> Iterator["Received"]:
    """By time as far as each lane's own order allows."""
    lanes = [list(of_lane) for _, of_lane in itertools.groupby(received, key=lambda each: (each.topic, each.lane))]
    return heapq.merge(*lanes, key=lambda each: each.timestamp_ms)


def _show(received: "Received", wish: Wish) -> None:
    if wish.as_json:
        print_json(as_plain(received, clear=wish.clear), lines=True)
        return
    from callbus.cli import lines
    from callbus.cli.masking import masked

    if received.problem is not None:
        said = f"unreadable: {received.problem}"
    elif received.record is None:
        said = "removed"
    else:
        said = lines.summary(received.record if wish.clear else masked(received.record))
    line = f"{lines.head(received)} {lines.printable(said)}"
    print(line, flush=True)


def as_plain(received: "Received", *, clear: bool) -> dict[str, Any]:
    """A message as data for JSON: where it stands, and `event` (null where it is a tombstone) or `problem`."""
    from callbus.cli.masking import plain

    place = {
        "topic": received.topic,
        "lane": received.lane,
        "offset": received.offset,
        "timestamp_ms": received.timestamp_ms,
        "call_id": received.call_id,
    }
    if received.problem is not None:
        return place | {"problem": received.problem}
    if received.record is None:
        return place | {"event": None}
    return place | {"type": type(received.record).__name__, "event": plain(received.record, clear=clear)}


def _refuse_foreign(graph: "Topology", topics: Sequence[str]) -> None:
    for name in topics:
        if not graph.topic(name).schema:
            raise InputError(f"{name} holds a Faust table's own bytes, no events; watch what its group writes instead")


def _hides(graph: "Topology", topics: Sequence[str]) -> str | None:
    from callbus.cli.masking import HIDES

    found = {name: HIDES[schema] for name in topics if (schema := graph.topic(name).schema) in HIDES}
    if not found:
        return None
    what = ", ".join(f"{hidden} on {name}" for name, hidden in found.items())
    return f"hidden here: {what}; --clear shows it"
