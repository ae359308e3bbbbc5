"""What the broker says that we may do with its topics and in our groups, asked before anything is begun (KIP-430).

A worker is told of a refusal wherever it meets one; Faust knocks for ever, and a list is better than one at a time.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from callbus.kafka import Connection
from callbus.refusals import Needs

_WAIT_S = 10.0
_READ = AclOperation.READ
_REFUSED = (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED)
_SILENT = logging.getLogger("librdkafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


async def lacking(connection: Connection, needed: Needs, groups: Sequence[str]) -> tuple[Needs, Sequence[str]]:
    """Of what is `needed`, what we may not: the operations by topic, and the groups that we may not be in.

    The topics must exist. What the broker does not tell counts as allowed.
    """
    return await asyncio.to_thread(_lacking, connection, needed, groups)


def _lacking(connection: Connection, needed: Needs, groups: Sequence[str]) -> tuple[Needs, Sequence[str]]:
    admin = AdminClient(_settings(connection), logger=_SILENT)
    told = {"include_authorized_operations": True, "request_timeout": _WAIT_S}
    topics = _allowed(admin.describe_topics(TopicCollection(list(needed)), **told))
    members = _allowed(admin.describe_consumer_groups(list(groups), **told))
    not_allowed = {
        topic: [name for name in operations if AclOperation[name.upper()] not in topics.get(topic, AclOperation)]
        for topic, operations in needed.items()
    }
    return (
        {topic: operations for topic, operations in not_allowed.items() if operations},
        [group for group in groups if _READ not in members.get(group, AclOperation)],
    )


def _allowed(futures: Any) -> dict[str, Any]:
    """The operations by name; nothing of what the broker would not describe."""
    found: dict[str, Any] = {}
    for name, future in futures.items():
        try:
            operations = future.result(_WAIT_S).authorized_operations
        except KafkaException as problem:
            if problem.args[0].code() in _REFUSED:
                found[name] = []
        except TimeoutError:
            continue
        else:
            if operations:
                found[name] = operations
    return found


def _settings(connection: Connection) -> dict[str, Any]:
    """librdkafka's words for it."""
    settings: dict[str, Any] = {
        "bootstrap.servers": connection.brokers,
        "security.protocol": connection.security_protocol,
    }
    if connection.ca_file:
        settings["ssl.ca.location"] = connection.ca_file
    if connection.security_protocol.startswith("SASL"):
        settings |= {
            "sasl.mechanism": connection.sasl_mechanism,
            "sasl.username": connection.sasl_username,
            "sasl.password": connection.sasl_password,
        }
    return settings
