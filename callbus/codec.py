"""Bytes to typed records and back, in both Avro framings.

* Single-object encoding (Avro specification): `C3 01`, the schema's CRC-64-AVRO fingerprint, the body. Used where no
  registry is configured: the reader finds the writer's schema among those it was shipped with.
* Confluent wire format: `00`, the schema's id in the registry (4 bytes big-endian), the body. Used with a registry.

The reader tells them apart by the first byte, so that both may stand on one topic.
"""

import io
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import fastavro

from callbus.errors import CodecError
from schemas import convert, store, wire

if TYPE_CHECKING:
    from callbus.topology import Topology

_SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT = b"\x00"


class Registry(Protocol):
    """A schema registry, as far as the codec needs one."""

    def id_of(self, topic: str, schema_text: str) -> int:
        """The id of the schema of `topic`'s values, registered if it is new there."""

    def schema_of(self, schema_id: int) -> store.Schema:
        """The schema with this id, parsed. CodecError if there is none, SchemaError if the registry can't be asked."""


class Codec:
    """Encodes and decodes the events of a set of topics.

    `schemas` maps a topic to the name of its schema, which is also the name of its record type.
    """

    def __init__(self, schemas: Mapping[str, str], registry: Registry | None = None) -> None:
        self._schemas = dict(schemas)
        self._registry = registry
        self._writers: dict[str, Callable[[Any], bytes]] = {}

    def prepare(self, topics: Iterable[str]) -> None:
        """Make these topics' writers now, so that no registry is asked later. SchemaError if it refuses one; blocks."""
        for topic in topics:
            self._writers.setdefault(topic, self._writer(topic))

    def encode(self, topic: str, record: Any) -> bytes:
        """The record as bytes for `topic`. CodecError if it is not of the topic's type, or holds a wrong value."""
        write = self._writers.get(topic)
        if write is None:
            write = self._writers[topic] = self._writer(topic)
        return write(record)

    def decode(self, topic: str, value: bytes | None) -> Any:
        """The typed record in a message of `topic`. CodecError if these bytes are not one, whatever they are."""
        name = self._name(topic)
        if not value:
            raise CodecError(f"{topic}: an empty message where a {name} was due")
        writer, body = self._unframe(topic, value)
        kind = convert.record_types()[name]
        try:
            if writer is store.parsed(name):
                return wire.reader(name, kind)(value, body)
            plain = fastavro.schemaless_reader(io.BytesIO(value[body:]), writer, store.parsed(name))
            return convert.from_plain(kind, plain)
        except Exception as problem:  # on garbage, almost anything
            raise CodecError(f"{topic}: not a readable {name}: {type(problem).__name__}: {problem}") from problem

    def _name(self, topic: str) -> str:
        try:
            return self._schemas[topic]
        except KeyError:
            raise CodecError(f"{topic}: no such topic in the topology") from None

    def _writer(self, topic: str) -> Callable[[Any], bytes]:
        name = self._name(topic)
        kind = convert.record_types()[name]
        body = wire.writer(name, kind)
        if self._registry is None:
            prefix = _SINGLE_OBJECT + store.rabin(store.parsed(name))
        else:
            prefix = _CONFLUENT + self._registry.id_of(topic, store.text(name)).to_bytes(4, "big")

        def write(record: Any) -> bytes:
            if type(record) is not kind:
                raise CodecError(f"{topic} carries {name}, not {type(record).__name__}")
            try:
                return prefix + body(record)
            except Exception as problem:
                # Neither the record nor the error's words, which may quote it: this may end in a log.
                which = getattr(record, "event_id", "")
                raise CodecError(f"{topic}: {name} {which} can't be written: {type(problem).__name__}") from None

        return write

    def _unframe(self, topic: str, value: bytes) -> tuple[store.Schema, int]:
        """The schema these bytes were written with, and where the body begins."""
        if value.startswith(_SINGLE_OBJECT):
            schema = store.by_fingerprint().get(value[2:10])
            if schema is None:
                raise CodecError(f"{topic}: written with schema {value[2:10].hex()}, which this release does not know")
            return schema, 10
        if value.startswith(_CONFLUENT) and len(value) > 4:
            if self._registry is None:
                raise CodecError(f"{topic}: needs a schema registry (Confluent wire format); set CALLBUS_REGISTRY")
            return self._registry.schema_of(int.from_bytes(value[1:5], "big")), 5
        raise CodecError(f"{topic}: not Avro: begins with {value[:4].hex(' ')}")


def codec_of(topology: "Topology", registry_url: str | None = None) -> Codec:
    """The codec of every topic of the graph, declared or derived."""
    schemas = {topic.name: topic.schema for topic in topology.all_topics() if topic.schema}
    if registry_url is None:
        return Codec(schemas)
    from callbus.registry import SchemaRegistry  # a third of what this process imports, and few need it

    return Codec(schemas, SchemaRegistry(registry_url))
