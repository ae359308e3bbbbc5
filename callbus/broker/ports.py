"""Ports of 127.0.0.1: a free one, one that is taken, one where Kafka answers."""

import logging
import random
import socket

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from callbus.errors import BrokerError

# Below Linux's ephemeral range: there, a client that keeps reconnecting to a stopped broker can get the
# port as its own source port, connect to itself, and keep the broker from coming back.
PORTS = range(20_000, 32_000)

_silent = logging.getLogger(f"{__name__}.silent")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def free_port(besides: int = 0) -> int:
    """A port nobody listens on now, and not the one that somebody is about to."""
    for port in random.sample(PORTS, len(PORTS)):
        if port != besides and not is_taken(port):
            return port
    raise BrokerError(f"no free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1; close something")


def is_taken(port: int) -> bool:
    """Whether a listener of ours would be refused; connections in TIME_WAIT don't count, as for Java."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def answers(port: int, node_id: int = 1) -> bool:
    """Whether Kafka's metadata, asked at `port`, lists this node: it does once the node takes part."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"}, logger=_silent)
    try:
        return node_id in admin.list_topics(timeout=2).brokers
    except KafkaException:
        return False
