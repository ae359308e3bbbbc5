"""Which Kafka release answers, as far as the protocol tells.

A broker does not say its version. It says how high a `metadata.version` it supports (ApiVersions v3, KIP-584), and
each minor release has raised that; patch releases can't be told apart.
"""

import io
from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

_SUPPORTED_FEATURES = 0  # the tag of that field in the response
_TAGS = ("tags", TaggedFields)
_TEXT = CompactString("utf-8")
_FEATURES = CompactArray(("name", _TEXT), ("lowest", Int16), ("highest", Int16), _TAGS)

# The lowest and highest level of each release: org.apache.kafka.server.common.MetadataVersion.
_LEVELS = {
    "3.7": (15, 19),
    "3.8": (20, 20),
    "3.9": (21, 21),
    "4.0": (22, 25),
    "4.1": (26, 27),
    "4.2": (28, 29),
    "4.3": (30, 30),
    "4.4": (31, 33),
}
_LOSING_MARKERS = ("4.3", "4.4")


async def release(admin: AIOKafkaAdminClient) -> str | None:
    """The release of the broker that answers, like "4.2"; None where it can't be told (older, or newer than known)."""
    client = admin._client
    response = await client.send(client.get_random_node(), _ApiVersionsRequest())
    level = supported(response.tags).get("metadata.version")
    return release_of(level) if level is not None else None


def release_of(level: int) -> str | None:
    """The release whose highest `metadata.version` is `level`."""
    return next((name for name, (low, high) in _LEVELS.items() if low <= level <= high), None)


def warning(name: str) -> str | None:
    """What is wrong with a release, and which to take."""
    if name not in _LOSING_MARKERS:
        return None
    return (
        f"the broker is Kafka {name}, which can lose transaction markers when killed (KAFKA-20734, seen in 4.3.1): "
        "events doubled or a lane blocked; run 4.2.2 unless your patch release has that mended"
    )


def supported(tags: Mapping[int, bytes]) -> dict[str, int]:
    """The highest level of each feature that the response's tagged field lists."""
    features = _FEATURES.decode(io.BytesIO(tags[_SUPPORTED_FEATURES])) if _SUPPORTED_FEATURES in tags else []
    return {name: highest for name, _lowest, highest, _tags in features}


class _ApiVersionsResponseV3(Response):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        ("api_keys", CompactArray(("api_key", Int16), ("lowest", Int16), ("highest", Int16), _TAGS)),
        ("throttle_time_ms", Int32),
        _TAGS,
    )


class _ApiVersionsRequestV3(RequestStruct):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _ApiVersionsResponseV3
    SCHEMA = Schema(("client_software_name", _TEXT), ("client_software_version", _TEXT), _TAGS)

    def parse_response_header(self, read_buffer: Any) -> Any:
        # KIP-511: the header stays v0, so that a client can read it before it knows what the broker speaks.
        return ResponseHeader_v0.decode(read_buffer)


class _ApiVersionsRequest(Request[_ApiVersionsRequestV3]):  # type: ignore[misc]
    API_KEY = 18

    def build(self, request_struct_class: type[_ApiVersionsRequestV3]) -> _ApiVersionsRequestV3:
        return request_struct_class("callbus", "1", {})
