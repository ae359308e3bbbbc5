"""Topics as the broker has them, and a plan carried out there. Decides nothing: see plan.py."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from callbus.errors import BrokerError, Refused
from callbus.kafka import Connection
from callbus.reach import why_not
from callbus.refusals import forbidden
from callbus.topics.plan import BrokerState, BrokerTopic, Plan

_SET_ON_THE_TOPIC = 1  # DescribeConfigs' config_source for a topic's own override (KIP-226)
_UNKNOWN_TOPIC = 3
_NOT_AUTHORIZED = 29
_READY_WITHIN_S = 30.0


@asynccontextmanager
async def connected(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises `BrokerError` when no broker answers, and `Refused` when one won't have us."""
    admin = AIOKafkaAdminClient(**connection.client(), request_timeout_ms=10_000)
    try:
        try:
            await admin.start()
        except (KafkaError, OSError) as error:
            raise await why_not(connection, error) from error
        yield admin
    finally:
        await admin.close()


async def read(admin: AIOKafkaAdminClient) -> BrokerState:
    """The broker's topics without Kafka's own (`__consumer_offsets` and the like)."""
    cluster = await admin.describe_cluster()
    described = {
        topic["topic"]: topic["partitions"]
        for topic in await admin.describe_topics()
        if not topic["is_internal"] and not topic["topic"].startswith("__")
    }
    configs = await _configs(admin, described)
    return BrokerState(
        brokers=len(cluster["brokers"]),
        topics={
            name: BrokerTopic(
                lanes=len(described[name]),
                replicas=max((len(lane["replicas"]) for lane in described[name]), default=1),
                config={entry["config_names"]: entry["config_value"] or "" for entry in entries},
                overrides={
                    entry["config_names"]: entry["config_value"] or ""
                    for entry in entries
                    if entry["config_source"] == _SET_ON_THE_TOPIC
                },
            )
            for name, entries in configs.items()
        },
    )


async def lanes_of(
    admin: AIOKafkaAdminClient, connection: Connection, needs: Mapping[str, Sequence[str]]
) -> dict[str, dict[int, int]]:
    """Each topic's lanes, as the broker has them, and the broker that leads each (-1: none does for the moment).

    `needs` has the topics, and what we must be allowed to do with each, as Kafka's ACLs name it. Refused where we may
    not even ask about one, BrokerError where it is missing.
    """
    # All are asked for, for a topic that is named in this request may be made by the broker.
    there = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
    if missing := [topic for topic in needs if not there.get(topic)]:
        if unseen := await hidden(admin, missing):
            raise Refused(forbidden(unseen, connection, needs))
        raise BrokerError(f"{connection.brokers} has no topic {', '.join(missing)}; run `callbus topics apply`")
    return {
        topic: {lane["partition"]: lane["leader"] for lane in sorted(there[topic], key=lambda lane: lane["partition"])}
        for topic in needs
    }


async def hidden(admin: AIOKafkaAdminClient, topics: Collection[str]) -> list[str]:
    """Those of `topics` that we may not even ask about. To us they look as if they did not exist."""
    if not topics:
        return []
    # Asked for by name a topic may be made by the broker, unless told not to.
    response = await admin._send_request(MetadataRequest(sorted(topics), allow_auto_topic_creation=False))
    return [topic["topic"] for topic in response.to_object()["topics"] if topic["error_code"] == _NOT_AUTHORIZED]


async def apply(admin: AIOKafkaAdminClient, plan: Plan) -> None:
    """Carry out a plan, each step of growing once every lane of the step before has a leader.

    Broken off in the middle it leaves a graph that works, and the next plan holds the rest. Raises `PlanRefused` before
    anything is done when the plan would lose data, `BrokerError` when the broker says no.
    """
    plan.accepted()
    if plan.create:
        new = [NewTopic(c.topic, c.lanes, c.replicas, topic_configs=dict(c.config)) for c in plan.create]
        response = (await admin.create_topics(new)).to_object()
        _refuse_errors("create", ((e["topic"], e["error_code"], e["error_message"]) for e in response["topic_errors"]))
        await _until_led(admin, {c.topic: c.lanes for c in plan.create})
    for _, step in groupby(plan.grow, key=lambda growing: growing.step):
        await _grow(admin, {growing.topic: growing.to for growing in step})
    if plan.change:
        await _alter(admin, {change.topic: change.config for change in plan.change})


async def _grow(admin: AIOKafkaAdminClient, lanes: Mapping[str, int]) -> None:
    try:
        await admin.create_partitions({topic: NewPartitions(to) for topic, to in lanes.items()})
    except KafkaError as error:
        raise BrokerError(
            f"the broker gave {', '.join(lanes)} no more lanes: {error}; run `callbus topics plan` again, which holds "
            "what is left to do"
        ) from error
    await _until_led(admin, lanes)


async def _configs(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    if not resources:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for response in await admin.describe_configs(resources):
        for resource in response.to_object()["resources"]:
            code, name = resource["error_code"], resource["resource_name"]
            if code == _UNKNOWN_TOPIC:
                continue  # deleted since it was listed
            _refuse_errors("describe", [(name, code, resource["error_message"])])
            found[name] = resource["config_entries"]
    return found


async def _alter(admin: AIOKafkaAdminClient, configs: Mapping[str, Mapping[str, str]]) -> None:
    # AlterConfigs replaces all overrides of a topic, so each Change carries the ones to keep as well.
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict(config)) for name, config in configs.items()]
    for response in await admin.alter_configs(resources):
        answers = response.to_object()["resources"]
        _refuse_errors("change", ((a["resource_name"], a["error_code"], a["error_message"]) for a in answers))


async def _until_led(admin: AIOKafkaAdminClient, lanes: Mapping[str, int]) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    waiting = set(lanes)
    while waiting:
        for topic in await admin.describe_topics(sorted(waiting)):
            led = [lane for lane in topic["partitions"] if lane["leader"] >= 0]
            if len(led) >= lanes[topic["topic"]]:
                waiting.discard(topic["topic"])
        if waiting and time.monotonic() > deadline:
            names = ", ".join(sorted(waiting))
            raise BrokerError(f"no leader within {_READY_WITHIN_S:.0f} s for {names}; see the broker's log")
        if waiting:
            await asyncio.sleep(0.05)


def _refuse_errors(verb: str, answers: Iterable[tuple[str, int, str | None]]) -> None:
    failed = [f"{name}: {message or for_code(code).__name__}" for name, code, message in answers if code]
    if failed:
        raise BrokerError(
            f"the broker did not {verb} {'; '.join(failed)}; mend that and run `callbus topics plan` again"
        )
