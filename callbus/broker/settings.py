"""What a node of the embedded Kafka is told: its server.properties, its logging and its JVM flags. Pure.

Paths are relative to the data folder, which is the broker's working directory: Java reads properties as
Latin-1 and splits `log.dirs` at commas, and a home folder may hold either.
"""

import base64
import uuid
from dataclasses import dataclass
from typing import Literal

Jvm = Literal["quick", "fast"]
"""`quick` starts in under 2 s and stays near 300 MB; `fast` is for measuring throughput (C2, 1 GB heap)."""

JVM_FLAGS: dict[Jvm, tuple[str, ...]] = {
    "quick": ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    "fast": ("-Xmx1g", "-Xms1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
}
COMMON_FLAGS = (
    "-XX:+ExitOnOutOfMemoryError",  # a broker that limps on after it is worse than one that is gone
    "-XX:-UsePerfData",  # it leaves a file in the system's temp folder after a kill -9
    "--sun-misc-unsafe-memory-access=allow",  # Kafka 4.2 on Java 25 warns about itself otherwise
    "-Djava.awt.headless=true",
    "-Djava.io.tmpdir=tmp",
    "-Djava.util.logging.config.file=logging.properties",
)
DATA_FOLDER = "data"
LOG_FILE = "logs/broker.0.log"
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
INTERNAL_PARTITIONS = 5
OFFSETS_KEPT_MINUTES = 400 * 24 * 60

LOGGING_PROPERTIES = """\
handlers=java.util.logging.FileHandler
.level=WARNING
java.util.logging.FileHandler.pattern=logs/broker.%g.log
java.util.logging.FileHandler.append=true
java.util.logging.FileHandler.limit=10000000
java.util.logging.FileHandler.count=2
java.util.logging.FileHandler.formatter=java.util.logging.SimpleFormatter
java.util.logging.SimpleFormatter.format=%1$tFT%1$tT.%1$tL%1$tz %4$s %3$s %5$s%6$s%n
"""


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """One node's place in its cluster. The default is a cluster of one.

    `voters`: (node id, controller port) of every node when there are several, this one among them; they
    need the same `cluster_id`, and `replication_factor` ≤ their number. All on 127.0.0.1.
    `extra`: further server.properties, which win over ours.
    """

    node_id: int = 1
    voters: tuple[tuple[int, int], ...] = ()
    cluster_id: str = ""
    replication_factor: int = 1
    min_insync_replicas: int = 1
    extra: tuple[tuple[str, str], ...] = ()


def new_cluster_id() -> str:
    """A random id as Kafka writes them: 16 bytes in URL-safe base64, never beginning with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def server_properties(node: NodeSettings, *, port: int, controller_port: int) -> str:
    """The text of server.properties for Kafka ≥ 4.0 in KRaft's combined mode (broker and controller)."""
    if node.voters:
        controller_port = dict(node.voters)[node.node_id]
        voters = ",".join(f"{voter}@127.0.0.1:{at}" for voter, at in node.voters)
        quorum = {"controller.quorum.voters": voters}
    else:
        quorum = {"controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}"}
    replicas, in_sync = str(node.replication_factor), str(node.min_insync_replicas)
    properties = {
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        **quorum,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": DATA_FOLDER,
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": str(INTERNAL_PARTITIONS),
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": str(INTERNAL_PARTITIONS),
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": str(INTERNAL_PARTITIONS),
        "group.initial.rebalance.delay.ms": "0",
        # After a kill -9 the controller waits this long for the dead incarnation; Kafka's default is 9 s.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
        # A group that stands still keeps its place for as long as any input is kept: Kafka's default is a week, and
        # who comes back without offsets does all of it twice.
        "offsets.retention.minutes": str(OFFSETS_KEPT_MINUTES),
        # What a topic does not say itself: a week, in files small enough for retention to bite on a laptop.
        "log.retention.hours": "168",
        "log.segment.bytes": str(128 * 1024 * 1024),
        # Kafka's default takes 128 MB of the heap at the first compaction; this holds 700,000 keys a pass.
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        **dict(node.extra),
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())
