"""The lane assignor, by itself: groups that grow, shrink, sleep and lag, against what balance really needs."""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as Assignment
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata as Metadata
from aiokafka.protocol.metadata import MetadataResponse_v1
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callbus.worker.assignor import Claim, LaneAssignor, assign_lanes

TOPICS = ("call-events", "classifications", "entities")


def cluster_of(lane_counts: Mapping[str, int]) -> Any:
    """Cluster metadata as one broker would report it."""
    topics = [
        (0, topic, False, [(0, lane, 0, [0], [0]) for lane in range(count)]) for topic, count in lane_counts.items()
    ]
    cluster = ClusterMetadata()
    cluster.update_metadata(MetadataResponse_v1([(0, "localhost", 9092, None)], 0, topics))
    return cluster


def through_the_wire(struct: Any) -> Any:
    return type(struct).decode(struct.encode())


def rebalance(cluster: Any, members: Mapping[str, LaneAssignor], topics: Iterable[str] = TOPICS) -> dict[str, Any]:
    """One join as aiokafka does it: all members' metadata to the leader, the leader's assignment to all members."""
    joined = {member: through_the_wire(assignor.metadata(topics)) for member, assignor in members.items()}
    leader = next(iter(members.values()))
    assignments = {member: through_the_wire(given) for member, given in leader.assign(cluster, joined).items()}
    for member, assignor in members.items():
        assignor.on_assignment(assignments[member])
    return assignments


def lanes_by_topic(assignment: Any) -> dict[str, list[int]]:
    return {topic: list(lanes) for topic, lanes in assignment.assignment}


def moves_needed(owned: Mapping[str, tuple[int, ...]], lane_count: int) -> int:
    """The fewest lanes that must leave a present owner for the counts to be within one (an oracle, by counting)."""
    share, remainder = divmod(lane_count, len(owned))
    sizes = sorted(map(len, owned.values()), reverse=True)
    kept = sum(min(size, share + (rank < remainder)) for rank, size in enumerate(sizes))
    return sum(sizes) - kept


class Group(RuleBasedStateMachine):
    """Members come, go, fall asleep and wake with old claims, and lanes grow, topic by topic."""

    @initialize(lanes=st.integers(1, 13))
    def found(self, lanes: int) -> None:
        self.lane_counts = dict.fromkeys(TOPICS, lanes)
        self.members: dict[str, LaneAssignor] = {}
        self.asleep: dict[str, LaneAssignor] = {}
        self.assignments: dict[str, Any] = {}
        self.born = 0
        self.join(static=False)

    @property
    def lane_count(self) -> int:
        return max(self.lane_counts.values())

    @rule(static=st.booleans())
    @precondition(lambda self: len(self.members) < 6)
    def join(self, static: bool) -> None:
        self.born += 1
        self.members[f"member-{self.born}"] = LaneAssignor(f"worker-{self.born % 4}" if static else None)
        self.rebalance()

    @rule(data=st.data())
    @precondition(lambda self: len(self.members) > 1)
    def leave(self, data: st.DataObject) -> None:
        del self.members[data.draw(st.sampled_from(sorted(self.members)))]
        self.rebalance()

    @rule(data=st.data())
    @precondition(lambda self: len(self.members) > 1)
    def fall_asleep(self, data: st.DataObject) -> None:
        sleeper = data.draw(st.sampled_from(sorted(self.members)))
        self.asleep[sleeper] = self.members.pop(sleeper)
        self.rebalance()

    @rule(data=st.data())
    @precondition(lambda self: self.asleep)
    def wake_with_old_claims(self, data: st.DataObject) -> None:
        sleeper = data.draw(st.sampled_from(sorted(self.asleep)))
        self.members[f"{sleeper}-again"] = self.asleep.pop(sleeper)
        self.rebalance()

    @rule(topic=st.sampled_from(TOPICS), more=st.integers(1, 3))
    def grow(self, topic: str, more: int) -> None:
        self.lane_counts[topic] += more
        self.rebalance()

    @rule()
    def rejoin_for_nothing(self) -> None:
        before = {member: assignor.lanes for member, assignor in self.members.items()}
        self.rebalance()
        assert before == {member: assignor.lanes for member, assignor in self.members.items()}

    def rebalance(self) -> None:
        # What the present members own, each lane with its latest owner: what stickiness is measured by.
        latest: dict[int, str] = {}
        for member in sorted(self.members, key=lambda member: self.members[member].generation):
            latest.update(dict.fromkeys(self.members[member].lanes, member))
        owned = {m: tuple(lane for lane, owner in latest.items() if owner == m) for m in self.members}
        self.assignments = rebalance(cluster_of(self.lane_counts), self.members)
        moved = [lane for lane, owner in latest.items() if lane not in self.members[owner].lanes]
        assert len(moved) == moves_needed(owned, self.lane_count)

    @invariant()
    def a_lane_is_on_one_member_with_all_its_topics(self) -> None:
        for topic, count in self.lane_counts.items():
            given = [lanes_by_topic(assignment)[topic] for assignment in self.assignments.values()]
            assert sorted(lane for lanes in given for lane in lanes) == list(range(count))
        for member, assignment in self.assignments.items():
            for topic, lanes in lanes_by_topic(assignment).items():
                assert lanes == [x for x in self.members[member].lanes if x < self.lane_counts[topic]]

    @invariant()
    def counts_are_within_one(self) -> None:
        sizes = [len(assignor.lanes) for assignor in self.members.values()]
        assert max(sizes) - min(sizes) <= 1
        assert sum(sizes) == self.lane_count

    @invariant()
    def all_know_the_same_generation(self) -> None:
        assert len({assignor.generation for assignor in self.members.values()}) == 1


