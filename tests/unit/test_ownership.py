"""callbus.worker.ownership: a static member that the group has expelled leaves, and does not rejoin."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from callbus import topology
from callbus.errors import Fenced, TooManyDeadLetters
from callbus.worker import kip345
from callbus.worker.kip345 import DescribeGroupsRequest
from callbus.worker.kip447 import GroupMetadata
from callbus.worker.lane import Lane
from callbus.worker.ownership import Ownership
from callbus.worker.waiting import Waiting

GROUP = topology.Group(name="group", inputs=("topic",))


class Group:
    """What aiokafka's consumer knows of its membership, for as long as a test needs it."""

    def __init__(self) -> None:
        self.members = {"a": "a-1", "c": "c-2"}  # by static name, as the group's coordinator knows them
        self._coordinator = SimpleNamespace(
            group_id="group",
            generation=3,
            member_id="c-1",
            _group_instance_id="c",
            finished=0,
            _send_req=self._describe,
            _retry_backoff_ms=1,
            ensure_coordinator_known=self._known,
        )

    async def _known(self) -> None:
        return None

    async def _describe(self, request: DescribeGroupsRequest) -> Any:
        assert isinstance(request, DescribeGroupsRequest)
        members = [(member_id, name, "", "", b"", b"") for name, member_id in self.members.items()]
        return SimpleNamespace(groups=[(0, "group", "Stable", "consumer", "callbus-lanes", members, 0)])

    def assignment(self) -> set[Any]:
        return set()

    async def finish(self) -> bool:
        self._coordinator.finished += 1
        return True

    def expel(self) -> None:
        """What aiokafka does when a heartbeat is answered with UNKNOWN_MEMBER_ID."""
        self._coordinator.generation, self._coordinator.member_id = -1, ""


def owned(group: Group, member: GroupMetadata) -> Ownership:
    async def restore(_: Any) -> dict[int, Any]:
        return {}

    ownership = Ownership(group, GROUP, restore, group.finish, asyncio.Event())
    ownership.member = member
    return ownership


async def test_who_was_expelled_ends_aiokafkas_task_before_it_rejoins() -> None:
    """A zombie that rejoins under its static name pushes out its replacement. Nothing is finished: it is fenced."""
    group = Group()
    ownership = owned(group, GroupMetadata.of(group))
    group.expel()
    with pytest.raises(asyncio.CancelledError):  # aiokafka swallows every other exception and goes on to join
        await ownership.on_partitions_revoked([])
    assert isinstance(ownership.failure.exception(), Fenced)
    assert group._coordinator.finished == 0


async def test_who_is_expelled_while_finishing_leaves_as_well() -> None:
    """The heartbeat that tells it may be answered while the work in hand is being finished."""
    group = Group()
    finish = group.finish

    async def expelled_meanwhile() -> bool:
        group.expel()
        return await finish()

    group.finish = expelled_meanwhile  # type: ignore[method-assign]
    ownership = owned(group, GroupMetadata.of(group))
    with pytest.raises(asyncio.CancelledError):
        await ownership.on_partitions_revoked([])
    assert isinstance(ownership.failure.exception(), Fenced)


async def test_who_was_expelled_while_nobody_took_his_place_comes_again() -> None:
    """Kafka did not hear of him for too long, because it hung: nobody is pushed out, and what he had comes again."""
    group = Group()
    ownership = owned(group, GroupMetadata.of(group))
    group.expel()
    del group.members["c"]
    await ownership.on_partitions_revoked([])
    assert not ownership.failure.done()
    assert not ownership.lanes


async def test_who_is_fenced_at_a_commit_asks_the_same() -> None:
    """The broker may refuse a commit before a heartbeat tells of the expulsion."""
    group = Group()
    ownership = owned(group, GroupMetadata.of(group))
    assert await ownership.is_replaced()
    del group.members["c"]
    assert not await ownership.is_replaced()


async def test_who_is_fenced_by_his_own_rebalance_is_nobody_else() -> None:
    """The group lists him under his own name: as who he was, or as who he has joined as since."""
    group = Group()
    ownership = owned(group, GroupMetadata.of(group))
    group.members["c"] = "c-1"
    assert not await ownership.is_replaced()
    group._coordinator.member_id = group.members["c"] = "c-3"
    assert not await ownership.is_replaced()


async def test_who_was_expelled_and_is_still_listed_comes_again() -> None:
    """A heartbeat may tell of an expulsion that the coordinator, loaded anew, has not kept."""
    group = Group()
    ownership = owned(group, GroupMetadata.of(group))
    group.members["c"] = "c-1"
    group.expel()
    await ownership.on_partitions_revoked([])
    assert not ownership.failure.done()


