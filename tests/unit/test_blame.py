"""An input that makes a consumer raise what nobody expected ends the process, and is named."""

import traceback
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from callbus.codec import codec_of
from callbus.consumer import CallResult, CallSlice, Outcome
from callbus.topology import load
from callbus.worker.lane import Lane
from callbus.worker.records import Input
from callbus.worker.stage import Silent, Stage
from tests.builders import TOPOLOGY_FILE, chunk, utterance

TOPOLOGY = load(TOPOLOGY_FILE)
CODEC = codec_of(TOPOLOGY)
ODD = "the child said so"


class Broken:
    """Divides by zero where it meets the odd one, whichever way it is asked."""

    def handle(self, events: Sequence[Any]) -> list[Outcome]:
        if any(event.event_id == "event5" for event in events):
            raise ZeroDivisionError("division by zero")
        return [[] for _ in events]

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        if any(one.silent_since_ms for one in slices):
            raise ZeroDivisionError("division by zero")
        return [CallResult([], None) for one in slices if self.handle(one.events) is not None]


@pytest.mark.parametrize(("group", "topic"), [("translation", "transcripts"), ("transcription", "call-audio")])
def test_the_guilty_input_is_named_in_the_log_and_in_the_exception(group: str, topic: str) -> None:
    """Its event, call, topic, lane and offset; not a word of what was said."""
    its = TOPOLOGY.group(group)
    stage, lane = Stage(TOPOLOGY, its, Broken(), CODEC), Lane(3, dict.fromkeys(its.inputs, 40))
    for n in range(9):
        who = {"call_id": f"call{n % 3}", "event_id": f"event{n}"}
        made = utterance(text=ODD, **who) if group == "translation" else chunk(sequence=n, **who)
        lane.add([Input(topic, 3, 40 + n, made.call_id.encode(), CODEC.encode(topic, made), (), 0)])
    with structlog.testing.capture_logs() as lines, pytest.raises(ZeroDivisionError) as raised:
        stage.work(lane.take(topic, 9), {3: lane})
    [line] = [line for line in lines if line["event"] == "consumer_failed"]
    place = {"lane": 3, "call_id": "call2", "event_id": "event5", "topic": topic, "offset": 45, "group": group}
    assert {name: line[name] for name in place} == place
    told = "".join(traceback.format_exception(raised.value))
    assert f"event event5 of call call2: {topic}, lane 3, offset 45" in told
    assert ODD not in told + str(lines)


def test_a_call_of_which_nothing_came_is_named_too() -> None:
    """It had fallen silent, and was asked for its last word."""
    stage, lane = Stage(TOPOLOGY, TOPOLOGY.group("documents"), Broken(), CODEC), Lane(3, {"entities": 0})
    with structlog.testing.capture_logs() as lines, pytest.raises(ZeroDivisionError) as raised:
        stage.work([], {3: lane}, [Silent(3, "quiet", 1)])
    assert [line["call_id"] for line in lines if line["event"] == "consumer_failed"] == ["quiet"]
    assert "call quiet" in "".join(traceback.format_exception(raised.value))
