"""`callbus call show`: all that is known of one call."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet
from callbus.errors import InputError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.codec import Codec
    from callbus.kafka import Connection
    from callbus.topology import Topology
    from schemas.records import CallDocument, CallInsight, QaEvaluation, RestrictedInsight

app = typer.Typer(no_args_is_help=True, help="One call: what is known of it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The newest of each; None where there is none (yet)."""

    insight: "CallInsight | None"
    document: "CallDocument | None"
    evaluation: "QaEvaluation | None"
    restricted: "RestrictedInsight | None" = None  # looked for only where it was asked for


@app.command(
    epilog=options.examples(
        "callbus call show call-17",
        "callbus call show call-17 --clear  # with names and numbers",
        "callbus call show call-17 --restricted  # whom it is about; needs leave to read that topic",
        "callbus call show call-17 --json | jq .insight.completeness",
    )
)
def show(
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID", show_default=False)],
    clear: options.Clear = False,
    restricted: Annotated[
        bool,
        typer.Option("--restricted", help="Show what the insight leaves out, in clear, from its restricted topic."),
    ] = False,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """Show a call: its insight, how complete it is, the counsellor's quality with its evidence, the conversation.

    The conversation is redacted unless you say --clear. The restricted topic is read only with --restricted. The exit
    code is 7 if there is no such call.
    """
    quiet()
    graph = options.load_topology(topology)
    from callbus.codec import codec_of

    found = asyncio.run(
        find(call_id, options.connection(brokers), codec_of(graph, registry), graph, restricted=restricted)
    )
    if found is None:
        raise InputError(
            f"no call {call_id} on {brokers}; `callbus watch call-insights --from beginning` shows those there are. "
            "A call that has just begun takes some seconds, and its groups must be running"
        )
    if json:
        print_json(plain(call_id, found, clear=clear))
        return
    from callbus.cli.call_view import print_call, print_restricted

    print_call(call_id, found.insight, found.document, found.evaluation, clear=clear)
    if restricted:
        print_restricted(found.restricted)


def plain(call_id: str, found: Found, *, clear: bool) -> dict[str, Any]:
    """The call as data for JSON."""
    from callbus.cli.masking import plain as shown

    parts = {"insight": found.insight, "document": found.document, "qa": found.evaluation}
    told = {"call_id": call_id} | {name: part and shown(part, clear=clear) for name, part in parts.items()}
    return told | ({"restricted": shown(found.restricted, clear=True)} if found.restricted else {})


async def find(
    call_id: str, connection: "Connection", codec: "Codec", graph: "Topology", *, restricted: bool = False
) -> Found | None:
    """Read the call's topics to their end: the lane where a new call of this id starts first, then the others.

    A call that started before lanes were added, or whose door chose otherwise, is on one of those.
    """
    from callbus.lanes import LaneChooser

    likely = LaneChooser(graph.lanes).lane(call_id)
    others = [lane for lane in range(graph.lanes) if lane != likely]
    topics = {
        schema: name
        for schema in ("CallInsight", "CallDocument", "QaEvaluation", *(("RestrictedInsight",) if restricted else ()))
        for name, topic in graph.topics.items()
        if topic.schema == schema
    }
    for lanes in ([likely], others):
        if lanes and (newest := await _newest(call_id, connection, codec, list(topics.values()), lanes)):
            return Found(
                insight=newest.get(topics.get("CallInsight", "")),
                document=newest.get(topics.get("CallDocument", "")),
                evaluation=newest.get(topics.get("QaEvaluation", "")),
                restricted=newest.get(topics.get("RestrictedInsight", "")),
            )
    return None


async def _newest(
    call_id: str, connection: "Connection", codec: "Codec", topics: Collection[str], lanes: Collection[int]
) -> dict[str, Any]:
    """The call's newest readable event on each topic; a tombstone takes it away."""
    from callbus.subscriber import subscribe

    newest: dict[str, Any] = {}
    async with subscribe(connection, codec, topics, "beginning", lanes) as events:
        async for received in events.until_end():
            if received.call_id == call_id and received.problem is None:
                newest[received.topic] = received.record
    return {topic: record for topic, record in newest.items() if record is not None}
