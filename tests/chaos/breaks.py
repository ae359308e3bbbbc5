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

from callbus.worker import clients, outbox, ownership, retry_log, worker
from callbus.worker.commits import Commits
from callbus.worker.kip447 import GroupMetadata, fetch_offsets
from callbus.worker.lane import Lane
from callbus.worker.memory import CallMemory
from callbus.worker.ownership import Ownership
from callbus.worker.restoring import Restored
from callbus.worker.waiting import Waiting
from tests.chaos.drawn_out import DrawnOut


@dataclass(frozen=True, slots=True)
class Break:
    """A guarantee, how it is broken, and under which faults it shows (weights of schedule.py)."""

    guarantee: str
    how: str
    apply: Callable[[], None]
    weights: Mapping[str, float]
    host_of: str = ""  # the group whose hosts they strike; all if none is named
    look_after: int = 6  # faults; then twice as many, and so on


_ZOMBIES = {"zombie-alone": 3.0, "kill": 1.0}
_MOVES = {"member-leaves": 1.0, "term": 3.0, "kill": 1.0}
_VISITS = {"visit": 1.0}  # lanes go and come back, while their owner lives
_KILLS = {"kill": 1.0}


def apply(name: str) -> None:
    """Break the guarantee of this name; nothing for the empty name."""
    if name:
        BREAKS[name].apply()


def replace_name(module: ModuleType | type, name: str, by: Any) -> None:
    """What the module calls by this name is another thing from now on. The name must be there."""
    if not hasattr(module, name):
        raise AttributeError(f"{module.__name__} has no {name} any more: mend tests/chaos/breaks.py")
    setattr(module, name, by)


def _expelled_finishes_first() -> None:
    """Takes away the guard before the group's: a member that was expelled leaves before it commits."""

    class Staying(Ownership):
        async def _leave_if_replaced(self, member: GroupMetadata | None) -> None:
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

    class Live(Commits):
        async def _transact(self, member: GroupMetadata, results: Any) -> None:
            coordinator = self._ownership._consumer._coordinator
            now = replace(member, generation=coordinator.generation, member_id=coordinator.member_id, instance_id=None)
            await super()._transact(now, results)

    replace_name(worker, "Commits", Live)


def _unstable_offsets() -> None:
    class Lingering(DrawnOut):  # harmless by itself: it gives the faults a window
        async def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], member: GroupMetadata) -> None:
            await super().send_offsets_to_transaction(offsets, member)
            await asyncio.sleep(0.3)

    replace_name(clients, "TransactionalProducer", Lingering)
    replace_name(ownership, "fetch_offsets", partial(fetch_offsets, require_stable=False))


def _seek_await_publish() -> None:
    class Gap(Ownership):
        async def _open(self, member: GroupMetadata, numbers: Collection[int]) -> None:
            await super()._open(member, numbers)
            late, self.lanes = self.lanes, {}
            await asyncio.sleep(0.1)
            if self.member is member:
                self.lanes = late

    replace_name(worker, "Ownership", Gap)


def _offsets_outside() -> None:
    class Apart(Commits):
        async def _transact(self, member: GroupMetadata, results: Any) -> None:
            records = [record for result in results for record in result.finished.records]
            offsets = {
                TopicPartition(topic, lane): OffsetAndMetadata(offset, "")
                for result in results
                for (topic, lane), offset in result.finished.offsets.items()
            }
            producer: Any = self._delivery._producer  # type: ignore[attr-defined]
            async with producer.transaction():
                await producer.publish(records)
            await asyncio.sleep(0.05)
            with suppress(KafkaError):
                await self._ownership._consumer.commit(offsets)

    replace_name(worker, "Commits", Apart)


def _memory_kept() -> None:
    class Keeping(Ownership):
        def __init__(self, *settings: Any) -> None:
            super().__init__(*settings)
            self._kept: dict[int, dict[str, CallMemory]] = {}
            from_changelog = self._restore

            async def restore(retries: Mapping[int, int]) -> dict[int, Restored]:
                restored = await from_changelog(retries)
                for number in self._kept.keys() & restored.keys():
                    restored[number].calls |= self._kept[number]
                return restored

            self._restore = restore

        async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
            before = dict(self.lanes)
            await super().on_partitions_revoked(revoked)
            self._kept |= {number: lane.calls for number, lane in before.items()}

    replace_name(worker, "Ownership", Keeping)


def _lane_kept() -> None:
    class Keeping(Ownership):
        def __init__(self, *settings: Any) -> None:
            super().__init__(*settings)
            self._ever: dict[int, Lane] = {}

        async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
            self._ever |= self.lanes
            await super().on_partitions_revoked(revoked)

        def _unmoved(self, member: GroupMetadata, assigned: Collection[TopicPartition]) -> dict[int, Lane]:
            super()._unmoved(member, assigned)
            return {number: lane for number, lane in self._ever.items() if number in {tp.partition for tp in assigned}}

    replace_name(worker, "Ownership", Keeping)


def _resume_dropped() -> None:
    replace_name(outbox, "state_headers", lambda *_: [])


def _overtaken() -> None:
    replace_name(Waiting, "precedes", lambda *_: False)


def _unsettled() -> None:
    nothing = retry_log.attempt_record
    replace_name(retry_log, "settled_record", nothing)


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
        "State is restored when a lane comes back",
        "a lane's memory is kept over a revoke",
        _memory_kept,
        _VISITS,
        look_after=2,
    ),
    "resume-dropped": Break(
        "A held-back lane repeats nothing",
        "the `callbus_resume` header is not written",
        _resume_dropped,
        _KILLS,
        host_of="hold",
    ),
    "lane-kept": Break(
        "A lane goes on without being restored only if nobody else can have owned it",
        "every lane that was ever owned is taken up where it was left",
        _lane_kept,
        _VISITS,
        look_after=2,
    ),
    "overtaken": Break(
        "What comes after an input that waits, waits behind it", "no call counts as waiting", _overtaken, _KILLS
    ),
    "unsettled": Break(
        "What has waited is worked on once", "that it is settled is not written into the retry log", _unsettled, _KILLS
    ),
    "publish-unawaited": Break(
        "Outputs are acknowledged before the offsets are sent", "`publish` is not awaited", _publish_unawaited, _KILLS
    ),
}
