"""callbus.worker.lane: queues, what may be committed, whose turn it is."""

from callbus.worker.lane import Lane, in_turn
from callbus.worker.memory import CallMemory
from callbus.worker.records import Input
from callbus.worker.retry_log import Entry, id_of
from callbus.worker.waiting import Waiting


def message(offset: int, topic: str = "audio", lane: int = 0, size: int = 1) -> Input:
    return Input(topic, lane, offset, b"call", bytes(size), (), 0)


def test_a_message_fetched_twice_is_queued_once() -> None:
    """Fetching may repeat, work may not."""
    lane = Lane(0, {"audio": 5})
    lane.add([message(4), message(5), message(7)])
    lane.add([message(5), message(7), message(8)])
    assert [m.offset for m in lane.take("audio", 10)] == [5, 7, 8]
    assert lane.queued_bytes == 0


def test_what_was_handled_may_be_committed() -> None:
    """The committed offset is the next one to read, per topic."""
    lane = Lane(0, {"audio": 5, "recordings": 0})
    lane.add([message(5), message(6)])
    lane.handled(lane.take("audio", 1))
    assert lane.committable() == {"audio": 6, "recordings": 0}


def test_an_open_utterance_holds_the_offset_back() -> None:
    """No offset is committed past the first input that a call's memory rests on, whatever the other calls do."""
    lane = Lane(0, {"audio": 0})
    lane.add(message(offset) for offset in range(10))
    lane.handled(lane.take("audio", 10))
    arrived = [(f"event-{offset}", "audio", offset) for offset in (2, 3, 6)]
    held = CallMemory().moved("state", "memory", arrived, holding="event-3")
    lane.remember("held", held)
    lane.remember("free", CallMemory().moved("state", None, [("x", "audio", 9)], holding=None))
    assert lane.committable() == {"audio": 3}
    lane.remember("held", held.moved("state", None, [], holding=None))
    assert lane.committable() == {"audio": 10}


def test_a_replay_brings_a_call_only_what_it_has_not_done_with() -> None:
    """A lane that was held back by one call is read again; the other calls' inputs are passed over."""
    done = CallMemory(state=None, resume={"audio": 8})
    lane = Lane(0, {"audio": 3}, {"done": done})
    assert lane.seen("done", "audio", 7)
    assert not lane.seen("done", "audio", 8)
    assert not lane.seen("another", "audio", 7)


def test_what_waits_is_worked_on_once_the_lane_has_come_to_it_again() -> None:
    """After a crash: earlier, and the lane, which its call's memory may hold back before it, would bring it again."""
    waiting = Waiting()
    waiting.restore([(n, Entry(id_of(message(offset)), message(offset))) for n, offset in enumerate((5, 9))], 2)
    lane = Lane(0, {"audio": 4}, waiting=waiting, retries="retry", remembers=True)
    lane.add(message(offset) for offset in range(4, 10))
    assert lane.take_due(10, 10, 10_000) == []
    lane.handled(lane.take("audio", 3))
    assert [one.offset for one in lane.take_due(10, 10, 20_000)] == [5]
    lane.waiting.line_up([b"call"])
    lane.handled(lane.take("audio", 3))
    assert [one.offset for one in lane.take_due(10, 10, 30_000)] == [5, 9]


def test_a_done_call_is_forgotten_once_no_replay_can_bring_it_back() -> None:
    """Its memory stays while the lane's committed offset is before its last input, and goes then."""
    lane = Lane(0, {"audio": 3}, {"done": CallMemory(state=None, resume={"audio": 8})})
    lane.settle()
    assert "done" in lane.calls
    lane.add(message(offset) for offset in range(3, 8))
    lane.handled(lane.take("audio", 5))
    lane.settle()
    assert "done" not in lane.calls


def test_the_first_topic_comes_before_the_second_and_every_lane_has_its_turn() -> None:
    """Live before backlog; a full lane does not starve the others; order in a lane is kept."""
    lanes = [Lane(number, {"live": 0, "backlog": 0}) for number in range(2)]
    lanes[0].add(message(offset, "live", 0) for offset in range(100))
    lanes[1].add(message(offset, "live", 1) for offset in range(3))
    lanes[1].add(message(offset, "backlog", 1) for offset in range(3))
    batch = list(in_turn(lanes, ["live", "backlog"], 10))
    assert [m.offset for m in batch if m.lane == 1] == [0, 1, 2]
    assert [m.offset for m in batch if m.lane == 0] == list(range(7))
    assert {m.topic for m in batch} == {"live"}
    rest = list(in_turn(lanes, ["live", "backlog"], 1000))
    assert [m.topic for m in rest] == ["live"] * 93 + ["backlog"] * 3
