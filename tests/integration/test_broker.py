"""The embedded broker for real: a JVM, a data folder, clients, and every way to end it."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from callbus.broker import EmbeddedBroker, NodeSettings, start_detached, status, stop_detached
from callbus.broker.leash import find, runs
from callbus.broker.ports import free_port
from callbus.errors import BrokerError
from tests.brokers import shared_embedded_kafka

pytestmark = pytest.mark.broker

LIMIT_S = 30.0
# A broker whose owner is killed at once, before and after it answers.
OWNER = """
import os, signal, sys
from callbus.broker import EmbeddedBroker
broker = EmbeddedBroker(sys.argv[1])
broker.launch() if sys.argv[2] == "launched" else broker.start()
print(broker.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
COMMAND = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from callbus.broker import start_detached
print(json.dumps(asdict(start_detached(Path(sys.argv[1]), port=int(sys.argv[2])))))
"""


async def create_topic(bootstrap_servers: str) -> str:
    topic = f"test-{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()
    return topic


async def produce(bootstrap_servers: str, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, enable_idempotence=True, max_request_size=8 * 1024 * 1024
    )
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consume(bootstrap_servers: str, topic: str) -> list[bytes]:
    """Everything in the topic's only partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        lane = TopicPartition(topic, 0)
        consumer.assign([lane])
        end = (await consumer.end_offsets([lane]))[lane]
        values: list[bytes] = []
        while await consumer.position(lane) < end:
            records = await consumer.getmany(lane, timeout_ms=1000)
            values += [record.value for record in records.get(lane, [])]
        return values
    finally:
        await consumer.stop()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def leashes_of(jvm_pid: int) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if (line := process.info["cmdline"] or []) and "leash.py" in " ".join(line) and line[-1] == str(jvm_pid)
    ]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker for this file, in a folder whose name Java properties could not hold unescaped."""
    with EmbeddedBroker(tmp_path_factory.mktemp("data, größe=ü")) as node:
        yield node


async def test_records_survive_a_stop_and_a_kill(own: EmbeddedBroker) -> None:
    """Produced is consumed; after stop and after kill -9 the same port and folder bring everything back."""
    where = own.bootstrap_servers
    topic = await create_topic(where)
    await produce(where, topic, b"one")
    own.stop()
    assert not own.alive
    own.start()
    await produce(where, topic, b"two")
    own.kill()
    assert not own.alive
    own.start()
    await produce(where, topic, b"three")
    assert own.bootstrap_servers == where
    assert await consume(where, topic) == [b"one", b"two", b"three"]


async def test_a_record_of_nearly_8_mib_passes(own: EmbeddedBroker) -> None:
    """A long recording's transcript fits into one message."""
    topic = await create_topic(own.bootstrap_servers)
    value = os.urandom(8 * 1024 * 1024 - 1000)
    await produce(own.bootstrap_servers, topic, value)
    assert await consume(own.bootstrap_servers, topic) == [value]


def test_it_listens_on_this_machine_only(own: EmbeddedBroker) -> None:
    """No socket of the JVM is open to another machine."""
    listening = [c.laddr for c in psutil.Process(own.pid).net_connections("tcp") if c.status == "LISTEN"]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert own.port in {address.port for address in listening}


def test_ctrl_c_in_the_terminal_does_not_reach_it(own: EmbeddedBroker) -> None:
    """It is in a session of its own, so it is ended by us and in our order."""
    assert own.pid is not None
    assert os.getsid(own.pid) == own.pid


def test_a_port_in_use_is_named(own: EmbeddedBroker, tmp_path: Path) -> None:
    """A second broker on the same port says which port, and starts no JVM."""
    second = EmbeddedBroker(tmp_path, port=own.port)
    with pytest.raises(BrokerError, match=f"port {own.port} on 127.0.0.1 is in use"):
        second.start()
    assert not second.alive


def test_kafka_s_own_words_about_a_port_are_understood(own: EmbeddedBroker, tmp_path: Path) -> None:
    """When the port is taken between our look and Kafka's bind, the JVM's log gives the same answer."""
    late = NodeSettings(
        extra=(("listeners", f"PLAINTEXT://127.0.0.1:{own.port},CONTROLLER://127.0.0.1:{free_port()}"),)
    )
    second = EmbeddedBroker(tmp_path, node=late)
    with pytest.raises(BrokerError, match=r"port \d+ is in use by another program"):
        second.start()
    assert not second.alive


