"""One Kafka for a test run, whichever it is: tests ask for `broker` and get bootstrap servers.

`CALLBUS_TEST_BROKERS` chooses: unset for the embedded broker, `docker` for a container, else an address
(`host:port,…`). Under pytest-xdist all workers share one embedded broker, so name topics and groups
uniquely in each test.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from callbus.broker import EmbeddedBroker, NodeSettings, start_detached, stop_detached
from callbus.broker.ports import answers, free_port
from callbus.broker.settings import new_cluster_id

CHOICE = "CALLBUS_TEST_BROKERS"
IMAGE = "confluentinc/cp-kafka:8.0.0"


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of the Kafka that `CALLBUS_TEST_BROKERS` chooses."""
    with chosen_broker(os.environ.get(CHOICE, ""), tmp_path_factory.getbasetemp()) as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture(scope="session")
def docker_broker() -> Iterator[str]:
    """Bootstrap servers of a Kafka in a container; skips where no Docker engine answers."""
    if reason := why_no_docker():
        pytest.skip(f"no Docker engine answers: {reason}")
    with docker_kafka() as bootstrap_servers:
        yield bootstrap_servers


def chosen_broker(choice: str, basetemp: Path) -> AbstractContextManager[str]:
    """`choice` as in `CALLBUS_TEST_BROKERS`; `basetemp` is pytest's folder for this session."""
    if choice == "docker":
        return docker_kafka()
    if choice:
        return given_kafka(choice)
    if "PYTEST_XDIST_WORKER" in os.environ:
        return shared_embedded_kafka(basetemp.parent, owner_pid=os.getppid())
    return shared_embedded_kafka(basetemp, owner_pid=os.getpid())


@contextmanager
def given_kafka(bootstrap_servers: str) -> Iterator[str]:
    """Somebody else's: nothing to start, nothing to stop."""
    yield bootstrap_servers


@contextmanager
def shared_embedded_kafka(root: Path, owner_pid: int) -> Iterator[str]:
    """One embedded broker for all who name the same `root`: the first starts it, the last ends it.

    `owner_pid` is the process that none of them outlives (pytest itself, or xdist's controller):
    the broker goes with it even when a worker was killed and never counted itself out.
    """
    data_dir = root / "kafka"
    lock = FileLock(root / "kafka.lock")
    with lock:
        bootstrap_servers = start_detached(data_dir, port=0, owner_pid=owner_pid).bootstrap_servers
        _add_users(root, 1)
    try:
        assert bootstrap_servers
        yield bootstrap_servers
    finally:
        with lock:
            if _add_users(root, -1) == 0:
                stop_detached(data_dir)
                shutil.rmtree(data_dir, ignore_errors=True)


@contextmanager
def docker_kafka() -> Iterator[str]:
    """A Kafka (KRaft) container by testcontainers."""
    from testcontainers.community.kafka import KafkaContainer  # only where Docker is

    with KafkaContainer(IMAGE).with_kraft() as container:
        yield container.get_bootstrap_server()


def why_no_docker() -> str | None:
    """None when a Docker engine answers, else what its client says."""
    from testcontainers.core.docker_client import DockerClient  # only where a test asks

    try:
        DockerClient().client.ping()
    except Exception as fault:  # the client has a dozen ways to say that nobody is there
        return str(fault)
    return None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Several nodes, each broker and controller, by node id."""

    nodes: dict[int, EmbeddedBroker]

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(node.bootstrap_servers for node in self.nodes.values())

    def wait_until_whole(self, limit_s: float = 60.0) -> None:
        """Return when every running node tells of every other."""
        running = {number: node for number, node in self.nodes.items() if node.alive}
        deadline = time.monotonic() + limit_s
        for node in running.values():
            for number in running:
                while not answers(node.port, number):
                    assert time.monotonic() < deadline, f"node {number} is not known at {node.bootstrap_servers}"
                    time.sleep(0.1)


@contextmanager
def three_brokers(folder: Path) -> Iterator[Cluster]:
    """Three embedded nodes (KRaft, combined mode): everything is on all of them, and two must have it."""
    ports: set[int] = set()
    while len(ports) < 6:
        ports.add(free_port())
    broker_ports, controller_ports = sorted(ports)[:3], sorted(ports)[3:]
    voters, cluster_id = tuple(enumerate(controller_ports, 1)), new_cluster_id()
    nodes = {
        number: EmbeddedBroker(
            folder / f"node-{number}",
            port=port,
            node=NodeSettings(
                node_id=number, voters=voters, cluster_id=cluster_id, replication_factor=3, min_insync_replicas=2
            ),
        )
        for number, port in enumerate(broker_ports, 1)
    }
    cluster = Cluster(nodes)
    try:
        for node in nodes.values():
            node.launch()
        for node in nodes.values():
            node.wait_until_answering()
        cluster.wait_until_whole()
        yield cluster
    finally:
        for node in nodes.values():
            node.kill()  # nothing of it is needed any more, and in order each would wait for the others


def _add_users(root: Path, change: int) -> int:
    """How many use the broker now; the caller holds the lock."""
    file = root / "kafka.users"
    users = (int(file.read_text()) if file.exists() else 0) + change
    file.write_text(str(users))
    return users
