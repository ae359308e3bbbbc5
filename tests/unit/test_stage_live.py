"""callbus.worker.stage: how far behind a batch is, and what goes out beside the transactions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callbus.clock import now_ms
from callbus.codec import Codec, codec_of
from callbus.consumer import CallResult, CallSlice
from callbus.topology import load
from callbus.worker.ages import Ages
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
    return stage.work([*lane.take(AUDIO, 10), *lane.take(RECORDINGS, 10)], {lane.number: lane})


def test_a_slice_knows_how_far_behind_it_is(codec: Codec) -> None:
    """How long a call's oldest live input has waited; without one, that of the call furthest behind; alone, nothing."""
    consumer, lane = Revising(), Lane(0, {AUDIO: 0, RECORDINGS: 0})
    stage = Stage(TOPOLOGY, TOPOLOGY.group("transcription"), consumer, codec)
    tape = Recording(event_id="t", call_id="tape", at_ms=1, uri="file:///x", sha256="", channels=("caller",))
    work(stage, lane, message(codec, 0, chunk("a"), now_ms()), message(codec, 1, chunk("b"), now_ms()))
    old, newer, newest = now_ms() - 60_000, now_ms() - 3_000, now_ms() - 100
    work(
        stage,
        lane,
        message(codec, 2, chunk("a", 1), old),
        message(codec, 3, chunk("a", 2), newest),
        message(codec, 4, chunk("b", 1), newer),
        message(codec, 0, tape, 1),
    )
    assert consumer.behind_s[2:] == [pytest.approx(age_s, abs=1.0) for age_s in (60.0, 3.0, 60.0)]
    work(stage, lane, message(codec, 1, tape, 1))
    assert consumer.behind_s[5:] == [0.0]


@pytest.mark.parametrize("skew_s", [-3600.0, -5.0, 0.0, 5.0, 20.0])
def test_a_clock_that_is_wrong_hides_and_invents_no_lag(codec: Codec, skew_s: float) -> None:
    """Of a door whose clock is behind (or ahead): at pace nothing, and what comes to wait is seen."""
    consumer, lane = Revising(), Lane(0, {AUDIO: 0, RECORDINGS: 0})
    stage = Stage(TOPOLOGY, TOPOLOGY.group("transcription"), consumer, codec)

    def spoken_s(ago_s: float) -> int:
        return now_ms() - round(1000 * (skew_s + ago_s))

    for number in range(3):
        work(stage, lane, message(codec, number, chunk("a", number), spoken_s(0.2)))
    assert consumer.behind_s == [pytest.approx(0.0, abs=0.3)] * 3
    work(stage, lane, *(message(codec, 3 + n, chunk("a", 3 + n), spoken_s(3.2 - n)) for n in range(4)))
    assert consumer.behind_s[3:] == [pytest.approx(3.0, abs=0.3)]


def test_a_call_that_began_with_a_backlog_is_behind(codec: Codec) -> None:
    """Where more is queued, age is no skew; nor is all of what no clock is off by."""
    consumer, lane = Revising(), Lane(0, {AUDIO: 0, RECORDINGS: 0})
    stage = Stage(TOPOLOGY, TOPOLOGY.group("transcription"), consumer, codec)
    work(stage, lane, *(message(codec, n, chunk("a", n), now_ms() - 20_000 + 100 * n) for n in range(12)))
    assert consumer.behind_s == [pytest.approx(20.0, abs=1.0)]
    work(stage, Lane(1, {AUDIO: 0, RECORDINGS: 0}), replace(message(codec, 0, chunk("b"), now_ms() - 90_000), lane=1))
    assert consumer.behind_s[1:] == [pytest.approx(60.0, abs=1.0)]


def test_a_clock_that_was_set_is_judged_anew() -> None:
    """After two minutes at most; and a worker keeps no call for longer than that."""
    ages, who = Ages(), (0, "a")
    ages.behind_s(who, [3_600_000], 0, caught_up=True)
    assert ages.behind_s(who, [0], 200, caught_up=True) == pytest.approx(3600.2)
    later = [ages.behind_s(who, [at_ms], at_ms + 200, caught_up=True) for at_ms in range(60_000, 200_000, 20_000)]
    assert later[-1] == 0


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
