"""`callbus door`: takes live calls from a telephone exchange."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from callbus.cli import options
from callbus.cli.shell import INTERRUPTED
from callbus.errors import InputError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.cli.door_work import Kind
    from callbus.topology import Producer, Topology

EXAMPLES = options.examples(
    "callbus door asterisk --listen 0.0.0.0:9019 --allow 10.1.0.0/16  # AudioSocket",
    "callbus door plain --listen 127.0.0.1:8300  # call_id, CR or LF, then 16 kHz s16le",
    "callbus door media-streams --listen 0.0.0.0:8080 --tls-cert door.pem --tls-key door.key --token-file token",
    "callbus door asterisk --spool /var/spool/callbus/asterisk --spool-limit 4GiB --http 9100",
    "callbus door asterisk --listen 0.0.0.0:9020 --attribute queue=child --attribute language=en",
    "callbus door media-streams --recordings /srv/recordings  # so that calls may be post-call or hybrid",
)

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def door(
    name: Annotated[Literal["asterisk", "plain", "media-streams"], typer.Argument(metavar="NAME", show_default=False)],
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Where calls come in; port 0 takes a free one and logs it.",
            show_default="127.0.0.1 and asterisk 9019, plain 8300, media-streams 8080",
        ),
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option(
            envvar="CALLBUS_SPOOL",
            metavar="FOLDER",
            help="Keeps what Kafka does not have yet; on a disk of this machine, of this process alone.",
            show_default="./spool/NAME",
        ),
    ] = None,
    spool_limit: Annotated[str, typer.Option(metavar="SIZE", help="In bytes, KiB, MiB or GiB.")] = "1GiB",
    recordings: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where calls are recorded whose mode needs it; transcription reads them at the same path.",
            show_default="none: such rules of topology.yaml are passed over",
        ),
    ] = None,
    recordings_free: Annotated[
        str, typer.Option(metavar="SIZE", help="With less free on that disk, new calls are live alone.")
    ] = "1GiB",
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="Who may call in; may be repeated.", show_default="everyone"),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate chain (PEM): speak TLS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key (PEM).")] = None,
    tls_clients: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Let in only who has a certificate signed by one of these.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its first line is the secret that callers must show (media-streams)."),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Of each call that comes in here, like queue=child; a call's own word counts more; may be repeated.",
        ),
    ] = None,
    most_calls: Annotated[int, typer.Option(min=1, metavar="N", help="Calls at once.")] = 100,
    most_opening: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Connections of one address that have not begun a call; more for a proxy."
        ),
    ] = 16,
    most_bytes: Annotated[
        int, typer.Option("--most-bytes-per-second", min=1_000, metavar="N", help="Of one connection.")
    ] = 400_000,
    silent_after: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="A connection that sends nothing for so long is closed.")
    ] = 30.0,
    agent_first: Annotated[
        bool,
        typer.Option("--agent-first", help="The agent is the first leg of a call (asterisk), or its inbound track."),
    ] = False,
    big_endian: Annotated[
        bool, typer.Option("--big-endian", help="audio/x-l16 is big-endian, as in RFC 3551 (media-streams).")
    ] = False,
    leave_within: Annotated[
        float, typer.Option(min=0, metavar="S", help="When stopped: how long to wait for Kafka to take what is left.")
    ] = 10.0,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
    wait: options.Wait = 15,
    http: options.Http = None,
    log_level: options.LogLevel = "info",
    log_json: options.LogJson = None,
) -> None:
    """Take live calls from a telephone exchange until it is told to stop.

    Everything is kept in the spool until Kafka has it: a Kafka that is away delays, and loses nothing within the
    limit. The door begins without it too; a Kafka that answers and still lacks the topics after --wait ends it.
    A call is heard in the mode that the rules of topology.yaml choose as it begins. What a killed door left is
    sent at its next start, and those calls end as interrupted.
    SIGTERM and SIGINT (Ctrl-C) end the calls that run; a second one leaves at once. The exit code is 5 if something
    is left in the spool then: start the door again.
    """
    from callbus import logs
    from callbus.cli.door_work import DOORS, Asked, run
    from callbus.observe.server import address
    from producers.line import Admission, Recordings, Spool, networks, server_tls, token_from

    logs.configure(log_level, log_json)
    kind = DOORS[name]
    host, port = _address(listen or str(kind.port))
    if (tls_cert is None) != (tls_key is None) or (tls_clients and not tls_cert):
        raise typer.BadParameter("give --tls-cert and --tls-key together", param_hint="--tls-cert")
    if agent_first and name == "plain":
        raise typer.BadParameter(f"{name} says itself who speaks; leave it out", param_hint="--agent-first")
    if big_endian and name != "media-streams":
        raise typer.BadParameter(f"{name} has one byte order; leave it out", param_hint="--big-endian")
    asked = Asked(
        name=name,
        listen=(host, port),
        admission=Admission(
            allow=networks(allow or ()),
            most_calls=most_calls,
            most_opening=most_opening,
            most_bytes_per_second=most_bytes,
            silent_after_s=silent_after,
        ),
        tls=server_tls(tls_cert, tls_key, tls_clients) if tls_cert and tls_key else None,
        token=token_from(token_file) if token_file else None,
        attributes=dict(_attribute(text) for text in attribute or ()),
        agent_first=agent_first,
        big_endian=big_endian,
        spool=Spool(spool or Path("spool") / name, _size(spool_limit, "--spool-limit")),
        recordings=Recordings(recordings, _size(recordings_free, "--recordings-free")) if recordings else None,
        leave_within_s=leave_within,
        wait_s=wait,
        http=address(http) if http else None,
    )
    graph = options.load_topology(topology)
    if not asyncio.run(run(asked, _producer(graph, kind), graph, options.connection(brokers), registry)):
        raise typer.Exit(INTERRUPTED)


def _producer(graph: "Topology", kind: "Kind") -> "Producer":
    from callbus.topology.source import nearest

    if kind.producer not in graph.producers:
        raise InputError(
            f"{graph.place('producers')} no producer {kind.producer}; {nearest(kind.producer, graph.producers)}"
        )
    return graph.producers[kind.producer]


def _address(text: str) -> tuple[str, int]:
    from callbus.observe.server import address

    try:
        return address(text)
    except InputError:
        raise typer.BadParameter(
            f"{text!r} is no [HOST:]PORT; give 9019, 0.0.0.0:9019, or 0 for a free one", param_hint="--listen"
        ) from None


def _attribute(text: str) -> tuple[str, str]:
    from callbus.modes import ATTRIBUTE

    found = re.fullmatch(r"([a-z][a-z0-9_]{0,63})=(.{1,200})", text)
    if not found or found[1] == ATTRIBUTE or not found[2].isprintable():
        raise typer.BadParameter(
            f"{text!r} is no attribute of a call; give a name in small letters and a value, like queue=child",
            param_hint="--attribute",
        )
    return found[1], found[2]


def _size(text: str, option: str) -> int:
    found = re.fullmatch(r"(\d+)\s*(?:([KMG])i?)?B?", text.strip(), re.IGNORECASE)
    if not found:
        raise typer.BadParameter(f"{text!r} is no size; give bytes, or e.g. 512MiB or 4GiB", param_hint=option)
    return int(found[1]) * _UNITS[(found[2] or "").upper()]
