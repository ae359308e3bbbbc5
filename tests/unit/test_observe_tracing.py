"""callbus.observe.tracing: one trace per call through all stages, and one per batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from callbus import cloudevents
from callbus.observe.spans import Spans
from callbus.observe.tracing import Context, context_of, lineage
from callbus.topology import Group, load
from callbus.worker.records import Input, OutRecord
from callbus.worker.retry_log import Entry, entry_record
from tests.builders import chunk, utterance

ROOT = Path(__file__).parents[2]
TOPOLOGY = load(ROOT / "topology.yaml")
TRANSCRIPTION, TRANSLATION = TOPOLOGY.group("transcription"), TOPOLOGY.group("translation")
START_NS, END_NS = 1_700_000_000_000_000_000, 1_700_000_000_250_000_000


def out(group: Group, topic: str, record: Any, lane: int = 3) -> OutRecord:
    """The record as the group publishes it."""
    return OutRecord(topic, lane, record.call_id.encode(), b"value", cloudevents.headers(record, group.name))


def fetched(record: OutRecord, offset: int = 0) -> Input:
    """The same as the next group fetches it."""
    return Input(record.topic, record.partition, offset, record.key, record.value, record.headers, 0)


def chunks(call_id: str, *sequences: int) -> list[Input]:
    return [fetched(out(TRANSCRIPTION, "call-audio", chunk(call_id, n)), offset=n) for n in sequences]


def spoken(call_id: str, *positions: int) -> list[OutRecord]:
    return [out(TRANSCRIPTION, "transcripts", utterance(call_id, start_ms=n)) for n in positions]


def translated(call_id: str, *names: str) -> list[OutRecord]:
    return [out(TRANSLATION, "translations", utterance(call_id, event_id=f"{call_id}-{name}")) for name in names]


def ids(message: Input | OutRecord) -> tuple[int, int]:
    """Trace and span id of its header."""
    context = context_of(message.headers)
    assert context
    return context.trace_id, context.span_id


def ids_of(context: SpanContext | None) -> tuple[int, int]:
    assert context
    return context.trace_id, context.span_id


class Recorded:
    """What a process exports, in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._spans = Spans("callbus", [self._exporter])

    def batch(self, group: Group, inputs: Sequence[Input], outputs: Sequence[OutRecord]) -> list[ReadableSpan]:
        """The spans of one batch: of its outputs, then of the batch itself."""
        self._exporter.clear()
        self._spans.record(group, inputs, outputs, START_NS, END_NS)
        self._spans._provider.force_flush()
        return list(self._exporter.get_finished_spans())

    def end(self) -> None:
        self._spans.shutdown()


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    spans = Recorded()
    yield spans
    spans.end()


@pytest.fixture
def elsewhere() -> Iterator[Recorded]:
    """Another process."""
    spans = Recorded()
    yield spans
    spans.end()


def test_a_call_is_one_trace_through_two_stages(recorded: Recorded, elsewhere: Recorded) -> None:
    """Each stage's span has the id of its output's header, below the id of its input's: in two processes at that."""
    [said] = spoken("call", 0)
    [english] = translated("call", "english")
    audio = chunks("call", 0)
    first, _ = recorded.batch(TRANSCRIPTION, audio, [said])
    second, _ = elsewhere.batch(TRANSLATION, [fetched(said)], [english])
    assert (ids_of(first.context), ids_of(second.context)) == (ids(said), ids(english))
    assert (ids_of(first.parent), ids_of(second.parent)) == (ids(audio[0]), ids_of(first.context))
    assert ids_of(first.context)[0] == ids_of(second.context)[0]
    assert (first.kind, second.kind) == (SpanKind.PRODUCER, SpanKind.PRODUCER)
    assert (first.name, second.name) == ("send transcripts", "send translations")
    assert (first.start_time, first.end_time) == (START_NS, END_NS)


def test_calls_of_one_batch_stay_apart(recorded: Recorded) -> None:
    """Each in its own trace, below its own input."""
    inputs = [*chunks("a", 0), *chunks("b", 0), *chunks("a", 1), *chunks("b", 1)]
    *made, _ = recorded.batch(TRANSCRIPTION, inputs, [*spoken("a", 0), *spoken("b", 0)])
    assert [ids_of(span.parent) for span in made] == [ids(inputs[2]), ids(inputs[3])]
    assert [[ids_of(link.context) for link in span.links] for span in made] == [[ids(inputs[0])], [ids(inputs[1])]]
    assert len({span.context.trace_id for span in made if span.context}) == 2


def test_the_batch_is_a_trace_of_its_own_with_a_link_to_every_input(recorded: Recorded) -> None:
    """Who worked on what, and where it came from; also where there are more than OpenTelemetry's default of 128."""
    inputs = chunks("call", *range(300))
    *_, batch = recorded.batch(TRANSCRIPTION, inputs, spoken("call", 0))
    assert (batch.name, batch.kind, batch.parent) == ("process transcription", SpanKind.CONSUMER, None)
    assert [ids_of(link.context) for link in batch.links] == [ids(message) for message in inputs]
    assert ids_of(batch.context)[0] != ids(inputs[0])[0]
    assert batch.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "transcription",
        "messaging.batch.message_count": 300,
        "messaging.destination.name": "call-audio",
        "messaging.destination.partition.id": "3",
    }
    assert batch.links[7].attributes == {
        "messaging.destination.name": "call-audio",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.message.offset": 7,
    }


