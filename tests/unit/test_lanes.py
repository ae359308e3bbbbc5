"""The lane of a call."""

import pytest
from aiokafka.partitioner import DefaultPartitioner

from callbus.lanes import LaneChooser

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


def test_a_running_call_keeps_its_lane_when_lanes_are_added() -> None:
    """New calls spread over the new lanes, running ones stay; once ended, a call is new again."""
    chooser = LaneChooser(2)
    before = {f"call-{n}": chooser.lane(f"call-{n}") for n in range(50)}
    chooser.grow(16)
    assert {call_id: chooser.lane(call_id) for call_id in before} == before
    assert {chooser.lane(f"new-{n}") for n in range(200)} == set(range(16))

    for call_id in before:
        chooser.forget(call_id)
    assert {call_id: chooser.lane(call_id) for call_id in before} != before


def test_ended_calls_take_no_memory() -> None:
    """Forgetting is what keeps a door that runs for months small; forgetting twice does no harm."""
    chooser = LaneChooser(8)
    for n in range(1000):
        chooser.lane(f"call-{n}")
        chooser.forget(f"call-{n}")
    chooser.forget("call-1")
    assert len(chooser) == 0


def test_impossible_lane_counts_are_refused() -> None:
    """A topic has at least one partition, and never loses one."""
    with pytest.raises(ValueError, match="at least one"):
        LaneChooser(0)
    with pytest.raises(ValueError, match="can't shrink from 8 to 4"):
        LaneChooser(8).grow(4)
