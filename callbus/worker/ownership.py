"""Which lanes are ours, as whom we own them, and how they are opened, kept and handed over.

The order of the steps is what keeps messages from being lost or doubled; DESIGN.md tells why each stands where it does.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from callbus.clock import now_ms
from callbus.errors import Fenced
from callbus.topology import Group
from callbus.worker import holes
from callbus.worker.kip345 import is_taken
from callbus.worker.kip447 import GroupMetadata, fetch_offsets
from callbus.worker.lane import Lane
from callbus.worker.restoring import Restored

log = structlog.get_logger(__name__)


async def _nothing() -> None:
    """Nobody has a say."""


Restore = Callable[[Mapping[int, int]], Awaitable[dict[int, Restored]]]

_UNSTABLE_RETRY_S = 0.02


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """The lanes that are open here. `member` is who we were when they were assigned; None between two assignments."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        group: Group,
        restore: Restore,
        finish: Callable[[], Awaitable[bool]],
        settled: asyncio.Event,
        rebalanced: Callable[[int, int, float], None] = lambda *_: None,
        expired: Callable[[int], None] = lambda _: None,
        may_go_on: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """`restore` brings what is remembered of some lanes, given where their retry logs go on; `finish` returns once
        nothing of ours is in hand, and whether all of it was committed.

        `settled` is set while every assigned lane is open. `rebalanced` hears how many lanes were kept and how many
        were opened, and how long it took since those before were let go, in seconds. `expired` hears how many inputs,
        at most, were gone before the group had read them. `may_go_on` raises where the group has been stopped; it is
        asked at each assignment, also by who keeps all that it had.
        """
        self.lanes: dict[int, Lane] = {}
        self.member: GroupMetadata | None = None
        self.settled = settled
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._consumer = consumer
        self._group = group
        self._restore = restore
        self._finish = finish
        self._rebalanced = rebalanced
        self._expired = expired
        self._may_go_on = may_go_on
        self._revoked_s = time.monotonic()
        self._opening: asyncio.Task[None] | None = None
        self._before: tuple[GroupMetadata, dict[int, Lane]] | None = None  # who we were, and with what

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Finish and commit what is in hand, still in the old generation; then let the lanes go.

        A static member whose place another process has taken meanwhile leaves instead.
        """
        self.settled.clear()
        self._revoked_s = time.monotonic()
        member, self.member = self.member, None  # from here on no new batch starts
        self._before = None
        self._stop_opening()
        await self._leave_if_replaced(member)  # before finishing: nothing of it could be committed any more
        committed = await self._finish()
        lanes, self.lanes = self.lanes, {}
        await self._leave_if_replaced(member)
        if committed and member is not None:
            self._before = member, lanes

    async def _leave_if_replaced(self, member: GroupMetadata | None) -> None:
        """Where the group has expelled us and another process has our static name: fail, and end aiokafka's task that
        called us. It would rejoin at once under that name, and so push out the process that has taken our place. Of
        all exceptions it lets only a cancellation through.

        Where nobody has the name Kafka had just not heard of us for too long: we come again.
        """
        if member is None or not member.instance_id or self._consumer._coordinator.member_id:
            return
        self.lanes = {}
        if not await is_taken(self._consumer, member):
            log.warning("expelled", group=member.group_id, then="joining again; nothing is lost")
            return
        self._fail(Fenced(f"group {member.group_id}: another process runs as member {member.instance_id}"))
        raise asyncio.CancelledError

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Freeze who we are, and open the lanes in a task: aiokafka sends no heartbeat while this callback runs.

        Lanes that did not move go on at once, with all that they remember.
        """
        try:
            member = GroupMetadata.of(self._consumer)
        except Fenced as problem:  # the group moved on while we were joining; it will call again
            log.info("assignment_outdated", reason=str(problem))
            return
        unmoved = self._unmoved(member, assigned)
        numbers = {tp.partition for tp in assigned}
        log.info(
            "lanes_assigned",
            group=self._group.name,
            lanes=sorted(numbers),
            unmoved=sorted(unmoved),
            generation=member.generation,
        )
        for number, lane in unmoved.items():
            for topic, position in lane.positions.items():
                self._consumer.seek(TopicPartition(topic, number), position)
        self.lanes = unmoved
        self.member = member
        self._open_all(numbers - unmoved.keys(), kept=len(unmoved))

    def _unmoved(self, member: GroupMetadata, assigned: Collection[TopicPartition]) -> dict[int, Lane]:
        """The lanes that nobody but us can have owned since: the same member, one generation later."""
        before, self._before = self._before, None
        if before is None:
            return {}
        was, lanes = before
        if (was.member_id, was.generation + 1) != (member.member_id, member.generation):
            return {}
        topics: dict[int, set[str]] = defaultdict(set)
        for tp in assigned:
            topics[tp.partition].add(tp.topic)
        return {number: lane for number, lane in lanes.items() if topics[number] == lane.positions.keys()}

    async def is_replaced(self) -> bool:
        """Whether another process is in the group under our static name."""
        return self.member is not None and bool(self.member.instance_id) and await is_taken(self._consumer, self.member)

    def let_go(self) -> None:
        """Drop what was fetched and remembered, and work on nothing until the group assigns lanes anew."""
        self.settled.clear()
        self.lanes = {}
        self._stop_opening()

    def reopen(self) -> None:
        """Drop what was fetched and remembered, and start again from what is committed."""
        self.let_go()
        if self.member is not None:
            self._open_all({tp.partition for tp in self._consumer.assignment()})

    def _open_all(self, numbers: Collection[int], kept: int | None = None) -> None:
        """`kept`: how many others went on, where a rebalance was the occasion."""

        async def opening(member: GroupMetadata) -> None:
            await self._may_go_on()
            await self._open(member, numbers)
            if kept is not None and self.settled.is_set():
                self._rebalanced(kept, len(numbers), time.monotonic() - self._revoked_s)

        self._stop_opening()
        if self.member is not None:
            self._opening = asyncio.create_task(opening(self.member), name="open-lanes")
            self._opening.add_done_callback(self._opened)

    async def _open(self, member: GroupMetadata, numbers: Collection[int]) -> None:
        by_lane: dict[int, dict[TopicPartition, int | None]] = defaultdict(dict)
        left = self._whole(numbers)
        while left:
            offsets, left = await fetch_offsets(self._consumer, left)
            self._expired(await holes.expired(self._consumer, self._group, offsets))
            for tp, offset in offsets.items():
                by_lane[tp.partition][tp] = offset
            ready = {lane: starts for lane, starts in by_lane.items() if not any(tp.partition == lane for tp in left)}
            retries = self._group.retries
            log_starts = {lane: starts[TopicPartition(retries, lane)] or 0 for lane, starts in ready.items()}
            restored = await self._restore(log_starts) if ready else {}
            if self.member is not member:
                return
            for lane, committed in ready.items():
                holes.check_known(self._group, lane, committed.values(), restored[lane])
            # From here on in one step: a fetch in flight must not slip between a seek and its lane.
            for lane, committed in ready.items():
                del by_lane[lane]
                starts = {tp: offset or 0 for tp, offset in committed.items()}
                starts[TopicPartition(retries, lane)] = restored[lane].waiting.position
                for tp, offset in starts.items():
                    self._consumer.seek(tp, offset)
                position = {tp.topic: offset for tp, offset in starts.items()}
                self.lanes[lane] = Lane(
                    lane,
                    {topic: position[topic] for topic in self._group.inputs},
                    restored[lane].calls,
                    restored[lane].waiting,
                    retries,
                    time.monotonic(),
                    now_ms(),
                    remembers=self._group.keeps_states,
                )
            if left:
                await asyncio.sleep(_UNSTABLE_RETRY_S)
        self.settled.set()

    def _whole(self, numbers: Collection[int]) -> set[TopicPartition]:
        """The assigned partitions of these lanes. While lanes are being added one may lack a topic: it is left closed
        until the group is assigned anew, with all of it."""
        lanes: dict[int, set[TopicPartition]] = defaultdict(set)
        for tp in self._consumer.assignment():
            if tp.partition in numbers:
                lanes[tp.partition].add(tp)
        wanted = {*self._group.inputs, self._group.retries}
        torn = {number for number, its in lanes.items() if {tp.topic for tp in its} != wanted}
        if torn:
            log.warning("lanes_incomplete", group=self._group.name, lanes=sorted(torn), then="callbus topics apply")
        return {tp for number in lanes.keys() - torn for tp in lanes[number]}

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
