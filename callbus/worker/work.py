"""The work loop: forms a batch over all open lanes and gives it to the consumer in the model's thread.

What is finished goes to `Commits`, which may still be committing the batch before it; what no transaction holds up goes
out at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from itertools import chain

import structlog

from callbus import clock
from callbus.errors import TooManyDeadLetters
from callbus.observe.meter import GroupMeter
from callbus.topology import Group
from callbus.worker import hand
from callbus.worker.commits import Commits, Result
from callbus.worker.kip447 import BatchProducer, GroupMetadata
from callbus.worker.lane import Lane
from callbus.worker.limits import Counted, DeadLetterLimit, Limits
from callbus.worker.ownership import Ownership
from callbus.worker.records import Input
from callbus.worker.stage import Finished, Stage
from callbus.worker.watch import Watch

log = structlog.get_logger(__name__)


class Work:
    """What is in hand, from the lanes' queues to the commit. `finish` empties the hands, `stop` keeps them empty."""

    def __init__(
        self,
        group: Group,
        stage: Stage,
        executor: Executor,
        ownership: Ownership,
        commits: Commits,
        limits: Limits,
        meter: GroupMeter,
        loose: BatchProducer | None,
        watch: Watch,
        trip: Callable[[str], Awaitable[None]],
    ) -> None:
        """`loose` publishes what no transaction holds up. `watch` knows the lanes in which a call may be
        silent; `trip` stops the whole group, for the reason given."""
        self._group = group
        self._stage = stage
        self._executor = executor
        self._ownership = ownership
        self._commits = commits
        self._limits = limits
        self._meter = meter
        self._loose = loose
        self._watch = watch
        self._trip = trip
        self._dead_letters = DeadLetterLimit(group)
        self._more = asyncio.Event()  # there may be work to take: inputs, lanes, or room
        self._idle = asyncio.Event()  # nothing is in hand
        self._idle.set()
        self._in_hand: Sequence[Input] = ()  # what the consumer has now
        self._working = False
        self._stopping = False
        self._turns = 0  # batches taken

    @property
    def busy(self) -> bool:
        """Whether more is coming."""
        return self._working or any(self._ownership.lanes.values())

    @property
    def uncommitted(self) -> Iterator[Input]:
        """What was taken and is not committed."""
        return chain(self._in_hand, self._commits.inputs)

    def wake(self) -> None:
        """There may be something to take."""
        self._more.set()

    def stop(self) -> None:
        """Take no more batches."""
        self._stopping = True

    def committed(self) -> None:
        """A commit is over, whatever came of it: there is room again."""
        self._more.set()
        self._note_idle()

    def thrown_away(self, result: Result) -> None:
        """It comes again, and counts then."""
        if result.counted is not None:
            self._dead_letters.take_back(result.counted)

    async def run(self) -> None:
        """Work on and on. Raises TooManyDeadLetters, and what the consumer raised."""
        loop = asyncio.get_running_loop()
        while True:
            taken, member, waited_s = await self._next()
            lanes, epoch, began_ns = dict(self._ownership.lanes), self._commits.epoch, time.time_ns()
            self._meter.batch(len(taken.batch), waited_s)
            self._in_hand = taken.batch
            try:
                finished = await loop.run_in_executor(self._executor, self._in_the_models_thread, taken, lanes)
            finally:
                self._working, self._in_hand = False, ()
            if epoch == self._commits.epoch:
                counted = await self._count(finished)
                sent = self._send(finished)
                self._commits.add(Result(member, finished, began_ns, time.time_ns(), sent, counted))
            self._commits.wake()
            self._note_idle()

    async def finish(self) -> bool:
        """Return once nothing is in hand, and whether all of it was committed. What takes longer than `drain_ms` is
        dropped and comes again, here or elsewhere."""
        epoch = self._commits.epoch
        self._commits.hurry(True)
        try:
            async with asyncio.timeout(self._limits.drain_ms / 1000):
                await self._idle.wait()
        except TimeoutError:
            log.warning("drain_timed_out", group=self._group.name, waited_ms=self._limits.drain_ms)
            self._commits.drop()
        finally:
            if not self._stopping:
                self._commits.hurry(False)
        return epoch == self._commits.epoch

    async def _next(self) -> tuple[hand.Hand, GroupMetadata, float]:
        """Waits for inputs, and then up to max_wait_ms for a full batch. It, as whom, how long it waited."""
        size, max_wait_s = self._group.batch.size, self._group.batch.max_wait_ms / 1000
        began_s: float | None = None  # since when a batch is waiting to be full
        while True:
            member, lanes, quiet = self._ownership.member, self._ownership.lanes, self._watch.quiet
            now_s, now_ms = time.monotonic(), clock.now_ms()
            unfinished = any(lane.unfinished for lane in lanes.values())
            sleep_s = hand.look_again_s(lanes.values(), now_ms)
            urgent = (
                unfinished
                or sleep_s == 0
                or any(hand.has_silent(self._group, lanes[n], now_s) for n in quiet if n in lanes)
            )
            queued = sum(map(len, lanes.values()))
            if member is not None and (queued or urgent) and not self._stopping and self._commits.has_room:
                began_s = began_s or now_s
                sleep_s = began_s + max_wait_s - now_s
                if urgent or queued >= size or sleep_s <= 0:
                    self._turns += 1
                    taken = hand.take(self._group, lanes, quiet, self._limits.batch_bytes, now_s, now_ms, self._turns)
                    if taken.batch or taken.silent or unfinished:
                        self._working = True
                        self._idle.clear()
                        return taken, member, now_s - began_s
                    sleep_s = hand.look_again_s(lanes.values(), now_ms)
            self._more.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), sleep_s)

    def _in_the_models_thread(self, taken: hand.Hand, lanes: Mapping[int, Lane]) -> Finished:
        structlog.contextvars.bind_contextvars(group=self._group.name)  # for what the consumer logs
        return self._stage.work(taken.batch, lanes, taken.silent, taken.crowd)

    async def _count(self, finished: Finished) -> Counted:
        inputs, dead = len(finished.inputs), finished.dead
        try:
            return self._dead_letters.count(inputs, dead, time.monotonic(), finished.one_of_the_dead)
        except TooManyDeadLetters as problem:
            self._note_idle()  # a rebalance need not wait for us
            await self.finish()  # what was finished before is good, or there to be looked at: it is committed
            await self._trip(str(problem))
            raise

    def _send(self, finished: Finished) -> "asyncio.Task[None] | None":
        """What no transaction holds up goes out at once."""
        return asyncio.create_task(self._loose.publish(finished.loose)) if self._loose and finished.loose else None

    def _note_idle(self) -> None:
        if not self._working and self._commits.empty:
            self._idle.set()
