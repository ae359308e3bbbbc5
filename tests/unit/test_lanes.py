"""The lane of a call."""

import pytest
from aiokafka.partitioner import DefaultPartitioner

from callbus.faust_driver import WholeLanes
from callbus.lanes import MOST_ENDED, LaneChooser, Sighting, running

# Kafka's own test vectors: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2
MURMUR2 = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("call_id", "murmur2"), MURMUR2.items())
def test_a_call_lands_where_the_java_client_would_put_it(call_id: str, murmur2: int) -> None:
    """A door in another language that leaves the choice to its client finds the same lane."""
    for lanes in (1, 3, 8, 12):
        assert LaneChooser(lanes).lane(call_id) == (murmur2 & 0x7FFFFFFF) % lanes


def test_it_agrees_with_aiokafkas_default_partitioner() -> None:
    """Whatever the call is called, also in other scripts."""
    for call_id in ("", "x", "ligação-1", "ጥሪ", *(f"call-{n}" for n in range(200))):
        assert LaneChooser(8).lane(call_id) == DefaultPartitioner()(call_id.encode(), list(range(8)), [])


def test_a_call_keeps_its_lane_when_lanes_are_added() -> None:
    """New calls spread over the new lanes, running ones stay, and so does what comes of them after their end."""
    chooser = LaneChooser(2)
    before = {f"call-{n}": chooser.lane(f"call-{n}") for n in range(50)}
    chooser.ended("call-0")
    chooser.grow(16)
    chooser.ended("call-1")
    assert {call_id: chooser.lane(call_id) for call_id in before} == before
    assert {chooser.lane(f"new-{n}") for n in range(200)} == set(range(16))


def test_ended_calls_take_little_memory() -> None:
    """Forgetting is what keeps a door that runs for months small: only the newest are known, the others new again."""
    chooser = LaneChooser(2)
    before = {f"call-{n}": chooser.lane(f"call-{n}") for n in range(50)}
    for call_id in before:
        chooser.ended(call_id)
        chooser.ended(call_id)
    chooser.grow(16)
    for n in range(MOST_ENDED - 25):
        chooser.lane(f"later-{n}")
        chooser.ended(f"later-{n}")
    assert len(chooser) == 0
    assert {call_id: chooser.lane(call_id) for call_id in list(before)[25:]} == dict(list(before.items())[25:])
    assert {call_id: chooser.lane(call_id) for call_id in list(before)[:25]} != dict(list(before.items())[:25])


def test_impossible_lane_counts_are_refused() -> None:
    """A topic has at least one partition, and never loses one."""
    with pytest.raises(ValueError, match="at least one"):
        LaneChooser(0)
    with pytest.raises(ValueError, match="can't shrink from 8 to 4"):
        LaneChooser(8).grow(4)


def test_a_door_that_is_started_again_knows_its_calls_lanes() -> None:
    """Calls that ran before are on the lane where they started; only those that would go elsewhere take memory."""
    before = {f"call-{n}": LaneChooser(3).lane(f"call-{n}") for n in range(60)}
    again = LaneChooser(5, before)
    assert len(again) == sum(LaneChooser(5).lane(call_id) != lane for call_id, lane in before.items())
    assert {call_id: again.lane(call_id) for call_id in before} == before
    assert len(LaneChooser(3, before)) == 0


def test_what_a_door_knows_itself_is_not_overruled() -> None:
    """A call_id that another run of the door had used on another lane stays where this door has it now."""
    chooser = LaneChooser(3)
    lane = chooser.lane("call-1")
    chooser.grow(5, {"call-1": 4 if lane != 4 else 3})
    assert chooser.lane("call-1") == lane


def test_running_calls_are_those_without_an_end() -> None:
    """A call_id that was used again after its end is where it was used last, whatever the order of the lanes."""
    seen = [
        Sighting("over", 1, 10),
        Sighting("over", 1, 20, ended=True),
        Sighting("again", 4, 30),
        Sighting("again", 2, 10),
        Sighting("again", 2, 20, ended=True),
        Sighting("runs", 0, 15),
    ]
    assert running(seen) == {"again": 4, "runs": 0}
    assert running([]) == {}


class _Cluster:
    """Cluster metadata as one broker would report it: topic to lanes."""

    def __init__(self, **lanes: int) -> None:
        self._lanes = lanes

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._lanes[topic])) if topic in self._lanes else None


@pytest.mark.parametrize(
    ("cluster", "lanes"),
    [(_Cluster(events=5, table=5), 5), (_Cluster(events=3, table=5), 3), (_Cluster(table=5), 5), (_Cluster(), 0)],
)
@pytest.mark.parametrize("count", [1, 2])
def test_faust_s_lanes_stay_whole_while_topics_differ(cluster: _Cluster, lanes: int, count: int) -> None:
    """A half-grown graph: each member has the same lanes of the inputs and of the table, and new ones wait."""
    topics = {"events", "table"}
    members = [f"member-{n}" for n in range(count)]
    found = WholeLanes._get_copartitioned_groups(topics, cluster, dict.fromkeys(members, sorted(topics)))
    assert list(found) == ([lanes] if lanes else [])
    for groups in found.values():
        assert [set(group) for group in groups] == [{t for t in topics if cluster.partitions_for_topic(t)}]
