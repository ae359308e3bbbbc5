"""Which worker owns which lanes: the same lane of every input topic on one member, balanced, moving as few as can be.

aiokafka's range assignor keeps lanes together but moves more than it must; its sticky one moves little but tears a
lane's topics apart. This one decides about lanes, and a lane brings all its topics.

* Sticky as in KIP-54: a member tells in each join what it owns and since which assignment; of two claims to a lane the
  newer wins, so a member that slept through a rebalance takes nothing back.
* Topics may differ in partitions for a moment (while lanes are added, or while a new topic is not in the leader's
  metadata): lanes go up to the largest count, and lane p brings each topic that has a partition p. To raise instead
  would stop the group's leader, then the next one. The metadata's next change brings a rebalance that mends it.
* Members may subscribe to different topics for a moment (while a group is redeployed with a new input): a member gets
  only topics that it subscribes to, and a lane is still never split; what nobody reads meanwhile is logged.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

log = logging.getLogger(__name__)

_CONSUMER_PROTOCOL_VERSION = 0  # eager rebalancing: what aiokafka speaks
_USER_DATA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What a member says of itself when it joins: who it is, and which lanes it was last given, at which assignment."""

    instance_id: str = ""
    lanes: tuple[int, ...] = ()
    generation: int = 0  # counted by the assignors themselves; larger is newer

    def to_bytes(self) -> bytes:
        return json.dumps(
            {
                "version": _USER_DATA_VERSION,
                "instance": self.instance_id,
                "lanes": self.lanes,
                "generation": self.generation,
            }
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes | None) -> "Claim":
        """What these bytes claim: nothing, where they are of another version or another assignor."""
        try:
            said = json.loads(data or b"{}")
            if said.get("version") != _USER_DATA_VERSION:
                return cls()
            lanes = tuple(int(lane) for lane in said["lanes"])
            return cls(str(said["instance"]), lanes, int(said["generation"]))
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
            return cls()


def assign_lanes(lane_count: int, claims: Mapping[str, Claim]) -> dict[str, tuple[int, ...]]:
    """Lanes 0 … `lane_count` - 1 over the members: every lane once, counts within one, as many left in place as can be.

    `claims` is by member id and not empty. The same claims give the same answer, in whatever order they come.
    """
    members = sorted(claims, key=lambda member: (claims[member].instance_id, member))
    owner: dict[int, str] = {}
    for member in sorted(members, key=lambda member: claims[member].generation):
        owner.update((lane, member) for lane in claims[member].lanes if 0 <= lane < lane_count)
    owned: dict[str, list[int]] = {member: [] for member in members}
    for lane in sorted(owner):
        owned[owner[lane]].append(lane)

    # Those who own most keep the lanes that don't divide: it is what leaves most lanes in place.
    share, remainder = divmod(lane_count, len(members))
    by_size = sorted(members, key=lambda member: -len(owned[member]))
    room = {member: share + (rank < remainder) for rank, member in enumerate(by_size)}

    homeless = set(range(lane_count)) - owner.keys()
    for member in members:
        homeless.update(owned[member][room[member] :])
        del owned[member][room[member] :]
    waiting = iter(sorted(homeless))
    for member in members:
        owned[member].extend(islice(waiting, room[member] - len(owned[member])))
    return {member: tuple(sorted(owned[member])) for member in members}


class LaneAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped
    """One per consumer, as `partition_assignment_strategy=(LaneAssignor(...),)`: it remembers what this member owns.

    aiokafka means assignors to be classes, but only ever calls these attributes on what it was given.
    """

    name = "callbus-lanes"

    def __init__(self, instance_id: str | None = None) -> None:
        self._claim = Claim(instance_id=instance_id or "")

    @property
    def lanes(self) -> tuple[int, ...]:
        """The lanes that this member was last given, in order."""
        return self._claim.lanes

    @property
    def generation(self) -> int:
        """Which assignment gave them; 0 before the first."""
        return self._claim.generation

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member sends with its join."""
        return ConsumerProtocolMemberMetadata(_CONSUMER_PROTOCOL_VERSION, sorted(topics), self._claim.to_bytes())

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """What this member is given, by whichever member leads."""
        lanes = sorted({lane for _, lanes in assignment.assignment for lane in lanes})
        generation = Claim.from_bytes(assignment.user_data).generation
        self._claim = Claim(self._claim.instance_id, tuple(lanes), generation)

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """The whole group's assignment; called on its leader only. `cluster` is aiokafka's ClusterMetadata."""
        subscribed = {member: set(metadata.subscription) for member, metadata in members.items()}
        topics = sorted(set().union(*subscribed.values()))
        partitions: dict[str, set[int]] = {topic: cluster.partitions_for_topic(topic) or set() for topic in topics}
        lane_count = 1 + max((max(numbers, default=-1) for numbers in partitions.values()), default=-1)
        claims = {member: Claim.from_bytes(metadata.user_data) for member, metadata in members.items()}
        owned = assign_lanes(lane_count, claims)
        _warn_of_gaps(partitions, lane_count, owned, subscribed)

        generation = 1 + max(claim.generation for claim in claims.values())
        user_data = Claim(generation=generation).to_bytes()
        return {
            member: ConsumerProtocolMemberAssignment(
                _CONSUMER_PROTOCOL_VERSION,
                [
                    (topic, [lane for lane in lanes if lane in partitions[topic]])
                    for topic in topics
                    if topic in subscribed[member]
                ],
                user_data,
            )
            for member, lanes in owned.items()
        }


def _warn_of_gaps(
    partitions: Mapping[str, set[int]],
    lane_count: int,
    owned: Mapping[str, tuple[int, ...]],
    subscribed: Mapping[str, set[str]],
) -> None:
    for topic, numbers in partitions.items():
        if len(numbers) != lane_count:
            log.warning("%s has %d of %d lanes; run `callbus topics apply`", topic, len(numbers), lane_count)
        unread = [lane for member, lanes in owned.items() if topic not in subscribed[member] for lane in lanes]
        if unread:
            log.warning("%s: lanes %s are read by nobody until all members subscribe to it", topic, sorted(unread))