def test_a_batch_over_several_topics_names_none(recorded: Recorded) -> None:
    """Each link says where its input came from."""
    inputs = [*chunks("a", 0), fetched(out(TRANSCRIPTION, "call-recordings", chunk("b", 0)))]
    *_, batch = recorded.batch(TRANSCRIPTION, inputs, [])
    assert batch.attributes and "messaging.destination.name" not in batch.attributes
    assert [dict(link.attributes or {})["messaging.destination.name"] for link in batch.links] == [
        "call-audio",
        "call-recordings",
    ]


def test_states_and_what_waits_are_no_new_events() -> None:
    """A changelog record has no trace context; an entry of the retry log has its input's, which has a span already."""
    waiting, later = chunks("call", 0, 1)
    state = OutRecord("transcription-progress", 3, b"call", b"state", [("callbus_resume", b"{}")])
    entry = entry_record(TRANSCRIPTION.retries, Entry("id", waiting))
    assert context_of(entry.headers) == context_of(waiting.headers)
    assert lineage(TRANSCRIPTION, [waiting, later], [state, entry]) == []


def test_an_output_without_an_input_begins_below_nothing(recorded: Recorded) -> None:
    """A part of a long recording, or what is said of a call that fell silent: its ids are its header's even so."""
    [said] = spoken("call", 0)
    [span] = recorded.batch(TRANSCRIPTION, [], [said])
    assert (ids_of(span.context), span.parent) == (ids(said), None)


def test_a_door_with_traces_of_its_own_is_linked(recorded: Recorded) -> None:
    """A parent in another trace would tear the call in two."""
    foreign = Input(
        "call-audio", 3, 0, b"call", b"", [("traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")], 0
    )
    [said] = spoken("call", 0)
    span, _ = recorded.batch(TRANSCRIPTION, [foreign], [said])
    assert (ids_of(span.context), span.parent) == (ids(said), None)
    assert [ids_of(link.context) for link in span.links] == [ids(foreign)]


def test_a_flood_of_one_call_does_not_cost_its_square(recorded: Recorded) -> None:
    """An output names its parent and at most 128 others; the batch names all."""
    inputs = chunks("call", *range(400))
    *made, batch = recorded.batch(TRANSCRIPTION, inputs, spoken("call", *range(3)))
    assert [len(span.links) for span in made] == [128] * 3
    assert len(batch.links) == 400


def test_a_dead_letter_is_an_error_without_its_reason(recorded: Recorded) -> None:
    """The reason may quote what was said: it stands in the letter alone."""
    [message] = chunks("call", 0)
    letter = out(TRANSCRIPTION, TRANSCRIPTION.dead_letters, utterance("call", "Amina can't be understood"))
    span, _ = recorded.batch(TRANSCRIPTION, [message], [letter])
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)


def test_attributes_are_those_of_the_conventions_and_carry_no_text(recorded: Recorded) -> None:
    """OpenTelemetry's own list has every name; of the event there are its id, its call and its size."""
    [message], [said] = chunks("call", 0), spoken("call", 0)
    found = recorded.batch(TRANSCRIPTION, [message], [said])
    known = {value for name, value in vars(messaging_attributes).items() if name.startswith("MESSAGING_")}
    kinds = {kind.value for kind in messaging_attributes.MessagingOperationTypeValues}
    for span in found:
        assert span.attributes and set(span.attributes) <= known
        assert span.attributes["messaging.operation.type"] in kinds
    assert found[0].attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "transcripts",
        "messaging.destination.partition.id": "3",
        "messaging.consumer.group.name": "transcription",
        "messaging.message.body.size": 5,
        "messaging.message.conversation_id": "call",
        "messaging.message.id": utterance("call").event_id,
    }


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")


@pytest.mark.usefixtures("half")
def test_a_sampler_keeps_or_drops_whole_calls(recorded: Recorded, elsewhere: Recorded) -> None:
    """One that goes by the trace id: two stages, which know nothing of each other, decide alike."""
    kept: list[set[str]] = [set(), set()]
    for n in range(60):
        [said], [english] = spoken(f"call-{n}", 0), translated(f"call-{n}", "english")
        for seen, spans in zip(
            kept,
            (
                recorded.batch(TRANSCRIPTION, chunks(f"call-{n}", 0), [said]),
                elsewhere.batch(TRANSLATION, [fetched(said)], [english]),
            ),
            strict=True,
        ):
            seen.update({f"call-{n}"} if any(span.kind == SpanKind.PRODUCER for span in spans) else ())
    assert kept[0] == kept[1]
    assert 0 < len(kept[0]) < 60


GOOD = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (GOOD, Context(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, 1)),
        (
            b"cc" + GOOD[2:] + b"-what-a-later-version-adds",
            Context(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, 1),
        ),
        (GOOD.upper(), None),
        (b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", None),
        (b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01", None),
        (b"garbage", None),
        (None, None),
    ],
)
def test_trace_contexts(value: bytes | None, found: Context | None) -> None:
    """By W3C Trace Context: what is not valid counts as absent."""
    assert context_of([("ce_id", b"1"), ("traceparent", value)]) == found
