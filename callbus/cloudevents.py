"""Kafka headers: CloudEvents in binary mode, and one trace per call.

CloudEvents 1.0, Kafka protocol binding § 3.2: attributes are headers with the prefix `ce_`. The trace context is W3C
`traceparent`; its trace id follows from the call and its span id from the event, so that every stage of a call joins
one trace without being told.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

Headers = list[tuple[str, bytes]]

_SPEC = (("ce_specversion", b"1.0"), ("content-type", b"application/avro"))


def headers(record: Any, source: str) -> Headers:
    """The headers of an event that `source` (a group or a door) publishes. `record` has event_id, call_id and at_ms."""
    return [
        *_SPEC,
        ("ce_id", record.event_id.encode()),
        ("ce_type", b"callbus." + type(record).__name__.encode()),
        ("ce_source", b"callbus/" + source.encode()),
        ("ce_time", datetime.fromtimestamp(record.at_ms / 1000, UTC).isoformat(timespec="milliseconds").encode()),
        ("traceparent", traceparent(record.call_id, record.event_id).encode()),
    ]


def traceparent(call_id: str | None, event_id: str) -> str:
    """The W3C trace context of an event of a call: version 00, sampled."""
    trace, span = (
        hashlib.blake2b((call_id or event_id).encode(), digest_size=16),
        hashlib.blake2b(event_id.encode(), digest_size=8),
    )
    return f"00-{trace.hexdigest()}-{span.hexdigest()}-01"
