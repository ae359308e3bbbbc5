"""Each guarantee of the worker, broken on purpose in this process alone: a checker never seen red is no checker."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from callbus import process
from callbus.worker import clients, ownership, stage, worker
from callbus.worker.kip447 import GroupMetadata, fetch_offsets
from callbus.worker.lane import CallMemory
from callbus.worker.ownership import Ownership
from callbus.worker.stage import Finished
from callbus.worker.worker import Worker
from tests.chaos.drawn_out import DrawnOut


@dataclass(frozen=True, slots=True)
class Break:
    """A guarantee, how it is broken, and under which faults it shows (weights of schedule.py)."""

    guarantee: str
    how: str
    apply: Callable[[], None]
    weights: Mapping[str, float]


_ZOMBIES = {"zombie-alone": 3.0, "kill": 1.0}
_MOVES = {"member-leaves": 1.0, "term": 3.0, "kill": 1.0}
_KILLS = {"kill": 1.0}


def apply(name: str) -> None:
    """Break the guarantee of this name; nothing for the empty name."""
    if name:
        BREAKS[name].apply()


def replace_name(module: ModuleType, name: str, by: Any) -> None:
    """What the module calls by this name is another thing from now on. The name must be there."""
    if not hasattr(module, name):
        raise AttributeError(f"{module.__name__} has no {name} any more: mend tests/chaos/breaks.py")
    setattr(module, name, by)


def _expelled_finishes_first() -> None:
    """Takes away the guard before the group's: a member that was expelled leaves before it commits."""

    class Staying(Ownership):
        def _leave_if_expelled(self, member: GroupMetadata | None) -> None:
            pass

    replace_name(worker, "Ownership", Staying)


def _no_generation() -> None:
    _expelled_finishes_first()

    class Producer(DrawnOut):
        async def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], member: GroupMetadata) -> None:
            nobody = replace(member, generation=-1, member_id="", instance_id=None)
            await super().send_offsets_to_transaction(offsets, nobody)

    replace_name(clients, "TransactionalProducer", Producer)


def _generation_at_commit() -> None:
    _expelled_finishes_first()

    class Live(Worker):
        async def _transact(self, member: GroupMetadata, results: list[Finished]) -> None:
            coordinator = self._consumer._coordinator
            now = replace(member, generation=coordinator.generation, member_id=coordinator.member_id, instance_id=None)
            await super()._transact(now, results)

    replace_name(process, "Worker", Live)


def _unstable_offsets() -> None:
    class Lingering(DrawnOut):  # harmless by itself: it gives the faults a window
        async def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], member: GroupMetadata) -> None:
            await super().send_offsets_to_transaction(offsets, member)
            await asyncio.sleep(0.3)

    replace_name(clients, "TransactionalProducer", Lingering)
    replace_name(ownership, "fetch_offsets", partial(fetch_offsets, require_stable=False))


def _seek_await_publish() -> None:
    class Gap(Ownership):
        async def _open(self, member: GroupMetadata) -> None:
            await super()._open(member)
            late, self.lanes = self.lanes, {}
            await asyncio.sleep(0.1)
            if self.member is member:
                self.lanes = late

    replace_name(worker, "Ownership", Gap)


def _offsets_outside() -> None:
    class Apart(Worker):
        async def _transact(self, member: GroupMetadata, results: list[Finished]) -> None:
            records = [record for finished in results for record in finished.records]
            offsets = {
                TopicPartition(topic, lane): OffsetAndMetadata(offset, "")
                for finished in results
                for (topic, lane), offset in finished.offsets.items()
            }
            async with self._producer.transaction():
                await self._producer.publish(records)
            await asyncio.sleep(0.05)
            with suppress(KafkaError):
                await self._consumer.commit(offsets)

    replace_name(process, "Worker", Apart)


def _memory_kept() -> None:
    class Keeping(Ownership):
        def __init__(self, *settings: Any) -> None:
            super().__init__(*settings)
            self._kept: dict[int, dict[str, CallMemory]] = {}
            from_changelog = self._restore

            async def restore(lanes: Collection[int]) -> dict[int, dict[str, CallMemory]]:
                kept = {number: self._kept[number] for number in lanes if number in self._kept}
                return await from_changelog(lanes) | kept

            self._restore = restore

        async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
            before = dict(self.lanes)
            await super().on_partitions_revoked(revoked)
            self._kept |= {number: lane.calls for number, lane in before.items()}

    replace_name(worker, "Ownership", Keeping)


def _resume_dropped() -> None:
    replace_name(stage, "resume_headers", lambda *_: [])


def _publish_unawaited() -> None:
    class Careless(DrawnOut):
        async def publish(self, records: Any) -> None:
            self._loose = asyncio.create_task(super().publish(records))

    replace_name(clients, "TransactionalProducer", Careless)


BREAKS: Mapping[str, Break] = {
    "no-generation": Break(
        "A zombie is fenced by its group generation",
        "offsets are sent with generation -1, and an expelled member stays",
        _no_generation,
        _ZOMBIES,
    ),
    "generation-at-commit": Break(
        "Who we are is frozen at assignment",
        "generation and member id are read at the commit, and an expelled member stays",
        _generation_at_commit,
        _ZOMBIES,
    ),
    "unstable-offsets": Break(
        "Offsets are fetched stable",
        "`require_stable=False`; transactions linger 0.3 s before their end",
        _unstable_offsets,
        _ZOMBIES,
    ),
    "seek-await-publish": Break(
        "Seek and publish are one step", "100 ms between seeking and publishing a lane", _seek_await_publish, _MOVES
    ),
    "offsets-outside": Break(
        "Offsets commit with the outputs", "offsets are committed 50 ms after the transaction", _offsets_outside, _KILLS
    ),
    "memory-kept": Break(
        "State is restored when a lane comes back", "a lane's memory is kept over a revoke", _memory_kept, _MOVES
    ),
    "resume-dropped": Break(
        "A held-back lane repeats nothing", "the `callbus_resume` header is not written", _resume_dropped, _KILLS
    ),
    "publish-unawaited": Break(
        "Outputs are acknowledged before the offsets are sent", "`publish` is not awaited", _publish_unawaited, _KILLS
    ),
}
