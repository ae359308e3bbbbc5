"""Static members (KIP-345): who is in a group under which name, and how one leaves it for good.

DescribeGroups v4 and LeaveGroup v3, on aiokafka's own protocol classes, which end at v3 and v1. Field order is that of
Kafka's message definitions; Kafka has both since 2.4.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

from callbus.errors import BrokerError
from callbus.kafka import Connection
from callbus.topics import connected
from callbus.worker.kip447 import GroupMetadata
from callbus.worker.kip447_requests import ErrorCode
from callbus.worker.kip447_verdicts import COORDINATOR_MOVED

log = structlog.get_logger(__name__)

_ASK_S = 10.0
_LEAVE_S = 3.0
_STRING = String("utf-8")


class DescribeGroupsResponse_v4(Response):  # type: ignore[misc]  # noqa: N801  aiokafka is untyped; its naming
    API_KEY = 15
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group", _STRING),
                ("state", _STRING),
                ("protocol_type", _STRING),
                ("protocol", _STRING),
                (
                    "members",
                    Array(
                        ("member_id", _STRING),
                        ("group_instance_id", _STRING),
                        ("client_id", _STRING),
                        ("client_host", _STRING),
                        ("member_metadata", Bytes),
                        ("member_assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    )


class DescribeGroupsRequest_v4(RequestStruct):  # type: ignore[misc]  # noqa: N801
    API_KEY = 15
    API_VERSION = 4
    RESPONSE_TYPE = DescribeGroupsResponse_v4
    SCHEMA = Schema(("groups", Array(_STRING)), ("include_authorized_operations", Boolean))


class DescribeGroupsRequest(Request[DescribeGroupsRequest_v4]):  # type: ignore[misc]
    """Asks what the coordinator knows of these groups. One that never was is "Dead", and no error."""

    API_KEY = 15

    def __init__(self, groups: Iterable[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[DescribeGroupsRequest_v4]) -> DescribeGroupsRequest_v4:
        return request_struct_class(self._groups, False)


class LeaveGroupResponse_v3(Response):  # type: ignore[misc]  # noqa: N801  aiokafka is untyped; its naming
    API_KEY = 13
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("members", Array(("member_id", _STRING), ("group_instance_id", _STRING), ("error_code", Int16))),
    )


class LeaveGroupRequest_v3(RequestStruct):  # type: ignore[misc]  # noqa: N801
    API_KEY = 13
    API_VERSION = 3
    RESPONSE_TYPE = LeaveGroupResponse_v3
    SCHEMA = Schema(("group", _STRING), ("members", Array(("member_id", _STRING), ("group_instance_id", _STRING))))


class LeaveGroupRequest(Request[LeaveGroupRequest_v3]):  # type: ignore[misc]
    """Takes one member out of its group."""

    API_KEY = 13

    def __init__(self, member: GroupMetadata) -> None:
        self._fields = (member.group_id, [(member.member_id, member.instance_id)])

    def build(self, request_struct_class: type[LeaveGroupRequest_v3]) -> LeaveGroupRequest_v3:
        return request_struct_class(*self._fields)


async def is_taken(consumer: AIOKafkaConsumer, member: GroupMetadata) -> bool:
    """Whether another process is in the group under this member's static name. Where the group does not say: yes.

    The coordinator lists us too, as whom we were frozen, or as whom we have joined since.
    """
    coordinator = consumer._coordinator
    with suppress(TimeoutError):
        async with asyncio.timeout(_ASK_S):
            while True:
                await coordinator.ensure_coordinator_known()
                try:
                    response: Any = await coordinator._send_req(DescribeGroupsRequest([member.group_id]))
                except KafkaError as problem:
                    if not problem.retriable:
                        return True
                else:
                    ((code, _, _, _, _, members, *_),) = response.groups
                    if not code:
                        ours = {member.member_id, coordinator.member_id}
                        return any(name == member.instance_id and who not in ours for who, name, *_ in members)
                    if code in COORDINATOR_MOVED:
                        coordinator.coordinator_dead()
                    elif code != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                        return True
                await asyncio.sleep(coordinator._retry_backoff_ms / 1000)
    return True


async def leave(connection: Connection, member: GroupMetadata) -> None:
    """Take the member out, once its consumer has stopped: it would join again. Who has its name by now stays in.

    aiokafka lets a static member go without a word, for who is told to stop may come back at once; its lanes would
    stand still until the session is over. Whatever goes wrong here is only logged, and a Kafka that hangs is not waited
    for: then the session's timeout does it.
    """
    try:
        async with asyncio.timeout(_LEAVE_S), connected(connection) as admin:
            coordinator = await admin.find_coordinator(member.group_id)
            response: Any = await admin._send_request(LeaveGroupRequest(member), coordinator)
    except (KafkaError, BrokerError, OSError, TimeoutError) as problem:
        log.warning("not_left", group=member.group_id, problem=type(problem).__name__)
        return
    codes = {response.error_code, *(code for *_, code in response.members)} - {0}
    if codes:
        log.warning("not_left", group=member.group_id, problem=for_code(min(codes)).__name__)
