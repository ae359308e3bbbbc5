"""What an operator sees of a Kafka that is away: a few lines of log, the state in metrics, /readyz; and full disks."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from callbus.broker import EmbeddedBroker
from callbus.broker.ports import free_port
from tests.cli import ROOT, TOPOLOGY, callbus
from tests.integration.observed import Running, eventually, publish, running, said

pytestmark = pytest.mark.broker

STATE = "callbus_group_state"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker of one's own with every topic of the graph."""
    with EmbeddedBroker(tmp_path_factory.mktemp("shown") / "kafka") as broker:
        where = ("--brokers", broker.bootstrap_servers, "--topology", TOPOLOGY)
        assert callbus("topics", "apply", *where).exit_code == 0
        yield broker


def repeats(worker: Running, start: int) -> bool:
    """Whether aiokafka has said one same thing twice since this line of the worker's log."""
    lines = [json.loads(line) for line in worker.log[start:] if line.startswith("{")]
    said = Counter((line["logger"], line["event"]) for line in lines if line["logger"].startswith("aiokafka"))
    return any(times > 1 for times in said.values())


def test_an_outage_as_the_operator_sees_it(kafka: EmbeddedBroker) -> None:
    """Not ready, for the reason that Kafka does not answer; ready again by itself; and no flood in the log."""
    with running("documents", "--brokers", kafka.bootstrap_servers) as worker:
        worker.ready("documents")
        before = len(worker.log)
        kafka.kill()
        eventually(lambda: worker.ask.get("/readyz").status_code == 503, worker)
        assert worker.ask.get("/readyz").json()["reasons"] == ["documents: waiting_for_kafka, Kafka does not answer"]
        assert worker.sample(STATE, group="documents", callbus_group_state="waiting_for_kafka") == 1
        assert worker.ask.get("/livez").status_code == 200
        eventually(lambda: repeats(worker, before), worker)  # the outage is longer than a line is held back
        kafka.start()
        assert worker.ready("documents")["state"] == "running"
        assert worker.sample(STATE, group="documents", callbus_group_state="waiting_for_kafka") == 0
        publish(kafka.bootstrap_servers, 3, *(said("call", n) for n in range(20)))
        eventually(lambda: worker.sample("callbus_committed_inputs_total", group="documents") == 20, worker)
        assert worker.end() == 0
    lines = worker.log[before:]
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert (events.count("kafka_away"), events.count("kafka_back")) == (1, 1)
    assert len(lines) < 60, "".join(lines)


@contextmanager
def logging_to(target: str, brokers: str) -> Iterator[tuple["subprocess.Popen[bytes]", httpx.Client]]:
    """`callbus run documents` whose log goes to this shell redirection."""
    port = free_port()
    command = f"exec {sys.executable} -m callbus run documents --brokers {brokers} --http 127.0.0.1:{port} --member 0"
    process = subprocess.Popen(["bash", "-c", f"{command} {target}"], cwd=ROOT)
    try:
        yield process, httpx.Client(base_url=f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("target", ["2>/dev/full", "2>&-", "2> >(exec true)"])
def test_a_log_that_can_not_be_written_stops_nobody(kafka: EmbeddedBroker, target: str) -> None:
    """A full disk, a closed stderr, a reader that is gone."""
    with logging_to(target, kafka.bootstrap_servers) as (process, ask):
        deadline = time.monotonic() + 60
        ready = False
        while not ready:
            assert process.poll() is None
            assert time.monotonic() < deadline
            with suppress(httpx.HTTPError):
                ready = ask.get("/readyz").status_code == 200
            time.sleep(0.05)
        publish(kafka.bootstrap_servers, 2, b"junk")
        while 'dead_letters_total{error="CodecError",group="documents"} 1.0' not in ask.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
        assert process.wait(30) == 0