TestGroup = Group.TestCase
TestGroup.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)

CLAIMS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.builds(
        Claim,
        st.sampled_from(["", "w0", "w1"]),
        st.lists(st.integers(-2, 12), max_size=8).map(tuple),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=5,
)


@given(CLAIMS, st.integers(0, 10), st.randoms())
def test_any_claims_give_every_lane_once_and_in_any_order_the_same(
    claims: dict[str, Claim], lane_count: int, random: Any
) -> None:
    """Whatever members claim (doubled, stale, out of range): complete, within one, and the same when shuffled."""
    owned = assign_lanes(lane_count, claims)
    assert sorted(lane for lanes in owned.values() for lane in lanes) == list(range(lane_count))
    assert max(map(len, owned.values())) - min(map(len, owned.values())) <= 1
    shuffled = list(claims.items())
    random.shuffle(shuffled)
    assert assign_lanes(lane_count, dict(shuffled)) == owned


def test_of_two_claims_the_newer_wins() -> None:
    """A member that slept through a rebalance takes nothing back from who owns its lanes now."""
    claims = {"sleeper": Claim("a", (0, 1, 2, 3), 5), "owner": Claim("b", (0, 1), 7), "other": Claim("c", (2, 3), 7)}
    owned = assign_lanes(6, claims)
    assert owned == {"sleeper": (4, 5), "owner": (0, 1), "other": (2, 3)}


def test_lanes_that_do_not_divide_stay_with_those_who_have_them() -> None:
    """Eight lanes over three: who owns three keeps three, and nothing moves but what a newcomer needs."""
    claims = {"a": Claim("a", (0, 1, 2, 3)), "b": Claim("b", (4, 5, 6, 7)), "c": Claim("c")}
    assert assign_lanes(8, claims) == {"a": (0, 1, 2), "b": (4, 5, 6), "c": (3, 7)}
    claims = {"a": Claim("a", (0, 1)), "b": Claim("b", (2, 3, 4)), "c": Claim("c", (5, 6, 7))}
    assert assign_lanes(8, claims) == {"a": (0, 1), "b": (2, 3, 4), "c": (5, 6, 7)}


def test_members_beyond_the_lanes_own_none() -> None:
    """A third worker on two lanes waits with nothing; it is told so."""
    members = {name: LaneAssignor(name) for name in ("a", "b", "c")}
    rebalance(cluster_of(dict.fromkeys(TOPICS, 2)), members)
    assert [assignor.lanes for assignor in members.values()] == [(0,), (1,), ()]


