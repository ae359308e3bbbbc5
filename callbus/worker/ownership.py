"""Which lanes are ours, as whom we own them, and how they are opened and handed over.

The order of the steps is what keeps messages from being lost or doubled; DESIGN.md tells why each stands where it does.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from callbus.errors import Fenced
from callbus.worker.kip447 import GroupMetadata, fetch_offsets
from callbus.worker.lane import CallMemory, Lane

log = structlog.get_logger(__name__)

Restore = Callable[[Collection[int]], Awaitable[dict[int, dict[str, CallMemory]]]]

_UNSTABLE_RETRY_S = 0.02


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """The lanes that are open here. `member` is who we were when they were assigned; None between two assignments."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        inputs: Collection[str],
        restore: Restore,
        finish: Callable[[], Awaitable[None]],
        settled: asyncio.Event,
    ) -> None:
        """`restore` reads the calls' states of some lanes; `finish` returns once nothing of ours is in hand.

        `settled` is set while every assigned lane is open.
        """
        self.lanes: dict[int, Lane] = {}
        self.member: GroupMetadata | None = None
        self.settled = settled
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._consumer = consumer
        self._inputs = inputs
        self._restore = restore
        self._finish = finish
        self._opening: asyncio.Task[None] | None = None

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Finish and commit what is in hand, still in the old generation; then let the lanes go.

        A static member that the group has expelled meanwhile leaves instead.
        """
        self.settled.clear()
        member, self.member = self.member, None  # from here on no new batch starts
        self._stop_opening()
        self._leave_if_expelled(member)  # before finishing: nothing of it could be committed any more
        await self._finish()
        self.lanes.clear()
        self._leave_if_expelled(member)

    def _leave_if_expelled(self, member: GroupMetadata | None) -> None:
        """Fail, and end aiokafka's task that called us: it would rejoin at once, under our static name, and so push out
        the process that has taken our place. Of all exceptions it lets only a cancellation through."""
        if member is not None and member.instance_id and not self._consumer._coordinator.member_id:
            self.lanes.clear()
            self._fail(Fenced(f"group {member.group_id}: another process runs as member {member.instance_id}"))
            raise asyncio.CancelledError

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Freeze who we are, and open the lanes in a task: aiokafka sends no heartbeat while this callback runs."""
        try:
            self.member = GroupMetadata.of(self._consumer)
        except Fenced as problem:  # the group moved on while we were joining; it will call again
            log.info("assignment_outdated", reason=str(problem))
            return
        log.info("lanes_assigned", lanes=sorted({tp.partition for tp in assigned}), generation=self.member.generation)
        self.reopen()

    def reopen(self) -> None:
        """Drop what was fetched and remembered, and start again from what is committed."""
        member = self.member
        self.settled.clear()
        self.lanes.clear()
        self._stop_opening()
        if member is not None:
            self._opening = asyncio.create_task(self._open(member), name="open-lanes")
            self._opening.add_done_callback(self._opened)

    async def _open(self, member: GroupMetadata) -> None:
        by_lane: dict[int, dict[TopicPartition, int]] = defaultdict(dict)
        left = set(self._consumer.assignment())
        while left:
            offsets, left = await fetch_offsets(self._consumer, left)
            for tp, offset in offsets.items():
                by_lane[tp.partition][tp] = offset or 0
            ready = {lane: starts for lane, starts in by_lane.items() if not any(tp.partition == lane for tp in left)}
            states = await self._restore(ready) if ready else {}
            if self.member is not member:
                return
            for lane, starts in ready.items():  # seek and publish in one step: a fetch in flight must not slip between
                del by_lane[lane]
                for tp, offset in starts.items():
                    self._consumer.seek(tp, offset)
                position = {tp.topic: offset for tp, offset in starts.items()}
                self.lanes[lane] = Lane(lane, {t: position[t] for t in self._inputs}, states.get(lane))
            if left:
                await asyncio.sleep(_UNSTABLE_RETRY_S)
        self.settled.set()

    def _opened(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (problem := task.exception()):
            self._fail(problem)

    def _stop_opening(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None

    def _fail(self, problem: BaseException) -> None:
        """Rebalance callbacks and tasks only log what they raise: the worker waits on `failure` instead."""
        if not self.failure.done():
            self.failure.set_exception(problem)
