"""What the commands of `callbus feedback` do with Kafka: look a call up, publish, and fetch what an export needs."""

from pathlib import Path

from callbus.cli.call import find
from callbus.cli.dlq_view import bar
from callbus.codec import codec_of
from callbus.errors import InputError
from callbus.feedback.examples import LeftOut, Made, Source, examples
from callbus.feedback.giving import Said, feedback
from callbus.feedback.labels import Labels
from callbus.feedback.reading import material, topic_of
from callbus.feedback.standing import standing
from callbus.feedback.vocabulary import Vocabulary
from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.topology import Topology
from callbus.topology.source import nearest
from schemas.records import Feedback

DOOR = "feedback"  # its name in topology.yaml


async def given(
    call_id: str, said: Said, graph: Topology, connection: Connection, registry: str | None, at_ms: int
) -> Feedback:
    """Check it against the call, and publish it. Raises InputError, BrokerError."""
    if DOOR not in graph.producers:
        raise InputError(f"{graph.place('producers')} no producer {DOOR}; {nearest(DOOR, graph.producers)}")
    labels, codec = Labels.of(graph), codec_of(graph, registry)
    found = await find(call_id, connection, codec, graph)
    if found is None or found.document is None:
        raise InputError(f"nothing is known of what was said in {call_id} on {connection.brokers}; mend the id")
    record = feedback(said, found.document, labels, at_ms)
    async with Publisher(connection, codec, graph.producers[DOOR]) as door:
        await door.publish(topic_of(graph, "Feedback"), record)
    return record


async def exported(
    graph: Topology, connection: Connection, registry: str | None, corpus: Path
) -> tuple[list[Made], int]:
    """Every entry, and every correction that none came of; how many records were no event."""
    labels, words = Labels.of(graph), Vocabulary.read(corpus)
    with bar("reading") as seen:
        found = await material(connection, codec_of(graph, registry), graph, seen)
    made: list[Made] = []
    for call_id, call in standing(found.feedback).items():
        if document := found.documents.get(call_id):
            made += examples(Source(call, document, found.classifications.get(call_id), labels, words))
        else:
            made.append(LeftOut(call_id, "", "what was said in it is no longer on the topic"))
    return made, found.unreadable
