"""Kafka headers: CloudEvents in binary mode, and one trace per call.

CloudEvents 1.0, Kafka protocol binding § 3.2: attributes are headers with the prefix `ce_`. The trace context is W3C
`traceparent`; its trace id follows from the call and its span id from the event, so that every stage of a call joins
one trace without being told.
"""

import hashlib
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

Headers = list[tuple[str, bytes]]

_SPEC = (("ce_specversion", b"1.0"), ("content-type", b"application/avro"))


def headers(record: Any, source: str) -> Headers:
    """The headers of an event that `source` (a group or a door) publishes. `record` has event_id, call_id and at_ms."""
    return [
        *_SPEC,
        ("ce_id", record.event_id.encode()),
        *_constant(type(record).__name__, source),
        ("ce_time", f"{_second(record.at_ms // 1000)}.{record.at_ms % 1000:03d}+00:00".encode()),
        ("traceparent", traceparent(record.call_id, record.event_id).encode()),
    ]


@cache
def _constant(name: str, source: str) -> Headers:
    return [("ce_type", f"callbus.{name}".encode()), ("ce_source", f"callbus/{source}".encode())]


def traceparent(call_id: str | None, event_id: str) -> str:
    """The W3C trace context of an event of a call: version 00, sampled."""
    span = hashlib.blake2b(event_id.encode(), digest_size=8)
    return f"00-{_trace_id(call_id or event_id)}-{span.hexdigest()}-01"


@lru_cache(maxsize=4096)  # of the calls that are running
def _trace_id(call_id: str) -> str:
    return hashlib.blake2b(call_id.encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=64)
def _second(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
