"""Whether Kafka lets us in and speaks what we speak: asked of the first broker that answers, on its own connection.

aiokafka's clients only log why they are turned away, and then say that nobody answers.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)

from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.refusals import refusal
from callbus.worker.kip447_requests import OffsetFetchRequest, TxnOffsetCommitRequest

Versions = Mapping[int, tuple[int, int]]  # by API key, the lowest and the highest version that a broker speaks

_WAIT_MS = 3_000
_REQUESTS: tuple[Any, ...] = (
    ProduceRequest,
    FetchRequest,
    OffsetRequest,
    MetadataRequest,
    FindCoordinatorRequest,
    JoinGroupRequest,
    SyncGroupRequest,
    HeartbeatRequest,
    OffsetCommitRequest,
    InitProducerIdRequest,
    AddPartitionsToTxnRequest,
    AddOffsetsToTxnRequest,
    EndTxnRequest,
    TxnOffsetCommitRequest,  # v3 and, next, v7: KIP-447, without which no zombie is fenced
    OffsetFetchRequest,
)


async def reach(connection: Connection) -> Versions:
    """What the first broker that answers speaks. Refused if it won't have us; BrokerError if none answers."""
    settings = connection.client()
    del settings["bootstrap_servers"]
    problems: list[Exception] = []
    for host, port, _ in collect_hosts(connection.brokers):
        try:
            return await _ask(host, port, settings)
        except Refused:
            raise
        except (BrokerError, KafkaError, OSError, TimeoutError) as error:
            problems.append(error)
    for problem in problems:
        if isinstance(problem, BrokerError):
            raise problem
        if refused := refusal(problem, connection, {}):
            raise refused from problem
    raise nobody(connection, problems[0])


async def why_not(connection: Connection, problem: BaseException) -> BrokerError:
    """What to raise where a client could not begin for this `problem`: it says less than the broker does."""
    try:
        await reach(connection)
    except BrokerError as said:
        return said
    return nobody(connection, problem)  # the broker has come up meanwhile


def nobody(connection: Connection, problem: BaseException) -> BrokerError:
    """That no broker answers."""
    protocol = "" if connection.security_protocol == "PLAINTEXT" else f" as {connection.security_protocol}"
    return BrokerError(
        f"no Kafka broker answers at {connection.brokers}{protocol} ({type(problem).__name__}); "
        "start one with `callbus broker start`, or give its address with --brokers"
    )


def unspoken(versions: Versions) -> str | None:
    """What a broker with these versions does not speak and we do; None if nothing. In words that follow its name."""
    for request in _REQUESTS:
        ours = [form.API_VERSION for form in request._CLASSES]
        low, high = versions.get(request.API_KEY, (-1, -1))
        if any(low <= version <= high for version in ours):
            continue
        name = request.__name__.removesuffix("Request")
        its = f"only v{low} to v{high}" if high >= 0 else "none at all"
        if high < min(ours):
            return f"is too old: it lacks {name} v{min(ours)} (it has {its}); callbus wants Kafka 3.7 or newer"
        return f"is too new: it has {name} v{low} to v{high}, and callbus speaks v{max(ours)}; take a newer callbus"
    return None


async def _ask(host: str, port: int, settings: Mapping[str, Any]) -> Versions:
    opened = await create_conn(host, port, request_timeout_ms=_WAIT_MS, **settings)
    try:
        versions: Versions = dict(opened._versions)
        if lacking := unspoken(versions):
            raise Refused(f"Kafka at {host}:{port} {lacking}")
        try:
            await opened.send(MetadataRequest([]))
        except KafkaConnectionError as problem:  # it wants a password first, or has just gone down
            raise BrokerError(
                f"Kafka at {host}:{port} hung up on us, who came as {settings['security_protocol']}: see that it runs, "
                "and CALLBUS_SECURITY_PROTOCOL"
            ) from problem
        return versions
    finally:
        opened.close()
