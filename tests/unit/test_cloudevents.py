"""callbus.cloudevents: headers that any CloudEvents reader and any tracer understands."""

import re
from datetime import datetime

from callbus import cloudevents
from tests.builders import chunk, utterance


def test_the_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    """Every required attribute, and the event's own id, type, source and time."""
    headers = dict(cloudevents.headers(utterance(at_ms=1_500), "transcription"))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"].decode() == utterance().event_id
    assert headers["ce_type"] == b"callbus.Utterance"
    assert headers["ce_source"] == b"callbus/transcription"
    assert datetime.fromisoformat(headers["ce_time"].decode()).timestamp() == 1.5
    assert headers["content-type"] == b"application/avro"


def test_all_events_of_a_call_are_one_trace() -> None:
    """W3C trace context: the same trace id through the stages, another span each, another trace for another call."""
    first = cloudevents.traceparent("call", chunk("call").event_id)
    second = cloudevents.traceparent("call", utterance("call").event_id)
    other = cloudevents.traceparent("another", chunk("call").event_id)
    for one in (first, second, other):
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", one)
    assert first[:35] == second[:35] != other[:35]
    assert first != second


def test_an_id_that_is_no_uuid_has_a_trace_all_the_same() -> None:
    """An integrator's event ids are his own affair."""
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", cloudevents.traceparent(None, "e"))
