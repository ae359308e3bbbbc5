"""A Kafka of one node that wants a password and grants nothing by itself: SASL PLAIN, and StandardAuthorizer's ACLs."""

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from callbus.broker import EmbeddedBroker, NodeSettings
from callbus.broker.ports import free_port
from callbus.kafka import Connection

TOPIC, GROUP, TRANSACTION = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
READ, WRITE, DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE
USER, PASSWORD = "worker", "right"

_KNOWN_WITHIN_S = 10.0

Grant = tuple[ResourceType, str, AclOperation]


class SecuredBroker:
    """`open` lets everybody do everything; `guarded` only who has a password do what was granted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports: set[int] = set()
        while len(ports) < 3:
            ports.add(free_port())
        self._open, self._guarded, self._controller = sorted(ports)
        self.node = self._with_password(PASSWORD)

    @property
    def open(self) -> Connection:
        return Connection(f"127.0.0.1:{self._open}")

    def guarded(self, password: str = PASSWORD) -> Connection:
        return Connection(f"127.0.0.1:{self._guarded}", "SASL_PLAINTEXT", "PLAIN", USER, password)

    def grant(self, grants: Iterable[Grant]) -> None:
        """These, and no other than these."""
        admin = AdminClient({"bootstrap.servers": self.open.brokers}, logger=logging.getLogger("rdkafka"))
        whatever = AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        for future in admin.delete_acls([whatever]).values():
            future.result()
        bindings = [
            AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{USER}", "*", operation, AclPermissionType.ALLOW)
            for kind, name, operation in grants
        ]
        if bindings:
            for future in admin.create_acls(bindings).values():
                future.result()
        deadline = time.monotonic() + _KNOWN_WITHIN_S  # the controller knows them at once, the broker a little later
        while set(admin.describe_acls(whatever).result()) != set(bindings):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def comes_back_with(self, password: str) -> None:
        """Kill it, and start it with another password for the user."""
        self.node.kill()
        self.node = self._with_password(password)
        self.node.start()

    def _with_password(self, password: str) -> EmbeddedBroker:
        login = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{password}";'
        at = f"PLAINTEXT://127.0.0.1:{self._open},GUARDED://127.0.0.1:{self._guarded}"
        extra = {
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller}",
            "listeners": f"{at},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": at,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,GUARDED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.guarded.plain.sasl.jaas.config": login,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        return EmbeddedBroker(self._folder, port=self._open, node=NodeSettings(extra=tuple(extra.items())))
