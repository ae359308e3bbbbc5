"""callbus.worker.stage: what a lane that is read again after a crash must not bring out twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from callbus.codec import Codec, codec_of
from callbus.consumer import CallResult, CallSlice, Reject
from callbus.ids import event_id
from callbus.topology import load
from callbus.worker.changelog import remember
from callbus.worker.lane import Lane
from callbus.worker.memory import CallMemory
from callbus.worker.records import Input, OutRecord
from callbus.worker.stage import Finished, Stage
from schemas.records import AudioChunk, TranscriptionProgress
from tests.builders import Message, chunk, utterance

TOPOLOGY = load(Path(__file__).parents[2] / "topology.yaml")
AUDIO, CHANGELOG = "call-audio", "transcription-progress"


class Told:
    """Says each chunk again without a change of its state; holds "open" at its first one and refuses even numbers."""

    def advance(self, slices: Sequence[CallSlice[AudioChunk, TranscriptionProgress]]) -> list[CallResult[Any, Any]]:
        results = []
        for one in slices:
            state = TranscriptionProgress(call_id=one.call_id, channels=(), utterances=0)
            if one.call_id == "open":
                refused = [
                    (event, Reject("even")) for event in one.events if event.sequence and event.sequence % 2 == 0
                ]
                first = one.memory or one.events[0]
                results.append(CallResult([], state, first, first, refused))
            else:
                made = [
                    utterance(one.call_id, event_id=event_id(one.call_id, "told", event.event_id))
                    for event in one.events
                ]
                results.append(CallResult(made, state))
        return results


@pytest.fixture
def codec() -> Codec:
    return codec_of(TOPOLOGY)


def inputs(codec: Codec, *chunks: AudioChunk | bytes, key: bytes = b"open") -> list[Input]:
    """These chunks (or this garbage) as the messages of lane 0, from offset 0."""
    return [
        Input(AUDIO, 0, offset, key, one, (), 0)
        if isinstance(one, bytes)
        else Input(AUDIO, 0, offset, one.call_id.encode(), codec.encode(AUDIO, one), (), 0)
        for offset, one in enumerate(chunks)
    ]


def work(codec: Codec, lane: Lane, messages: Sequence[Input]) -> Finished:
    stage = Stage(TOPOLOGY, TOPOLOGY.group("transcription"), Told(), codec)
    lane.add(messages)
    return stage.work(lane.take(AUDIO, len(messages)), {0: lane})


def after_a_crash(codec: Codec, *committed: Finished) -> Lane:
    """The lane as its next owner opens it."""
    calls: dict[str, CallMemory] = {}
    states = [record for finished in committed for record in finished.records if record.topic == CHANGELOG]
    for offset, record in enumerate(states):
        remember(calls, codec, CHANGELOG, Message(CHANGELOG, 0, offset, record.key, record.value, record.headers))
    return Lane(0, {AUDIO: committed[-1].offsets[AUDIO, 0], "call-recordings": 0}, calls)


def visible(finished: Finished) -> list[OutRecord]:
    return [record for record in finished.records if record.topic != CHANGELOG]


def test_what_was_said_without_a_change_of_state_is_not_said_again(codec: Codec) -> None:
    """Another call holds the lane back; this one's outputs stand in the log already."""
    messages = inputs(codec, chunk("open", 1), chunk("other", 1), chunk("other", 2))
    lane = Lane(0, {AUDIO: 0, "call-recordings": 0})
    done = work(codec, lane, messages[:2]), work(codec, lane, messages[2:])
    assert [len(visible(finished)) for finished in done] == [1, 1]
    assert done[-1].offsets[AUDIO, 0] == 0
    assert visible(work(codec, after_a_crash(codec, *done), messages)) == []


@pytest.mark.parametrize("key", [b"open", b"other", b"\xff", b""], ids=["holding", "another", "not a call", "none"])
def test_garbage_on_a_lane_that_is_held_back_is_one_dead_letter(codec: Codec, key: bytes) -> None:
    """Read again, it is passed over, whichever call it says to belong to."""
    messages = inputs(codec, chunk("open", 1), b"garbage", chunk("open", 3), key=key)
    lane = Lane(0, {AUDIO: 0, "call-recordings": 0})
    done = work(codec, lane, messages[:1]), work(codec, lane, messages[1:])
    assert [record.topic for record in visible(done[-1])].count("transcription-dead-letters") == 1
    assert visible(work(codec, after_a_crash(codec, *done), messages)) == []


def test_what_a_holding_call_refused_is_one_dead_letter(codec: Codec) -> None:
    """Also where the call's own open chunks bring it again; and those do come again."""
    messages = inputs(codec, chunk("open", 1), chunk("open", 2), chunk("open", 3))
    lane = Lane(0, {AUDIO: 0, "call-recordings": 0})
    done = work(codec, lane, messages)
    assert [record.topic for record in visible(done)].count("transcription-dead-letters") == 1
    again = after_a_crash(codec, done)
    assert [again.seen("open", AUDIO, message.offset) for message in messages] == [False, True, False]
    assert visible(work(codec, again, messages)) == []


def test_a_call_that_no_longer_holds_is_done_with_every_topic() -> None:
    """What came on the second topic while the first one held is not due again once both are worked on."""
    held = CallMemory().moved("state", "memory", [("a", "live", 5), ("b", "backlog", 7)], holding="a")
    assert held.resume == {"live": 5, "backlog": 7}
    assert held.moved("state", None, [("c", "live", 6)], holding=None).resume == {"live": 7, "backlog": 8}


def test_why_an_input_was_rejected_stands_in_its_letter_and_never_in_the_log(codec: Codec) -> None:
    """A reason may name a file or quote a caller. The log says where and of what kind, the letter says why."""
    with structlog.testing.capture_logs() as lines:
        done = work(codec, Lane(0, {AUDIO: 0, "call-recordings": 0}), inputs(codec, b"my secret"))
    [letter] = [codec.decode(r.topic, r.value) for r in done.records if r.topic.endswith("-dead-letters")]
    assert (letter.error, done.dead) == ("CodecError", {"CodecError": 1})
    assert "6d 79 20 73" in letter.message  # its first bytes
    [line] = [line for line in lines if line["event"] == "rejected"]
    assert (line["group"], line["lane"], line["call_id"], line["error"]) == ("transcription", 0, "open", "CodecError")
    assert letter.message not in str(lines)
