"""What an operator sees of a real worker on a real broker: metrics and health over HTTP, traces at a collector."""

import socket
from collections.abc import Iterator

import pytest

from callbus import cloudevents
from callbus.broker import EmbeddedBroker
from tests.cli import TOPOLOGY, callbus, started
from tests.collector import collecting
from tests.integration.observed import LANES, LIMIT_S, eventually, publish, running, said

pytestmark = pytest.mark.broker

EVENTS = 20


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of one's own with every topic of the graph."""
    with EmbeddedBroker(tmp_path_factory.mktemp("observe") / "kafka") as broker:
        where = ("--brokers", broker.bootstrap_servers, "--topology", TOPOLOGY)
        assert callbus("topics", "apply", *where).exit_code == 0
        yield broker.bootstrap_servers


def test_a_faust_group_is_ready_when_it_has_its_lanes(kafka: str) -> None:
    """process.py tells of it what a worker tells of itself."""
    with running("insights", "--brokers", kafka) as worker:
        assert worker.ask.get("/livez").status_code == 200
        told = worker.ready("insights")
        assert told == {"state": "running", "lanes": LANES, "working_for_s": 0.0, "slow": False}
        assert worker.sample("callbus_group_state", group="insights", callbus_group_state="running") == 1
        assert worker.sample("callbus_lanes", group="insights") == len(LANES)
        assert worker.end() == 0


def test_the_metrics_of_a_worker_that_works(kafka: str) -> None:
    """Inputs, batches, transactions, lag by lane, dead letters: of what went through; and no word of what was said."""
    with running("documents", "--brokers", kafka) as worker:
        assert worker.ready("documents")["state"] == "running"
        publish(kafka, 5, *(said("call", n) for n in range(EVENTS)), b"junk")
        eventually(lambda: worker.sample("callbus_committed_inputs_total", group="documents") == EVENTS + 1, worker)

        def count(name: str, **labels: str) -> float:
            return worker.sample(f"callbus_{name}", group="documents", **labels) or 0

        assert count("fetched_events_total") == EVENTS + 1
        assert count("fetched_bytes_total") > EVENTS * 50
        assert count("batch_events_sum") == EVENTS + 1
        assert count("batch_events_count") >= count("handler_seconds_count") > 0  # junk alone is no call of the model
        assert count("handler_seconds_sum") > 0
        assert count("transaction_seconds_count") > 0
        assert count("committed_records_total") >= 3  # a document, a dead letter, and word of it to its call
        assert count("dead_letters_total", error="CodecError") == 1
        assert count("restored_lanes_total") == len(LANES)
        eventually(lambda: worker.sample("callbus_lag_events", topic="entities", lane="5") == 0, worker)
        assert worker.sample("callbus_lag_seconds", topic="entities", lane="5") == 0
        assert (count("queued_events", lane="5"), count("waiting_events", lane="5")) == (0, 0)
        assert worker.sample("process_resident_memory_bytes")
        text = worker.ask.get("/metrics").text + worker.ask.get("/readyz").text
        assert worker.end() == 0
    assert "Amina" not in text + "".join(worker.log)


def test_a_port_in_use_ends_it_with_what_to_do(kafka: str) -> None:
    """Exit code 7, before any model is loaded."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        process = started("run", "documents", "--brokers", kafka, "--http", port)
        told = process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 7
    assert f"callbus: error: can't listen on 127.0.0.1:{port}: another process does already; give --http" in told


def test_a_call_is_a_trace_at_the_collector(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document's span is below the last utterance's, in the call's trace; the batch links all; no text leaves."""
    events = [said("traced", n) for n in range(3)]
    with collecting() as collected:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.address)
        with running("documents", "--brokers", kafka) as worker:
            worker.ready("documents")
            before = worker.sample("callbus_committed_inputs_total") or 0
            publish(kafka, 2, *events)
            eventually(lambda: (worker.sample("callbus_committed_inputs_total") or 0) - before == len(events), worker)
            assert worker.end() == 0
    headers = [cloudevents.traceparent("traced", event.event_id).split("-") for event in events]
    documents = [span for span in collected.spans if span.trace_id.hex() == headers[0][1]]
    assert {span.name for span in documents} == {"send call-documents"}
    assert documents[-1].parent_span_id.hex() == headers[-1][2]
    batches = [span for span in collected.spans if span.name == "process documents"]
    assert {link.span_id.hex() for span in batches for link in span.links} >= {span_id for _, _, span_id, _ in headers}
    assert b"Amina" not in b"".join(request.SerializeToString() for request in collected.requests)
