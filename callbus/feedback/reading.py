"""What an export is made of, from Kafka: all feedback, and of its calls the newest document and classification."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from callbus.codec import Codec
from callbus.errors import CodecError, InputError
from callbus.kafka import Connection
from callbus.stretch import Seen, between, reader, told
from callbus.topics import connected, lanes_of
from callbus.topology import Topology
from schemas.records import CallDocument, Classification, Feedback


@dataclass(frozen=True, slots=True)
class Material:
    """Documents and classifications by call; `unreadable` records are no event."""

    feedback: tuple[Feedback, ...]
    documents: Mapping[str, CallDocument]
    classifications: Mapping[str, Classification]
    unreadable: int = 0


def topic_of(topology: Topology, schema: str) -> str:
    """The topic that carries this record. InputError if the graph has none."""
    for name, topic in topology.topics.items():
        if topic.schema == schema:
            return name
    raise InputError(
        f"{topology.path.name} has no topic of the schema {schema}; add it: see the topology.yaml of callbus"
    )


async def material(connection: Connection, codec: Codec, topology: Topology, seen: Seen) -> Material:
    """Read the topics to where they end now. Raises BrokerError, InputError."""
    said, bad = await _newest_or_all(connection, codec, topic_of(topology, "Feedback"), None, seen)
    records = [record for its in said.values() for record in its]
    calls = {record.call_id for record in records}
    documents, bad_documents = await _newest_or_all(connection, codec, topic_of(topology, "CallDocument"), calls, seen)
    judged, bad_judged = await _newest_or_all(connection, codec, topic_of(topology, "Classification"), calls, seen)
    return Material(
        feedback=tuple(records),
        documents={call_id: its[-1] for call_id, its in documents.items() if its},
        classifications={call_id: its[-1] for call_id, its in judged.items() if its},
        unreadable=bad + bad_documents + bad_judged,
    )


async def _newest_or_all(
    connection: Connection, codec: Codec, topic: str, newest_of: Collection[str] | None, seen: Seen
) -> tuple[dict[str, list[Any]], int]:
    """By call: all records of the topic, or of these calls the newest, which a tombstone takes away. How many records
    were no event."""
    needs = {topic: ("Read",)}
    async with connected(connection) as admin:
        lanes = (await lanes_of(admin, connection, needs))[topic]
    places = [TopicPartition(topic, lane) for lane in lanes]
    found: dict[str, list[bytes]] = {}
    async with told(connection, needs), reader(connection) as consumer:
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        async for tp, message in between(consumer, starts, ends, seen):
            call_id = (message.key or b"").decode(errors="replace")
            if message.offset >= ends[tp] or (newest_of is not None and call_id not in newest_of):
                continue
            kept = [] if newest_of is not None or message.value is None else found.get(call_id, [])
            found[call_id] = kept if message.value is None else [*kept, message.value]
    decoded: dict[str, list[Any]] = {}
    unreadable = 0
    for call_id, values in found.items():
        for value in values:
            try:
                decoded.setdefault(call_id, []).append(codec.decode(topic, value))
            except CodecError:
                unreadable += 1
    return decoded, unreadable