def test_a_folder_in_use_is_named(own: EmbeddedBroker) -> None:
    """Two brokers never write into one folder."""
    with pytest.raises(BrokerError, match=r"another broker is using .*größe"):
        EmbeddedBroker(own.data_dir).start()
    assert own.alive


def test_a_folder_that_is_not_a_broker_s_is_refused(tmp_path: Path) -> None:
    """Storage without Kafka's own marks is left as it is, with a message that says so."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(BrokerError, match="is not a broker's data folder, or is damaged"):
        EmbeddedBroker(tmp_path).start()
    assert (tmp_path / "data" / "holiday.jpg").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file in the way: one message with the place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match=r"can't keep the broker's data in .*file/data"):
        EmbeddedBroker(tmp_path / "file" / "data").start()


@pytest.mark.parametrize("moment", ["launched", "answering"])
def test_it_dies_with_its_owner(tmp_path: Path, moment: str) -> None:
    """kill -9 of the process that started it, at once or later, leaves neither JVM nor leash."""
    owner = subprocess.run(
        [sys.executable, "-c", OWNER, str(tmp_path), moment], capture_output=True, text=True, check=False
    )
    assert owner.returncode == -9, owner.stderr
    pid = int(owner.stdout)
    assert eventually(lambda: not runs(find(pid)))
    assert eventually(lambda: not leashes_of(pid))


def test_a_stop_leaves_no_process(tmp_path: Path) -> None:
    """After `with` neither the JVM nor its leash is left."""
    with EmbeddedBroker(tmp_path) as node:
        pid = node.pid
        assert pid is not None
        assert leashes_of(pid)
    assert find(pid) is None
    assert not leashes_of(pid)


def test_a_detached_broker_outlives_its_command_until_it_is_stopped(tmp_path: Path) -> None:
    """Start, look, start again (the same one), refuse another port, survive a kill -9, stop."""
    port = free_port()
    command = [sys.executable, "-c", COMMAND, str(tmp_path), str(port)]
    try:
        first = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        seen = status(tmp_path)
        assert (seen.running, seen.answering, seen.port, seen.pid) == (True, True, port, first["pid"])
        assert seen.memory_bytes is not None
        assert 50e6 < seen.memory_bytes < 600e6
        assert not leashes_of(first["pid"])
        assert start_detached(tmp_path, port=port).pid == first["pid"]
        with pytest.raises(BrokerError, match=f"runs already, on port {port} and not {port + 1}"):
            start_detached(tmp_path, port=port + 1)

        psutil.Process(first["pid"]).kill()
        assert eventually(lambda: not status(tmp_path).running)
        second = start_detached(tmp_path, port=port)
        assert second.pid != first["pid"]
        assert second.answering
    finally:
        assert stop_detached(tmp_path)
    assert not status(tmp_path).running
    assert not stop_detached(tmp_path)


def test_the_shared_test_broker_ends_with_its_last_user(tmp_path: Path) -> None:
    """Two workers get the same broker; the first to leave does not end it, the last one does."""
    with shared_embedded_kafka(tmp_path, os.getpid()) as first:
        with shared_embedded_kafka(tmp_path, os.getpid()) as second:
            assert first == second
        seen = status(tmp_path / "kafka")
        assert seen.answering
    assert seen.pid is not None
    assert not runs(find(seen.pid))
    assert not (tmp_path / "kafka").exists()


async def test_the_fixture_serves_records(broker: str) -> None:
    """Whichever Kafka the tests run on, a record goes through it."""
    topic = await create_topic(broker)
    await produce(broker, topic, b"hello")
    assert await consume(broker, topic) == [b"hello"]


async def test_docker_kafka_serves_the_same_interface(docker_broker: str) -> None:
    """Where a Docker engine answers, a container does what the embedded broker does."""
    topic = await create_topic(docker_broker)
    await produce(docker_broker, topic, b"hello")
    assert await consume(docker_broker, topic) == [b"hello"]
