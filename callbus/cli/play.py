"""`callbus play`: plays files onto Kafka as a telephone exchange would."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callbus.cli import options
from callbus.cli.shell import INTERRUPTED, print_json, quiet, say_error, two_signals
from callbus.errors import InputError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.kafka import Connection
    from callbus.modes import Mode
    from callbus.topology import Producer, Topology
    from producers.player import Play, Progress

DOOR = "player"  # its name in topology.yaml

EXAMPLES = options.examples(
    "callbus play samples/bullying_school.flac",
    "callbus play samples/ --speed max  # a folder, as fast as Kafka takes it",
    "callbus play yesterday/*.mp3 --recording  # finished calls, by reference",
    "callbus play call.wav --attribute queue=child --attribute language=en  # its mode by the rules of topology.yaml",
    "callbus play call.wav --json | jq -r .call_id | xargs callbus call show",
)


def play(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|FOLDER…", help="wav, flac, mp3, ogg, m4a, or a chat as .json.", show_default=False
        ),
    ],
    speed: Annotated[
        str, typer.Option(metavar="N|max", help="1 is real time, 2 twice as fast, max as fast as Kafka takes it.")
    ] = "1",
    recording: Annotated[
        bool, typer.Option("--recording", help="As finished calls: address and sha256, the bytes stay where they are.")
    ] = False,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="realtime: live; post-call: from its recording once it is over; hybrid: both.",
            show_default="by `modes:` in topology.yaml",
        ),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="A fact of every call, like queue=child. Repeatable.", show_default=False
        ),
    ] = None,
    call_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="For a single file.", show_default="the file's name and 8 hex digits"),
    ] = None,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """Play calls onto Kafka as a telephone exchange would.

    All at once; at the end a line per call: its call_id, how it ended, its events, the file.
    Mono or two channels (agent, caller), any sample rate. Ctrl-C hangs up: each call gets its last chunk and its end.
    The exit code is 7 if a file can't be used; the others are played all the same.
    """
    from producers.player import Play

    quiet()
    fast = _speed(speed)
    if recording and mode:
        raise typer.BadParameter("a finished call is not played in a mode; leave one of them out", param_hint="--mode")
    like = Play(path=Path(), as_recording=recording, mode=_mode(mode), attributes=_attributes(attribute or ()))
    plays, missing = _plays(files, call_id, like)
    graph = options.load_topology(topology)
    interrupted = False
    ends: list[Progress] = []
    if plays:
        ends, interrupted = asyncio.run(_play(plays, fast, options.connection(brokers), graph, registry))
    for end in ends:
        _report(end, json)
    for error in missing:
        say_error(str(error))
    if missing or any(end.error for end in ends):
        raise typer.Exit(InputError.exit_code)
    if interrupted:
        raise typer.Exit(INTERRUPTED)


async def _play(
    plays: Sequence["Play"], speed: float, connection: "Connection", graph: "Topology", registry: str | None
) -> "tuple[list[Progress], bool]":
    from callbus.cli.play_view import Bars
    from callbus.codec import codec_of
    from callbus.publisher import Publisher
    from producers import player

    entry = _door(graph)
    codec = codec_of(graph, registry)
    with Bars(many=len(plays) > 16) as bars, two_signals("hanging up") as stopping:
        async with Publisher(connection, codec, entry) as door:
            ends = await player.play(door, plays, speed, bars.show, stopping, graph.modes)
    return ends, stopping.is_set()


def _door(graph: "Topology") -> "Producer":
    from callbus.topology.source import nearest

    if DOOR not in graph.producers:
        raise InputError(f"{graph.place('producers')} no producer {DOOR}; {nearest(DOOR, graph.producers)}")
    return graph.producers[DOOR]


def _speed(text: str) -> float:
    try:
        speed = float("inf") if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise typer.BadParameter(f"{text!r}: give a number above 0 (1 is real time) or max", param_hint="--speed")
    return speed


def _mode(text: str | None) -> "Mode | None":
    from callbus.modes import MODES
    from callbus.topology.source import nearest

    for mode in MODES:
        if text == mode:
            return mode
    if text is not None:
        raise typer.BadParameter(f"{text!r} is no mode; {nearest(text, MODES)}", param_hint="--mode")
    return None


def _attributes(given: Sequence[str]) -> dict[str, str]:
    from callbus.modes import ATTRIBUTE

    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise typer.BadParameter(f"{text!r}: write it like queue=child", param_hint="--attribute")
        if name in found or name == ATTRIBUTE:
            mend = "give the mode with --mode" if name == ATTRIBUTE else "give it once"
            raise typer.BadParameter(f"{text!r}: {mend}", param_hint="--attribute")
        found[name] = value
    return found


def _plays(files: Sequence[Path], call_id: str | None, like: "Play") -> "tuple[list[Play], list[InputError]]":
    """What is to be played, each in the way of `like`, and an error for each file or folder that isn't there."""
    from producers.player import find

    found: list[Path] = []
    missing: list[InputError] = []
    for file in files:
        try:
            found += find([file])
        except InputError as error:
            missing.append(error)
    if call_id and len(found) + len(missing) > 1:
        raise typer.BadParameter(f"{len(found)} files can't be one call; name one file", param_hint="--call-id")
    return [replace(like, path=path, call_id=call_id or "").named() for path in found], missing


def _report(end: "Progress", as_json: bool) -> None:
    how = "failed" if end.error else "cut off" if end.cut else "played"
    if as_json:
        print_json(_plain(end, how), lines=True)
    elif end.published:
        print(f"{end.call_id}\t{how}\t{end.published} events\t{end.path}", flush=True)
    if end.error:
        say_error(str(end.error))


def _plain(end: "Progress", how: str) -> dict[str, Any]:
    return {
        "call_id": end.call_id,
        "path": str(end.path),
        "state": how,
        "events": end.published,
        "position_ms": round(end.position_ms),
        "duration_ms": end.duration_ms,
        "last_published_at_ms": end.published_at_ms or None,
        "error": str(end.error) if end.error else None,
    }
