"""What must be there before a process begins: a broker that lets us in, every topic, and the right to use them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka.errors import KafkaError

from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.reach import reach
from callbus.refusals import Needs, forbidden, needs, outside
from callbus.rights import lacking
from callbus.topics import connected, hidden
from callbus.topology import Group
from callbus.worker import breaker

log = structlog.get_logger(__name__)

_LOOK_AGAIN_S = 0.3
_ASK_S = 5.0


async def kafka_is_ready(
    groups: Sequence[Group], meters: Mapping[str, GroupMeter], connection: Connection, wait_s: float
) -> None:
    """Returns once the broker has every topic. Refused if it won't have us, or not do all that the groups need;
    BrokerError if it lacks something for longer than `wait_s`."""
    deadline, said, needed = time.monotonic() + wait_s, "", needs_of(groups)
    while problem := await _missing(needed, [group.name for group in groups], connection):
        if time.monotonic() > deadline:
            raise BrokerError(problem)
        if problem != said:
            log.info("waiting", reason=problem)
            said = problem
        for meter in meters.values():
            meter.state("waiting_for_kafka")
        await asyncio.sleep(_LOOK_AGAIN_S)
    for meter in meters.values():
        meter.state("loading")


async def none_has_stopped(groups: Sequence[Group], connection: Connection) -> None:
    """TooManyDeadLetters where one of the groups has stopped itself: told before its models are loaded, for a
    supervisor starts it again and again. A Kafka that is away is not waited for: a worker asks before it joins."""
    with suppress(BrokerError, TimeoutError):
        async with asyncio.timeout(_ASK_S):
            its = [breaker.check_group(connection, group) for group in groups if group.runtime == "worker"]
            await asyncio.gather(*its)


async def _missing(needed: Needs, groups: Sequence[str], connection: Connection) -> str | None:
    """What the broker lacks, in words; None if nothing. Refused as above."""
    try:
        await reach(connection)
        async with connected(connection) as admin:
            missing = sorted(needed.keys() - set(await admin.list_topics()))
            unseen = await hidden(admin, missing)
        not_allowed: Needs = {topic: needed[topic] for topic in unseen}
        outside_of: Sequence[str] = ()
        if not missing:
            not_allowed, outside_of = await lacking(connection, needed, groups)
    except Refused:
        raise
    except (BrokerError, KafkaError) as problem:
        return str(problem)
    if not_allowed or outside_of:
        said = [forbidden(sorted(not_allowed), connection, not_allowed)] if not_allowed else []
        raise Refused("; ".join([*said, *(outside(group, connection) for group in outside_of)]))
    return f"{connection.brokers} has no topic {', '.join(missing)}; run `callbus topics apply`" if missing else None


def needs_of(groups: Sequence[Group]) -> Needs:
    """What any of the groups must be allowed to do, by topic."""
    needed: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        for topic, operations in needs(group).items():
            needed[topic].update(operations)
    return {topic: sorted(operations) for topic, operations in needed.items()}
