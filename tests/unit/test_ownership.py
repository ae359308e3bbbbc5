"""callbus.worker.ownership: a static member that the group has expelled leaves, and does not rejoin."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from callbus.errors import Fenced
from callbus.worker.kip447 import GroupMetadata
from callbus.worker.ownership import Ownership


class Group:
    """What aiokafka's consumer knows of its membership, for as long as a test needs it."""

    def __init__(self) -> None:
        self._coordinator = SimpleNamespace(
            group_id="group", generation=3, member_id="c-1", _group_instance_id="c", finished=0
        )

    def assignment(self) -> set[Any]:
        return set()

    async def finish(self) -> None:
        self._coordinator.finished += 1

    def expel(self) -> None:
        """What aiokafka does when a heartbeat is answered with UNKNOWN_MEMBER_ID."""
        self._coordinator.generation, self._coordinator.member_id = -1, ""


def owned(group: Group, member: GroupMetadata) -> Ownership:
    async def restore(_: Any) -> dict[int, Any]:
        return {}

    ownership = Ownership(group, ["topic"], restore, group.finish, asyncio.Event())
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

    async def expelled_meanwhile() -> None:
        await finish()
        group.expel()

    group.finish = expelled_meanwhile  # type: ignore[method-assign]
    ownership = owned(group, GroupMetadata.of(group))
    with pytest.raises(asyncio.CancelledError):
        await ownership.on_partitions_revoked([])
    assert isinstance(ownership.failure.exception(), Fenced)


async def test_who_is_still_a_member_finishes_and_goes_on() -> None:
    """An ordinary rebalance."""
    group = Group()
    ownership = owned(group, GroupMetadata.of(group))
    await ownership.on_partitions_revoked([])
    assert group._coordinator.finished == 1
    assert not ownership.failure.done()
