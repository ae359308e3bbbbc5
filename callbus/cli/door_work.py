"""What `callbus door` does: Kafka, the line, the listening socket, and their end."""

import asyncio
import importlib
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import structlog

from callbus.cli.door_kafka import Awaited
from callbus.cli.shell import two_signals
from callbus.codec import Codec, codec_of
from callbus.errors import BrokerError, InputError
from callbus.kafka import Connection
from callbus.notify import notify
from callbus.observe.meter import GroupMeter
from callbus.observe.server import serving
from callbus.topology import Producer, Topology
from producers.line import Admission, Line, Recordings, Spool

log = structlog.get_logger(__name__)

_RECORDINGS = "call-recordings"


@dataclass(frozen=True, slots=True)
class Kind:
    """A door that can be run: its name in topology.yaml, the module with its `serve`, and its usual port."""

    producer: str
    module: str
    port: int


DOORS = {
    "asterisk": Kind("asterisk", "producers.asterisk", 9019),
    "plain": Kind("plain", "producers.asterisk.plain", 8300),
    "media-streams": Kind("media_streams", "producers.media_streams", 8080),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options, understood."""

    name: str
    listen: tuple[str, int]
    admission: Admission
    tls: ssl.SSLContext | None
    token: str | None
    attributes: Mapping[str, str]
    agent_first: bool
    big_endian: bool
    spool: Spool
    recordings: Recordings | None
    leave_within_s: float
    wait_s: float
    http: tuple[str, int] | None


async def run(asked: Asked, producer: Producer, graph: Topology, connection: Connection, registry: str | None) -> bool:
    """False if a second signal ended it."""
    asked.spool.open(producer.name)
    if asked.recordings:
        if _RECORDINGS not in producer.outputs:
            raise InputError(
                f"{graph.place('producers')} {producer.name} has no output {_RECORDINGS}; "
                "add it, or leave out --recordings"
            )
        asked.recordings.open()
    meter = GroupMeter(producer.name)
    try:
        with two_signals("ending the calls that run") as stopping:
            async with AsyncExitStack() as stack:
                if asked.http:
                    await stack.enter_async_context(serving([meter], *asked.http))
                meter.state("joining")
                codec = codec_of(graph, registry)
                await asyncio.to_thread(codec.prepare, producer.outputs)
                await _take_calls(asked, producer, graph, connection, codec, meter, stopping)
    except asyncio.CancelledError:
        return False
    return True


async def _take_calls(
    asked: Asked,
    producer: Producer,
    graph: Topology,
    connection: Connection,
    codec: Codec,
    meter: GroupMeter,
    stopping: asyncio.Event,
) -> None:
    """Calls are taken whether Kafka is there or not: the spool keeps them. Raises what no waiting mends."""
    port = 0

    def told() -> None:
        """How it stands with the socket and with Kafka."""
        if kafka.problem:
            stopping.set()
        if not port or stopping.is_set():
            return
        takes = f"{asked.name} takes calls on port {port}"
        if kafka.publisher:
            meter.holds(range(kafka.publisher.lanes))
            meter.state("running")
            notify(READY="1", STATUS=takes)
        else:
            meter.state("waiting_for_kafka")
            notify(READY="1", STATUS=f"{takes}; Kafka does not answer, the spool keeps them")

    kafka = Awaited(connection, codec, producer, asked.wait_s, told)
    line = Line(
        kafka,
        producer.name,
        asked.spool,
        most_calls=asked.admission.most_calls,
        leave_within_s=asked.leave_within_s,
        rules=graph.modes,
        attributes=asked.attributes,
        recordings=asked.recordings,
    )

    def ready(address: tuple[str, int]) -> None:
        nonlocal port
        host, port = address
        log.info("ready", door=asked.name, host=host, port=port, tls=asked.tls is not None)
        if not _guarded(asked):
            log.warning("open_to_everyone", door=asked.name, mend="give --allow, --token-file or --tls-clients")
        told()

    serve: Any = importlib.import_module(DOORS[asked.name].module).serve
    turned = {name: True for name in ("agent_first", "big_endian") if getattr(asked, name)}
    async with kafka, line:
        await serve(
            line,
            asked.listen,
            asked.admission,
            tls=asked.tls,
            token=asked.token,
            ready=ready,
            stopping=stopping,
            **turned,
        )
        meter.state("stopping")
        notify(STOPPING="1")
        if kafka.problem:
            raise kafka.problem
    meter.state("stopped")
    log.info("stopped", door=asked.name, left_in_spool=line.left)
    if line.left:
        raise BrokerError(
            f"{asked.spool.folder}: {line.left} call{'s' if line.left > 1 else ''} could not be sent to Kafka whole; "
            f"what is left waits there, and is sent when `callbus door {asked.name}` is started again"
        )


def _guarded(asked: Asked) -> bool:
    """Whether anything but its address keeps strangers out."""
    host, tls = asked.listen[0], asked.tls
    is_local = host in ("localhost", "::1") or host.startswith("127.")
    knows_clients = tls is not None and tls.verify_mode == ssl.CERT_REQUIRED
    return bool(is_local or asked.admission.allow or asked.token or knows_clients)
