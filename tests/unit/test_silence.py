"""A door crashes: from the worker's stages through the real consumers to the insight, without a broker."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from callbus.codec import Codec, codec_of
from callbus.topology import load
from callbus.worker.lane import Lane
from callbus.worker.records import Input
from callbus.worker.stage import Silent, Stage
from consumers.documents import Documents
from consumers.insights.join import fold, insight
from consumers.insights.lineage import lineage
from consumers.insights.state import InsightState
from consumers.transcription import Transcription
from consumers.transcription.vad import Vad
from schemas.records import CallDocument, CallEvent, CallInsight, CallSummary, Classification, QaEvaluation, Utterance
from schemas.records import UtteranceEntities as Entities
from tests.builders import PROVENANCE, chunk, utterance
from tests.sounds import Digests, whisper
from tests.unit.test_insights import judged as some
from tests.unit.test_insights import life, scored
from tests.unit.test_insights_telling import summed_up

TOPOLOGY = load(Path(__file__).parents[2] / "topology.yaml")
CODEC: Codec = codec_of(TOPOLOGY)
CALL = "call-1"
LINEAGE = lineage(TOPOLOGY, TOPOLOGY.group("insights"))


class Hosted:
    """One group's consumer in its stage, with the one lane that it has."""

    def __init__(self, name: str, consumer: Any) -> None:
        group = TOPOLOGY.group(name)
        self._stage = Stage(TOPOLOGY, group, consumer, CODEC)
        self._lane = Lane(0, dict.fromkeys(group.inputs, 0))
        self._topic = group.inputs[0]
        self._offset = 0

    def take(self, *events: Any) -> list[Any]:
        messages = [
            Input(self._topic, 0, self._offset + n, CALL.encode(), CODEC.encode(self._topic, event), (), 9000)
            for n, event in enumerate(events)
        ]
        self._offset += len(events)
        self._lane.add(messages)
        return self._made(self._lane.take(self._topic, len(messages)), ())

    def silence(self, since_ms: int) -> list[Any]:
        return self._made([], [Silent(0, CALL, since_ms)])

    def _made(self, batch: Sequence[Input], silent: Sequence[Silent]) -> list[Any]:
        finished = self._stage.work(batch, {0: self._lane}, silent)
        return [
            CODEC.decode(record.topic, record.value)
            for record in finished.records
            if record.value is not None and not record.topic.endswith(("-progress", "-retry"))
        ]


def understood(said: Utterance) -> Entities:
    """What translation and ner make of it."""
    plain = {f.name: getattr(said, f.name) for f in fields(Entities) if hasattr(said, f.name)}
    return Entities(
        **plain,
        utterance_id=said.event_id,
        status="pass_through",
        source_language=said.language,
        redacted_text=said.text,
        entities=(),
    )


def judged(document: CallDocument) -> tuple[Classification, QaEvaluation, CallSummary]:
    """What classification, qa and summary make of it."""
    common: dict[str, Any] = {
        "call_id": CALL,
        "at_ms": document.at_ms,
        "document_id": document.event_id,
        "revision": document.revision,
        "complete": document.complete,
        "provenance": PROVENANCE,
    }
    kept = {f.name: getattr(some(1), f.name) for f in fields(Classification)}
    marks = {f.name: getattr(scored(1), f.name) for f in fields(QaEvaluation)}
    return (
        Classification(**kept | common | {"event_id": f"c-{document.event_id}-{document.revision}"}),
        QaEvaluation(**marks | common | {"event_id": f"q-{document.event_id}-{document.revision}"}),
        replace(summed_up(1), **common, event_id=f"s-{document.event_id}-{document.revision}"),
    )


class Graph:
    """The groups in a row, and the insight of the call."""

    def __init__(self) -> None:
        self.transcription = Hosted("transcription", Transcription("transcription", whisper().model, Vad(), Digests()))
        self.documents = Hosted("documents", Documents())
        self._state = fold(InsightState(call_id=CALL), life("started"))

    def flow(self, events: Iterable[Any]) -> CallInsight:
        """Let these go on to the insight."""
        for event in events:
            match event:
                case Utterance():
                    entities = understood(event)
                    self._state = fold(self._state, entities)
                    self.flow(self.documents.take(entities))
                case CallDocument():
                    for result in judged(event):
                        self._state = fold(self._state, result)
                case CallEvent():
                    self._state = fold(self._state, event)
        return insight(self._state, LINEAGE)


def times(found: CallInsight) -> tuple[int | None, bool, bool]:
    return found.ended_at_ms, found.interrupted, found.complete


@pytest.fixture
def graph() -> Graph:
    return Graph()


def test_a_voice_call_whose_door_crashed(graph: Graph) -> None:
    """Ended by silence, reopened by a late chunk, ended again; then the door comes back and ends it for good."""
    transcription = graph.transcription
    assert times(graph.flow(transcription.take(chunk(CALL, 0), chunk(CALL, 1)))) == (None, False, False)
    assert times(graph.flow(transcription.silence(5000))) == (5000, True, True)
    assert times(graph.flow(graph.documents.silence(6000))) == (5000, True, True)
    found = graph.flow(transcription.take(chunk(CALL, 9)))
    assert times(found) == (None, False, False)
    assert times(graph.flow(transcription.silence(7000))) == (7000, True, True)
    assert times(graph.flow(transcription.take(chunk(CALL, 9)))) == (None, False, False)
    assert times(graph.flow(transcription.take(chunk(CALL, 10, last=True)))) == (None, False, False)
    assert times(graph.flow([life("ended", 8000)])) == (8000, False, True)


def test_a_chat_whose_door_crashed(graph: Graph) -> None:
    """Documents end it, whatever comes late opens it again, a double too, and the real end stands."""
    hello = utterance(CALL, "Hello.", kind="message")
    assert times(graph.flow([hello])) == (None, False, False)
    assert times(graph.flow(graph.documents.silence(5000))) == (5000, True, True)
    for at_ms, late in ((6000, hello), (7000, utterance(CALL, "Are you there?", start_ms=3000, kind="message"))):
        assert times(graph.flow([late])) == (None, False, False)
        assert times(graph.flow(graph.documents.silence(at_ms))) == (at_ms, True, True)
    end = utterance(CALL, "", kind="end", start_ms=4000)
    assert times(graph.flow([end])) == (None, False, False)
    assert times(graph.flow([life("ended", 8000)])) == (8000, False, True)
    assert graph.flow(graph.documents.silence(9000)).interrupted is False
