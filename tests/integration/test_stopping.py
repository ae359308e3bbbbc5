"""A worker process whose model call goes on and on: as its operator sees it, and how it is stopped."""

import signal
import time
from collections.abc import Iterator

import pytest

from callbus.broker import EmbeddedBroker
from tests.cli import callbus
from tests.integration.observed import Running, eventually, publish, running, said

pytestmark = pytest.mark.broker

# A model that never comes back, and a drain limit of a second.
HANGS = """
import time
from callbus.worker.limits import Limits
from consumers import documents
Limits.__init__.__defaults__ = (*Limits.__init__.__defaults__[:-1], 1_000)
assert Limits().drain_ms == 1_000
class Hangs:
    def advance(self, slices):
        time.sleep(120)
documents.load = lambda settings: Hangs()
"""
LEAVES_WITHIN_S = 15.0  # the drain, and the goodbyes to Kafka; a call that is waited for takes two minutes


@pytest.fixture
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With an event in the hands of its model."""
    with EmbeddedBroker(tmp_path_factory.mktemp("stopping") / "kafka") as broker:
        assert callbus("topics", "apply", "--brokers", broker.bootstrap_servers).exit_code == 0
        with running("documents", "--brokers", broker.bootstrap_servers, first=HANGS) as worker:
            worker.ready("documents")
            publish(broker.bootstrap_servers, 5, said("call", 0))
            eventually(lambda: worker.sample("callbus_handler_running_seconds", group="documents"), worker)
            yield worker


def test_what_the_model_has_in_hand_is_lag(worker: Running) -> None:
    """Nothing is queued or left to fetch, and yet it is not committed: it must not look as if all were well."""
    where = {"topic": "entities", "lane": "5"}
    eventually(lambda: (worker.sample("callbus_lag_seconds", **where) or 0) > 1, worker)
    assert worker.sample("callbus_lag_events", **where) == 1
    assert worker.sample("callbus_queued_events", group="documents", lane="5") == 0
    assert worker.sample("callbus_lag_events", topic="entities", lane="4") == 0


def test_one_signal_is_enough(worker: Running) -> None:
    """It drains within its limit, says that it gave up, leaves, and ends; nothing is committed of what hangs."""
    told_s = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - told_s < LEAVES_WITHIN_S
    log = "".join(worker.log)
    assert "drain_timed_out" in log
    assert '"left"' in log


def test_a_second_signal_ends_it_at_once(worker: Running) -> None:
    """Exit code 130, and one line that says so."""
    worker.process.send_signal(signal.SIGTERM)
    eventually(lambda: any("finish and leave" in line for line in worker.log), worker)
    told_s = time.monotonic()
    assert worker.end() == 130
    assert time.monotonic() - told_s < LEAVES_WITHIN_S
    assert "stopped by a second signal" in worker.log[-1]
