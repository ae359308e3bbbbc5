"""Who is in a group and which lanes each owns: Kafka's description of a group, understood. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

State = Literal["stable", "rebalancing", "empty", "dead", "unknown"]

_STATES: dict[str, State] = {
    "Stable": "stable",
    "PreparingRebalance": "rebalancing",
    "CompletingRebalance": "rebalancing",
    "Empty": "empty",
    "Dead": "dead",  # also a group that never was
}
_TELLING_APART = 4  # of the end of a member id, which is a random UUID


@dataclass(frozen=True, slots=True)
class Member:
    """One process in a group. `name` is its static name (`callbus run --member`), else its client's with a tail."""

    name: str
    host: str
    static: bool
    lanes: tuple[int, ...]  # of the group's inputs, in order


@dataclass(frozen=True, slots=True)
class Membership:
    """A group's state and members, by name. While it rebalances Kafka tells neither names nor lanes."""

    state: State
    members: tuple[Member, ...] = ()

    def unowned(self, lanes: int) -> tuple[int, ...]:
        """Which of lanes 0 … `lanes` - 1 nobody reads; none are named while the group rebalances."""
        if self.state == "rebalancing":
            return ()
        owned = {lane for member in self.members for lane in member.lanes}
        return tuple(lane for lane in range(lanes) if lane not in owned)


def membership(described: Any, inputs: Collection[str]) -> Membership:
    """What a group's entry in a DescribeGroups v4 response says of the lanes of `inputs`."""
    _, _, state, _, _, members, _ = described
    return Membership(
        state=_STATES.get(state, "unknown"),
        members=tuple(sorted((_member(member, inputs) for member in members), key=lambda member: member.name)),
    )


def _member(described: Any, inputs: Collection[str]) -> Member:
    member_id, instance_id, client_id, host, _, assignment = described
    return Member(
        name=instance_id or f"{client_id}-{member_id[-_TELLING_APART:]}",
        host=host.removeprefix("/"),  # Java's way of writing an address without a name
        static=bool(instance_id),
        lanes=_lanes(assignment, inputs),
    )


def _lanes(assignment: bytes, inputs: Collection[str]) -> tuple[int, ...]:
    if not assignment:
        return ()
    assigned = ConsumerProtocolMemberAssignment.decode(assignment).assignment
    return tuple(sorted({lane for topic, lanes in assigned if topic in inputs for lane in lanes}))
