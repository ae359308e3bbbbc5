"""Kafka as docker-compose.kafka.yml configures it, run without Docker.

The image hands its KAFKA_ variables to a class of Kafka itself (`kafka.docker.KafkaDockerWrapper`), which writes
server.properties and formats the storage. That class is in our jars, so the same variables meet the same code here.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from callbus.broker.jars import fetch_jars
from callbus.broker.ports import answers, free_port
from callbus.broker.storage import java_command, java_environment

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
LOGGING = "Configuration: {Appenders: {}, Loggers: {Root: {level: WARN}, Logger: []}}"


def on_this_machine(variables: dict[str, object], data: Path, ports: dict[str, int]) -> dict[str, str]:
    """The variables with this machine's names, ports and folder in place of the container's."""
    found = {name: str(value) for name, value in variables.items()}
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
    return found | {
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "KAFKA_LISTENERS": listeners,
        "KAFKA_ADVERTISED_LISTENERS": listeners.rpartition(",")[0],
        "KAFKA_LOG_DIRS": str(data),
    }


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A node with the compose file's settings; the address is the listener that the groups use."""
    compose = yaml.safe_load((ROOT / "docker-compose.kafka.yml").read_text("utf-8"))
    ports = {name: free_port() for name in ("INSIDE", "HOST", "CONTROLLER")}
    variables = on_this_machine(compose["services"]["kafka"]["environment"], tmp_path / "data", ports)
    for folder in ("defaults", "mounted", "final", "tmp"):
        (tmp_path / folder).mkdir()
    for name, text in {"server.properties": "", "log4j2.yaml": LOGGING, "tools-log4j2.yaml": LOGGING}.items():
        (tmp_path / "defaults" / name).write_text(text)
    (tmp_path / "logging.properties").write_text(".level=WARNING\n")
    folders = ("--default-configs-dir", "defaults", "--mounted-configs-dir", "mounted", "--final-configs-dir", "final")
    jars = fetch_jars()
    setup = subprocess.run(
        java_command(jars, "quick", "kafka.docker.KafkaDockerWrapper", "setup", *folders),
        cwd=tmp_path,
        env=java_environment() | variables,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert setup.returncode == 0, setup.stdout + setup.stderr
    with (tmp_path / "kafka.log").open("wb") as log:
        node = subprocess.Popen(
            java_command(jars, "quick", "kafka.Kafka", "final/server.properties"),
            cwd=tmp_path,
            env=java_environment(),
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + LIMIT_S
        while not answers(ports["INSIDE"]):
            assert node.poll() is None and time.monotonic() < deadline, (tmp_path / "kafka.log").read_text()
            time.sleep(0.1)
        yield f"127.0.0.1:{ports['INSIDE']}"
    finally:
        node.terminate()
        node.wait(LIMIT_S)


def test_kafka_starts_as_configured_and_takes_the_topics(broker: str) -> None:
    """What the service `topics` runs succeeds against it, and then nothing is left to do."""
    for command, said in (("apply", "Done."), ("plan", "Nothing to do")):
        done = subprocess.run(
            [sys.executable, "-m", "callbus", "topics", command, *(["--yes"] if command == "apply" else [])],
            cwd=ROOT,
            env=os.environ | {"CALLBUS_BROKERS": broker},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert said in done.stdout, done.stdout + done.stderr
