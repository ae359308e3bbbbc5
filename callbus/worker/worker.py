"""One consumer group in this process: fetch, work, commit, as three loops with a bounded queue between each two.

* fetch polls Kafka without a pause, so that membership never depends on the model, and queues what it brings by lane
  (`intake.py`);
* work forms a batch over all lanes and gives it to the consumer in the model's thread;
* commit writes all that was finished since the last commit, outputs, states and offsets, in one transaction
  (`commits.py`): while one batch is being committed the next is being worked on.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from itertools import chain
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from callbus import clock
from callbus.codec import Codec
from callbus.consumer import Stateful, Stateless
from callbus.errors import BrokerError, Fenced, TooManyDeadLetters
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.topology import Group, Topology
from callbus.worker import breaker, clients, ending, hand, kip345
from callbus.worker.commits import Commits, Result
from callbus.worker.delivery import AtLeastOnce, Delivery, ExactlyOnce
from callbus.worker.intake import Intake
from callbus.worker.kip447 import GroupMetadata
from callbus.worker.lane import Lane
from callbus.worker.limits import Counted, DeadLetterLimit, Limits
from callbus.worker.metered import Metered
from callbus.worker.ownership import Ownership
from callbus.worker.readback import ReadBack
from callbus.worker.records import Input
from callbus.worker.restoring import Restored, restore
from callbus.worker.stage import Finished, Stage
from callbus.worker.watch import Watch

log = structlog.get_logger(__name__)


class Worker:
    """Runs one group until `stop` is called or something goes wrong that can't be mended here."""

    def __init__(
        self,
        topology: Topology,
        group: Group,
        consumer: Stateless | Stateful,
        codec: Codec,
        connection: Connection,
        executor: Executor,
        member: str,
        limits: Limits | None = None,
        timeouts: clients.Timeouts | None = None,
        meter: GroupMeter | None = None,
    ) -> None:
        """`consumer` does the work, in `executor`; `member` is this process's stable name within the group."""
        timeouts = timeouts or clients.Timeouts()
        self.group = group
        self.settled = asyncio.Event()  # every lane that is assigned to us is open
        self._meter = meter or GroupMeter(group.name)
        self._limits = limits or Limits()
        self._limit = DeadLetterLimit(group)
        self._stage = Stage(topology, group, Metered(consumer, self._meter), codec)
        self._codec = codec
        self._connection = connection
        self._executor = executor
        self._consumer = clients.consumer(connection, group.name, member, timeouts)
        self._reader = ReadBack(connection)
        at_least_once = group.delivery == "at-least-once"
        loose = clients.loose_producer(connection, timeouts) if at_least_once or self._stage.loose else None
        delivery: Delivery = (
            AtLeastOnce(loose, self._consumer)
            if at_least_once and loose
            else ExactlyOnce(clients.producer(connection, group.name, member, timeouts))
        )
        self._loose = loose
        self._clients = (delivery, *([loose] if loose and not at_least_once else []), self._reader, self._consumer)
        self._ownership = Ownership(
            self._consumer,
            group,
            self._restore,
            self._finish,
            self.settled,
            self._rebalanced,
            self._meter.expired,
            self._may_go_on,
        )
        self._intake = Intake(group, self._consumer, self._ownership, self._limits, self._meter, self._arrived)
        self._commits = Commits(
            group,
            delivery,
            self._ownership,
            self._meter,
            self._limits,
            connection,
            self._busy,
            self._committed,
            self._thrown_away,
        )
        self._watch = Watch(group, self._consumer, self._ownership, self._meter, connection, self._uncommitted)
        self._stopping = asyncio.Event()
        self._more = asyncio.Event()  # there may be work to take: inputs, lanes, or room
        self._idle = asyncio.Event()  # nothing is in hand
        self._idle.set()
        self._in_hand: Sequence[Input] = ()  # what the consumer has now
        self._working = False
        self._turns = 0  # batches taken

    async def run(self) -> None:
        """Join the group and work. Returns after `stop`; raises BrokerError, Fenced, or what the consumer raised."""
        structlog.contextvars.bind_contextvars(group=self.group.name)
        log.info("joining", group=self.group.name)
        self._meter.state("joining")
        leaving: GroupMetadata | None = None
        try:
            for client in self._clients:
                await client.start()
            await self._may_go_on()
            self._consumer.subscribe([*self.group.inputs, self.group.retries], listener=self._ownership)
            await self._until_stopped()
            leaving = self._ownership.member
        except Fenced:
            raise
        except TooManyDeadLetters:
            leaving = self._ownership.member  # so that the others come by the note at once
            raise
        except (KafkaError, BrokerError) as problem:
            raise await ending.reason(problem, self.group, self._connection) from problem
        finally:
            await ending.let_go(reversed(self._clients))
            if leaving is not None:
                await kip345.leave(self._connection, leaving)
            self._meter.state("stopped")
        log.info("left", group=self.group.name)

    def stop(self) -> None:
        """Finish what is in hand, commit it, leave, and let `run` return."""
        self._stopping.set()

    async def ready(self) -> None:
        """Returns once every lane that is assigned to this worker is open."""
        await self.settled.wait()

    @property
    def lanes(self) -> list[int]:
        """The lanes that are open here."""
        return sorted(self._ownership.lanes)

    async def _until_stopped(self) -> None:
        loops: list[asyncio.Future[Any]] = [
            asyncio.create_task(loop()) for loop in (self._intake.run, self._work, self._commits.run, self._watching)
        ]
        stop = asyncio.create_task(self._stopping.wait())
        vital = [*loops, self._ownership.failure]
        try:
            await _first([stop, *vital])
            self._meter.state("stopping")
            finish = asyncio.create_task(self._finish())
            await _first([finish, *vital])
        finally:
            await ending.cancel([*loops, stop])

    async def _work(self) -> None:
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

    async def _count(self, finished: Finished) -> Counted:
        try:
            return self._limit.count(len(finished.inputs), finished.dead, time.monotonic(), finished.one_of_the_dead)
        except TooManyDeadLetters as problem:
            self._note_idle()  # a rebalance need not wait for us
            await self._finish()  # what was finished before is good, or there to be looked at: it is committed
            await breaker.trip(self._consumer, self.group, str(problem))
            raise

    def _thrown_away(self, result: Result) -> None:
        """It comes again, and counts then."""
        if result.counted is not None:
            self._limit.take_back(result.counted)

    def _send(self, finished: Finished) -> "asyncio.Task[None] | None":
        """What no transaction holds up goes out at once."""
        return asyncio.create_task(self._loose.publish(finished.loose)) if self._loose and finished.loose else None

    def _in_the_models_thread(self, taken: hand.Hand, lanes: Mapping[int, Lane]) -> Finished:
        structlog.contextvars.bind_contextvars(group=self.group.name)  # for what the consumer logs
        return self._stage.work(taken.batch, lanes, taken.silent, taken.crowd)

    async def _next(self) -> tuple[hand.Hand, GroupMetadata, float]:
        """Waits for inputs, and then up to max_wait_ms for a full batch. It, as whom, how long it waited."""
        size, max_wait_s = self.group.batch.size, self.group.batch.max_wait_ms / 1000
        began_s: float | None = None  # since when a batch is waiting to be full
        while True:
            member, lanes = self._ownership.member, self._ownership.lanes
            now_s, now_ms = time.monotonic(), clock.now_ms()
            unfinished = any(lane.unfinished for lane in lanes.values())
            sleep_s = hand.look_again_s(lanes.values(), now_ms)
            urgent = (
                unfinished
                or sleep_s == 0
                or any(hand.has_silent(self.group, lanes[n], now_s) for n in self._watch.quiet if n in lanes)
            )
            queued = sum(map(len, lanes.values()))
            if member is not None and (queued or urgent) and not self._stopping.is_set() and self._commits.has_room:
                began_s = began_s or now_s
                sleep_s = began_s + max_wait_s - now_s
                if urgent or queued >= size or sleep_s <= 0:
                    self._turns += 1
                    taken = hand.take(
                        self.group, lanes, self._watch.quiet, self._limits.batch_bytes, now_s, now_ms, self._turns
                    )
                    if taken.batch or taken.silent or unfinished:
                        self._working = True
                        self._idle.clear()
                        return taken, member, now_s - began_s
                    sleep_s = hand.look_again_s(lanes.values(), now_ms)
            self._more.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), sleep_s)

    def _arrived(self) -> None:
        self._more.set()

    def _uncommitted(self) -> Iterator[Input]:
        """What was taken and is not committed."""
        return chain(self._in_hand, self._commits.inputs)

    def _busy(self) -> bool:
        return self._working or any(self._ownership.lanes.values())

    def _committed(self) -> None:
        self._more.set()  # there is room again
        self._note_idle()

    async def _finish(self) -> bool:
        """Return once nothing is in hand, and whether all of it was committed. What takes longer than `drain_ms` is
        dropped and comes again, here or elsewhere."""
        epoch = self._commits.epoch
        self._commits.hurry(True)
        try:
            async with asyncio.timeout(self._limits.drain_ms / 1000):
                await self._idle.wait()
        except TimeoutError:
            log.warning("drain_timed_out", group=self.group.name, waited_ms=self._limits.drain_ms)
            self._commits.drop()
        finally:
            if not self._stopping.is_set():
                self._commits.hurry(False)
        return epoch == self._commits.epoch

    def _note_idle(self) -> None:
        if not self._working and self._commits.empty:
            self._idle.set()

    def _rebalanced(self, kept: int, opened: int, seconds: float) -> None:
        self._meter.rebalanced(kept, opened, seconds)
        self._more.set()  # lanes that were kept have work that nothing else would call for

    async def _watching(self) -> None:
        async for silence in self._watch.turns():
            if silence:
                self._more.set()

    async def _may_go_on(self) -> None:
        """TooManyDeadLetters if a member of the group has stopped it."""
        await breaker.check(self._consumer, self.group)

    async def _restore(self, retries: Mapping[int, int]) -> dict[int, Restored]:
        restored, effort = await restore(self.group, self._codec, self._reader, retries)
        self._meter.restored(effort.lanes, effort.calls, effort.size_bytes, effort.seconds)
        self._more.set()
        return restored


async def _first(futures: "list[asyncio.Future[Any]]") -> None:
    """Wait until one of these is done, and raise what it raised."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for future in sorted(done, key=lambda future: future.cancelled()):  # a reason before what merely followed from it
        future.result()
