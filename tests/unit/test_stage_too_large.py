"""What a consumer makes may be larger than Kafka takes: that must cost its inputs, and never stop the group."""

from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from callbus.codec import Codec, codec_of
from callbus.consumer import CallResult, CallSlice
from callbus.topology import load
from callbus.worker import outbox
from callbus.worker.lane import Lane
from callbus.worker.records import Input
from callbus.worker.stage import Finished, Stage
from schemas.records import TranscriptionProgress
from tests.builders import TOPOLOGY_FILE, chunk, utterance
from tests.integration.working import Echo

TOPOLOGY = load(TOPOLOGY_FILE)
LARGEST_BYTES = 2_000


class Loud:
    """Says of each chunk a hundred letters times its number; its state counts the chunks."""

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        results = []
        for one in slices:
            known = one.state.utterances if one.state else 0
            made = [utterance(one.call_id, "x" * 100 * event.sequence, event_id=event.event_id) for event in one.events]
            state = TranscriptionProgress(call_id=one.call_id, channels=(), utterances=known + len(one.events))
            results.append(CallResult(made, state))
        return results


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> Codec:
    monkeypatch.setattr(outbox, "_LARGEST_BYTES", LARGEST_BYTES)
    return codec_of(TOPOLOGY)


def said(codec: Codec, finished: Finished) -> dict[str, list[Any]]:
    """What was written, by topic."""
    found: dict[str, list[Any]] = {}
    for record in finished.records:
        found.setdefault(record.topic, []).append(codec.decode(record.topic, record.value or b""))
    return found


def test_of_a_call_what_was_too_much_is_put_aside(codec: Codec) -> None:
    """Its state is as it was before; the others of the batch, and what comes after it, are worked on."""
    topic, lane = "call-audio", Lane(0, {"call-audio": 0, "call-recordings": 0})
    stage = Stage(TOPOLOGY, TOPOLOGY.group("transcription"), Loud(), codec)

    def work(first: int, *chunks: Any) -> dict[str, list[Any]]:
        lane.add(
            Input(topic, 0, first + n, one.call_id.encode(), codec.encode(topic, one), (), 0)
            for n, one in enumerate(chunks)
        )
        return said(codec, stage.work(lane.take(topic, 10), {0: lane}))

    with structlog.testing.capture_logs() as lines:
        found = work(0, chunk("a", 1), chunk("b", 99))
    assert [each.call_id for each in found["transcripts"]] == ["a"]
    [letter] = found["transcription-dead-letters"]
    assert (letter.call_id, letter.offset, letter.error) == ("b", 1, "Reject")
    assert f"and {LARGEST_BYTES} fit in Kafka" in letter.message
    assert [(each.call_id, each.type) for each in found["call-events"]] == [("b", "failed")]
    assert [(line["call_id"], line["event_id"]) for line in lines if line["event"] == "failed"] == [
        ("b", found["call-events"][0].event_id)
    ]
    found = work(2, chunk("b", 2), chunk("a", 3))
    assert {each.call_id: each.utterances for each in found["transcription-progress"]} == {"a": 2, "b": 1}
    assert lane.committable()[topic] == 4


def test_of_a_stateless_group_only_the_guilty_input_is_put_aside(codec: Codec) -> None:
    """The others of its call go on."""
    topic, lane = "transcripts", Lane(0, {"transcripts": 0})
    texts = ["1", "x" * LARGEST_BYTES, "3"]
    lane.add(
        Input(topic, 0, n, b"call", codec.encode(topic, utterance("call", text, start_ms=n)), (), 0)
        for n, text in enumerate(texts)
    )
    stage = Stage(TOPOLOGY, TOPOLOGY.group("translation"), Echo(), codec)
    found = said(codec, stage.work(lane.take(topic, 10), {0: lane}))
    assert [each.text for each in found["translations"]] == ["1", "3"]
    assert [each.offset for each in found["translation-dead-letters"]] == [1]