NOT_OURS = [
    None,
    b"",
    b"\xff\xfe binary of another assignor",
    b"[1, 2]",
    b"null",
    json.dumps({"i": "worker-1", "o": [0, 1], "g": 3}).encode(),
    json.dumps({"version": 2, "instance": "worker-1", "lanes": [0, 1], "generation": 3, "racks": {}}).encode(),
    json.dumps({"version": 1, "instance": "worker-1", "lanes": None, "generation": 3}).encode(),
    json.dumps({"version": 1, "instance": "worker-1", "lanes": [float("inf")], "generation": 3}).encode(),
]


@pytest.mark.parametrize("data", NOT_OURS)
def test_user_data_of_another_version_claims_nothing(data: bytes | None) -> None:
    """In a group of mixed versions the leader lives, and members whose claims it can't read still get their share."""
    assert Claim.from_bytes(data) == Claim()
    ours = LaneAssignor("ours")
    joined = {"ours": ours.metadata(TOPICS), "other": Metadata(0, list(TOPICS), data)}
    given = ours.assign(cluster_of(dict.fromkeys(TOPICS, 4)), joined)
    assert {member: lanes_by_topic(a)["entities"] for member, a in given.items()} == {"other": [0, 1], "ours": [2, 3]}
    ours.on_assignment(Assignment(0, [("entities", [2, 3])], data))
    assert (ours.lanes, ours.generation) == ((2, 3), 0)


@given(
    st.binary(max_size=60) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_bytes_break_a_join(data: bytes) -> None:
    """Any bytes are a claim, if an empty one."""
    assert isinstance(Claim.from_bytes(data), Claim)


@given(st.builds(Claim, st.text(max_size=8), st.lists(st.integers(0, 99)).map(tuple), st.integers(0, 10**9)))
def test_a_claim_survives_the_wire(claim: Claim) -> None:
    """What one member says, the leader hears."""
    assert Claim.from_bytes(claim.to_bytes()) == claim


def test_a_topic_unknown_to_the_leader_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A topic that is not in the metadata yet comes with its lanes at the next rebalance, to the same members."""
    members = {name: LaneAssignor(name) for name in ("a", "b")}
    caplog.set_level(logging.WARNING)
    first = rebalance(cluster_of({"call-events": 4, "entities": 4}), members)
    assert "classifications has 0 of 4 lanes" in caplog.text
    assert lanes_by_topic(first["a"]) == {"call-events": [0, 1], "classifications": [], "entities": [0, 1]}
    second = rebalance(cluster_of(dict.fromkeys(TOPICS, 4)), members)
    assert lanes_by_topic(second["a"]) == {topic: [0, 1] for topic in TOPICS}


def test_when_no_topic_is_known_nobody_owns_anything() -> None:
    """The first join may come before any metadata."""
    members = {name: LaneAssignor(name) for name in ("a", "b")}
    rebalance(cluster_of({}), members)
    assert [assignor.lanes for assignor in members.values()] == [(), ()]


def test_while_a_new_input_is_rolled_out_no_lane_is_split(caplog: pytest.LogCaptureFixture) -> None:
    """An old member is never given a topic that it doesn't subscribe to, and nobody else reads that lane of it."""
    caplog.set_level(logging.WARNING)
    old, new = LaneAssignor("a"), LaneAssignor("b")
    joined = {"old": old.metadata(["call-events"]), "new": new.metadata(["call-events", "entities"])}
    given = new.assign(cluster_of({"call-events": 4, "entities": 4}), joined)
    assert lanes_by_topic(given["old"]) == {"call-events": [0, 1]}
    assert lanes_by_topic(given["new"]) == {"call-events": [2, 3], "entities": [2, 3]}
    assert "entities: lanes [0, 1] are read by nobody" in caplog.text


def test_each_consumer_has_its_own_memory() -> None:
    """Two groups in one process must not see each other's lanes."""
    one, other = LaneAssignor("a"), LaneAssignor("a")
    rebalance(cluster_of(dict.fromkeys(TOPICS, 4)), {"one": one})
    assert (one.lanes, one.generation) == ((0, 1, 2, 3), 1)
    assert (other.lanes, other.generation) == ((), 0)
