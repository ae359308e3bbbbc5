"""callbus.observe.tracing and the world: exporters by the standard environment variables; nothing unless asked for."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from callbus import cloudevents
from callbus.errors import InputError
from callbus.observe import tracing
from callbus.observe.tracing import context_of, exporters_of
from callbus.topology import load
from callbus.worker.records import Input, OutRecord
from tests.builders import chunk, utterance
from tests.collector import collecting

ROOT = Path(__file__).parents[2]
GROUP = load(ROOT / "topology.yaml").group("transcription")


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "qa"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["console", "otlp"]),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, []),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, []),
    ],
)
def test_the_environment_says_where_to(environment: Mapping[str, str], found: list[str]) -> None:
    """By the names that OpenTelemetry gives to every language; nothing said is nothing sent."""
    assert exporters_of(environment) == found


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "no exporter zipkin; there are otlp, console and none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "grpc is not here; set http/protobuf",
        ),
    ],
)
def test_what_is_not_here_is_an_error(environment: Mapping[str, str], said: str) -> None:
    """An operator who asks for traces must not wait for them in vain."""
    with pytest.raises(InputError, match=said):
        exporters_of(environment)


def test_nothing_is_imported_where_nothing_is_recorded() -> None:
    """A worker that nobody traces pays neither the import nor a span."""
    code = (
        "import sys; from callbus.observe import tracing; from callbus.topology import load\n"
        "tracing.configure('callbus')\n"
        "tracing.record_batch(load(__import__('pathlib').Path('topology.yaml')).group('ner'), [], [], 0, 1)\n"
        "tracing.shutdown()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {"PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("named", [None, "helpline-north"])
def test_spans_reach_a_collector(named: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over OTLP, as the environment says; what is left is sent at the end; OTEL_SERVICE_NAME names the service."""
    audio, said = chunk(), utterance()
    came = Input("call-audio", 3, 0, b"call", b"", cloudevents.headers(audio, "player"), 0)
    made = OutRecord("transcripts", 3, b"call", b"", cloudevents.headers(said, GROUP.name))
    context = context_of(made.headers)
    assert context
    if named:
        monkeypatch.setenv("OTEL_SERVICE_NAME", named)
    with collecting() as collected:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.address)
        tracing.configure("callbus")
        try:
            tracing.record_batch(GROUP, [came], [made], 1_000, 2_000)
        finally:
            tracing.shutdown()
        tracing.record_batch(GROUP, [came], [made], 1_000, 2_000)  # over: nothing is sent any more
    sent, batch = collected.spans
    assert (sent.name, batch.name) == ("send transcripts", "process transcription")
    assert (sent.trace_id, sent.span_id) == (context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big"))
    assert collected.services == {named or "callbus"}
