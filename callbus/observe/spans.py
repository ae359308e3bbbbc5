"""Batches as OpenTelemetry spans, by the semantic conventions for messaging and for Kafka.

No attribute carries what was said, a name, or the reason of a reject.
"""

import os
from collections.abc import Sequence
from typing import Any

from opentelemetry.context import Context as Ambient
from opentelemetry.sdk.environment_variables import OTEL_SPAN_LINK_COUNT_LIMIT
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context

from callbus.observe.tracing import Context, Made, context_of, lineage
from callbus.topology import Group
from callbus.worker.records import Headers, Input, OutRecord


def exporter(name: str) -> SpanExporter:
    """Makes the exporter "otlp" or "console", which reads the rest of its settings from the environment."""
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


class _Given(RandomIdGenerator):
    """Gives the next span the ids that its event has already; random ones if it has none."""

    def __init__(self) -> None:
        self.context: Context | None = None

    def generate_span_id(self) -> int:
        return self.context.span_id if self.context else super().generate_span_id()

    def generate_trace_id(self) -> int:
        return self.context.trace_id if self.context else super().generate_trace_id()

    def is_trace_id_random(self) -> bool:
        return self.context is None


class Spans:
    """Records batches, and exports them from a thread of its own. Call it from one thread.

    A sampler (OTEL_TRACES_SAMPLER) that goes by the trace id keeps or drops whole calls, in every stage alike.
    """

    def __init__(self, service: str, exporters: Sequence[SpanExporter]) -> None:
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        # A batch has a link to every input, unless the environment says how many at most.
        links = None if OTEL_SPAN_LINK_COUNT_LIMIT in os.environ else SpanLimits.UNSET
        self._ids = _Given()
        self._provider = TracerProvider(
            resource=Resource.create({} if named else {"service.name": service}),
            span_limits=SpanLimits(max_links=links),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        for each in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(each))
        self._tracer = self._provider.get_tracer("callbus")

    def record(
        self, group: Group, inputs: Sequence[Input], outputs: Sequence[OutRecord], start_ns: int, end_ns: int
    ) -> None:
        """A span for each output event, in its call's trace, and one for the batch, in its own."""
        links: dict[int, Link] = {}  # of each origin once, by its identity: outputs of one call share theirs
        for made in lineage(group, inputs, outputs):
            for origin in made.links:
                if id(origin) not in links:
                    links[id(origin)] = Link(_remote(origin))
            self._record_output(group, made, [links[id(origin)] for origin in made.links], start_ns, end_ns)
        if not inputs:
            return  # a part of a long piece of work, or a call that fell silent
        batch = self._tracer.start_span(
            f"process {group.name}",
            context=Ambient(),
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.consumer.group.name": group.name,
                "messaging.batch.message_count": len(inputs),
                **_shared(inputs),
            },
            links=_links(inputs),
            start_time=start_ns,
        )
        batch.end(end_ns)

    def shutdown(self) -> None:
        """Export what is left, and end."""
        self._provider.shutdown()

    def _record_output(self, group: Group, made: Made, links: Sequence[Link], start_ns: int, end_ns: int) -> None:
        record = made.record
        above = NonRecordingSpan(_remote(made.parent)) if made.parent else None
        self._ids.context = made.context
        try:
            span = self._tracer.start_span(
                f"send {record.topic}",
                context=set_span_in_context(above, Ambient()) if above else Ambient(),
                kind=SpanKind.PRODUCER,
                attributes={
                    "messaging.system": "kafka",
                    "messaging.operation.name": "send",
                    "messaging.operation.type": "send",
                    "messaging.destination.name": record.topic,
                    "messaging.destination.partition.id": str(record.partition),
                    "messaging.consumer.group.name": group.name,
                    "messaging.message.body.size": len(record.value or b""),
                    **_identity(record.key, record.headers),
                },
                links=links,
                start_time=start_ns,
            )
        finally:
            self._ids.context = None
        if record.topic == group.dead_letters:
            span.set_status(Status(StatusCode.ERROR))  # why stands in the letter
        span.end(end_ns)


def _remote(context: Context) -> SpanContext:
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=TraceFlags(context.flags))


def _identity(key: bytes | None, headers: Headers) -> dict[str, str]:
    """Which event of which call."""
    event_id = next((value for name, value in headers if name == "ce_id"), None)
    return {
        "messaging.message.conversation_id": (key or b"").decode(errors="replace"),
        "messaging.message.id": (event_id or b"").decode(errors="replace"),
    }


def _shared(inputs: Sequence[Input]) -> dict[str, str]:
    """What all inputs of a batch have in common of where they come from."""
    topics, lanes = {message.topic for message in inputs}, {message.lane for message in inputs}
    found = {"messaging.destination.name": next(iter(topics))} if len(topics) == 1 else {}
    if found and len(lanes) == 1:
        found["messaging.destination.partition.id"] = str(next(iter(lanes)))
    return found


def _links(inputs: Sequence[Input]) -> list[Link]:
    linked: list[Link] = []
    for message in inputs:
        if (context := context_of(message.headers)) is not None:
            attributes: dict[str, Any] = {
                "messaging.destination.name": message.topic,
                "messaging.destination.partition.id": str(message.lane),
                "messaging.kafka.message.offset": message.offset,
            }
            linked.append(Link(_remote(context), attributes))
    return linked
