"""callbus.worker.stage: how far behind a batch is, and what goes out beside the transactions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from callbus.clock import now_ms
from callbus.codec import Codec, codec_of
from callbus.consumer import CallResult, CallSlice
from callbus.topology import load
from callbus.worker.lane import Lane
from callbus.worker.records import Input
from callbus.worker.stage import Finished, Stage
from schemas.records import AudioChunk, PartialUtterance, Recording, TranscriptionProgress
from tests.builders import PROVENANCE, chunk

TOPOLOGY = load(Path(__file__).parents[2] / "topology.yaml")
AUDIO, RECORDINGS, CHANGELOG = "call-audio", "call-recordings", "transcription-progress"


class Revising:
    """Holds every call at its first chunk, and revises what it says of it with each further one."""

    def __init__(self) -> None:
        self.behind_s: list[float] = []

    def advance(self, slices: Sequence[CallSlice[Any, TranscriptionProgress]]) -> list[CallResult[Any, Any]]:
        self.behind_s += [one.behind_s for one in slices]
        return [self._result(one) for one in slices]

    def _result(self, one: CallSlice[Any, TranscriptionProgress]) -> CallResult[Any, Any]:
        state = one.state or TranscriptionProgress(call_id=one.call_id, channels=(), utterances=0)
        first = one.memory or one.events[0]
        return CallResult([partial(one.call_id, event.event_id) for event in one.events], state, first, first)


def partial(call_id: str, event_id: str) -> PartialUtterance:
    return PartialUtterance(
        event_id=event_id,
        call_id=call_id,
        at_ms=1,
        utterance_id="u",
        revision=1,
        speaker="caller",
        start_ms=0,
        end_ms=800,
        stable="",
        text="Hello",
        language="en",
        confidence=1.0,
        provenance=PROVENANCE,
    )


@pytest.fixture
def codec() -> Codec:
    return codec_of(TOPOLOGY)


def message(codec: Codec, offset: int, event: AudioChunk | Recording, at_ms: int) -> Input:
    topic = AUDIO if isinstance(event, AudioChunk) else RECORDINGS
    return Input(topic, 0, offset, event.call_id.encode(), codec.encode(topic, event), (), at_ms)


def work(stage: Stage, lane: Lane, *messages: Input) -> Finished:
    lane.add(messages)
    return stage.work([*lane.take(AUDIO, 10), *lane.take(RECORDINGS, 10)], {0: lane})


def test_a_slice_knows_how_far_behind_it_is(codec: Codec) -> None:
    """The age of a call's newest live input; without one, that of the call furthest behind; alone, nothing."""
    consumer, lane = Revising(), Lane(0, {AUDIO: 0, RECORDINGS: 0})
    stage = Stage(TOPOLOGY, TOPOLOGY.group("transcription"), consumer, codec)
    tape = Recording(event_id="t", call_id="tape", at_ms=1, uri="file:///x", sha256="", channels=("caller",))
    old, newer = now_ms() - 60_000, now_ms() - 3_000
    work(
        stage,
        lane,
        message(codec, 0, chunk("a"), old),
        message(codec, 1, chunk("b"), newer),
        message(codec, 0, tape, 1),
    )
    assert consumer.behind_s == [pytest.approx(age_s, abs=1.0) for age_s in (60.0, 3.0, 60.0)]
    work(stage, lane, message(codec, 1, tape, 1))
    work(stage, lane, message(codec, 2, chunk("a", 1), now_ms() + 60_000))
    assert consumer.behind_s[3:] == [0.0, 0.0]


def test_what_no_transaction_holds_up_asks_for_none(codec: Codec) -> None:
    """Another call holds the lane back; this one's partials go out, and its state is not written for them."""
    lane = Lane(0, {AUDIO: 0, RECORDINGS: 0})
    stage = Stage(TOPOLOGY, TOPOLOGY.group("transcription"), Revising(), codec)
    begun = work(stage, lane, message(codec, 0, chunk("a"), 1), message(codec, 1, chunk("b"), 1))
    assert {record.topic for record in begun.records} == {CHANGELOG}
    revised = work(stage, lane, message(codec, 2, chunk("b", 1), 1))
    assert revised.offsets[AUDIO, 0] == 0
    assert [record.topic for record in revised.loose] == ["transcript-partials"]
    assert revised.records == []