async def test_who_can_not_learn_whether_he_was_replaced_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """He asks again and again, and then takes it that he was: to come again could push somebody out."""
    monkeypatch.setattr(kip345, "_ASK_S", 0.05)
    group = Group()
    asked = 0

    async def away(_: Any) -> Any:
        nonlocal asked
        asked += 1
        raise KafkaConnectionError

    ownership = owned(group, GroupMetadata.of(group))
    group.expel()
    group._coordinator._send_req = away
    with pytest.raises(asyncio.CancelledError):
        await ownership.on_partitions_revoked([])
    assert isinstance(ownership.failure.exception(), Fenced)
    assert asked > 1


async def test_who_is_still_a_member_finishes_and_goes_on() -> None:
    """An ordinary rebalance."""
    group = Group()
    ownership = owned(group, GroupMetadata.of(group))
    await ownership.on_partitions_revoked([])
    assert group._coordinator.finished == 1
    assert not ownership.failure.done()


class Seeking(Group):
    """Also remembers where it was told to read on."""

    def __init__(self) -> None:
        super().__init__()
        self.sought: dict[tuple[str, int], int] = {}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.sought[tp] = offset

    def join(self, generation: int, member_id: str = "c-1") -> None:
        """What aiokafka does when it has joined."""
        self._coordinator.generation, self._coordinator.member_id = generation, member_id


def assigned(*lanes: int) -> set[TopicPartition]:
    return {TopicPartition(topic, lane) for topic in ("topic", GROUP.retries) for lane in lanes}


async def rebalanced(group: Seeking, committed: bool = True, **joined: Any) -> Ownership:
    """Who had lanes 0 and 1, after a rebalance that gives it 1 and 2."""

    async def restore(_: Any) -> dict[int, Any]:
        return {}

    async def finish() -> bool:
        return committed

    ownership = Ownership(group, GROUP, restore, finish, asyncio.Event())
    ownership.member = GroupMetadata.of(group)
    for number in (0, 1):
        ownership.lanes[number] = Lane(number, {"topic": 10 + number}, waiting=Waiting(5), retries=GROUP.retries)
    await ownership.on_partitions_revoked(assigned(0, 1))
    assert not ownership.lanes, "nothing is worked on between two assignments"
    group.join(**joined)
    await ownership.on_partitions_assigned(assigned(1, 2))
    return ownership


async def test_a_lane_that_did_not_move_goes_on_where_it_stood() -> None:
    """With its queue and its memory, read on from what it had fetched; the one that moved away is gone."""
    group = Seeking()
    ownership = await rebalanced(group, generation=4)
    assert set(ownership.lanes) == {1}
    assert group.sought == {("topic", 1): 11, (GROUP.retries, 1): 5}


@pytest.mark.parametrize(
    "joined",
    [
        {"generation": 5},  # a generation went by in which somebody else may have owned it
        {"generation": 4, "member_id": "c-2"},  # we were out of the group for a while
        {"generation": 4, "committed": False},  # what it remembers is ahead of what was committed
    ],
    ids=["a generation later", "another member", "not committed"],
)
async def test_a_lane_that_may_have_moved_is_opened_anew(joined: dict[str, Any]) -> None:
    """What it remembers may be outdated: its state is restored."""
    group = Seeking()
    ownership = await rebalanced(group, **joined)
    assert not ownership.lanes
    assert not group.sought


async def test_it_is_told_when_every_lane_was_kept() -> None:
    """Nothing is fetched or restored then: without a word the work that they hold would lie there."""
    group, told = Seeking(), []

    async def nothing(_: Any = None) -> Any:
        return True

    ownership = Ownership(group, GROUP, nothing, nothing, asyncio.Event(), lambda *said: told.append(said[:2]))
    ownership.member = GroupMetadata.of(group)
    ownership.lanes[1] = Lane(1, {"topic": 11}, waiting=Waiting(5), retries=GROUP.retries)
    await ownership.on_partitions_revoked(assigned(1))
    group.join(generation=4)
    await ownership.on_partitions_assigned(assigned(1))
    async with asyncio.timeout(5):
        await ownership.settled.wait()
        while not told:
            await asyncio.sleep(0)
    assert told == [(1, 0)]


async def test_who_keeps_every_lane_asks_too_whether_the_group_was_stopped() -> None:
    """Its lanes did not move: nothing else would make it ask before the next restart."""
    group = Seeking()

    async def nothing(_: Any = None) -> Any:
        return True

    async def stopped() -> None:
        raise TooManyDeadLetters("12 within a minute")

    ownership = Ownership(group, GROUP, nothing, nothing, asyncio.Event(), may_go_on=stopped)
    ownership.member = GroupMetadata.of(group)
    ownership.lanes[1] = Lane(1, {"topic": 11}, waiting=Waiting(5), retries=GROUP.retries)
    await ownership.on_partitions_revoked(assigned(1))
    group.join(generation=4)
    await ownership.on_partitions_assigned(assigned(1))
    with pytest.raises(TooManyDeadLetters):
        await asyncio.wait_for(ownership.failure, 5)
