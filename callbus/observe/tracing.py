"""One OpenTelemetry trace per call, through all stages: what of a batch becomes which span, and whether any does.

The trace context of an event stands in its header `traceparent` and follows from its call and its id
(`callbus/cloudevents.py`). So nothing is passed on from stage to stage: each makes the span whose id its output has
already got, below the span whose id its input brought. By the semantic conventions for messaging that is the output's
*creation context*; beside it each batch has a span in a trace of its own, with a link to every input.

Nothing is imported or recorded unless the standard environment variables ask for it: `OTEL_EXPORTER_OTLP_ENDPOINT` (or
`…_TRACES_ENDPOINT`), or `OTEL_TRACES_EXPORTER`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callbus.errors import InputError
from callbus.topology import Group
from callbus.worker.records import Headers, Input, OutRecord

if TYPE_CHECKING:
    from callbus.observe.spans import Spans

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_LINKS = 128  # from one output: a call that floods a batch would else cost the square of its inputs

_spans: "Spans | None" = None


@dataclass(frozen=True, slots=True)
class Context:
    """The trace context of an event (W3C Trace Context § 3.2)."""

    trace_id: int
    span_id: int
    flags: int


@dataclass(frozen=True, slots=True)
class Made:
    """An output event of a batch, and what it came from. `parent` is in the same trace, `links` need not be."""

    record: OutRecord
    context: Context
    parent: Context | None
    links: Sequence[Context]


def configure(service: str) -> None:
    """Begin to record if the environment says so. `service` is the name unless OTEL_SERVICE_NAME gives one.

    InputError for an exporter or a protocol that is not here.
    """
    global _spans  # noqa: PLW0603  # one per process, as in OpenTelemetry itself
    if exporters := exporters_of(os.environ):
        from callbus.observe.spans import Spans, exporter

        _spans = Spans(service, [exporter(name) for name in exporters])


def record_batch(
    group: Group, inputs: Sequence[Input], outputs: Sequence[OutRecord], start_ns: int, end_ns: int
) -> None:
    """Record a committed batch; times are Unix times in nanoseconds. Costs nothing where nothing is recorded."""
    if _spans is not None:
        _spans.record(group, inputs, outputs, start_ns, end_ns)


def shutdown() -> None:
    """Send what is recorded and end. Blocks for as long as the exporter takes, at most some ten seconds."""
    global _spans
    spans, _spans = _spans, None
    if spans is not None:
        spans.shutdown()


def exporters_of(environment: Mapping[str, str]) -> list[str]:
    """The exporters that these variables ask for: "otlp", "console"; none by default. InputError if one is not here."""
    asked = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    if not asked:
        asked = "otlp" if any(environment.get(name) for name in endpoint) else "none"
    names = [name for name in map(str.strip, asked.split(",")) if name not in ("", "none")]
    if not names or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    if unknown := [name for name in names if name not in ("otlp", "console")]:
        raise InputError(f"OTEL_TRACES_EXPORTER: no exporter {', '.join(unknown)}; there are otlp, console and none")
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if "otlp" in names and protocol not in (None, "", "http/protobuf"):
        raise InputError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL: {protocol} is not here; set http/protobuf, and the collector's port 4318"
        )
    return names


def context_of(headers: Headers) -> Context | None:
    """The trace context among these headers; None if there is none that is valid."""
    value = next((value for name, value in headers if name == "traceparent"), None)
    found = _TRACEPARENT.fullmatch(value) if value else None
    return Context(int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None


def lineage(group: Group, inputs: Sequence[Input], outputs: Sequence[OutRecord]) -> list[Made]:
    """The new events of a batch, each below the last input of its call; the call's other inputs are linked.

    States and what waits for another attempt are no new events: they have no context of their own.
    """
    came: dict[bytes | None, list[Context]] = {}
    for message in inputs:
        if (context := context_of(message.headers)) is not None:
            came.setdefault(message.key, []).append(context)
    found = []
    for record in outputs:
        context = context_of(record.headers) if record.topic != group.retries else None
        if context is None:
            continue
        origins = came.get(record.key, [])
        parent = next((origin for origin in reversed(origins) if origin.trace_id == context.trace_id), None)
        links = [origin for origin in origins[-_LINKS - 1 :] if origin is not parent]
        found.append(Made(record, context, parent, links))
    return found
