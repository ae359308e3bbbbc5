"""One consumer group in this process: fetch, work, commit, as three loops with a bounded queue between each two.

* fetch polls Kafka without a pause, so that membership never depends on the model, and queues what it brings by lane;
* work forms a batch over all lanes and gives it to the consumer in the model's thread;
* commit writes all that was finished since the last commit, outputs, states and offsets, in one transaction.

While one batch is being committed the next is being worked on, and what is finished meanwhile gathers: a commit is
immediate when the group is idle, and full when it is busy.
"""

import asyncio
import time
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from callbus.codec import Codec
from callbus.consumer import Stateful, Stateless
from callbus.errors import BrokerError, Fenced
from callbus.kafka import Connection
from callbus.topology import Group, Topology
from callbus.worker import clients
from callbus.worker.changelog import restore
from callbus.worker.kip447 import GroupFenced, GroupMetadata
from callbus.worker.lane import CallMemory, Input, Lane, in_turn
from callbus.worker.ownership import Ownership
from callbus.worker.stage import Finished, NotNow, Stage

log = structlog.get_logger(__name__)

_POLL_MS = 200
_POLL_RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a worker holds, and how often it commits. The defaults suit a live helpline."""

    queued_inputs: int = 4_000  # of a lane; above it the lane's fetching pauses
    queued_bytes: int = 16 * 1024 * 1024  # likewise
    uncommitted_inputs: int = 10_000  # of the group; above it the model waits for the commit
    busy_commit_ms: int = 100  # at least this long between two commits while more work waits
    offsets_only_commit_ms: int = 1_000  # likewise where there is nothing to publish: a replay would do no harm
    attempts: int = 5  # of a batch in which an input asks for a retry
    backoff_ms: int = 500  # before the second attempt, doubled before each further one
    drain_ms: int = 20_000  # how long a rebalance or a stop waits for what is in hand


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
    ) -> None:
        """`consumer` does the work, in `executor`; `member` is this process's stable name within the group."""
        self.group = group
        self.settled = asyncio.Event()  # every lane that is assigned to us is open
        self._limits = limits or Limits()
        self._stage = Stage(topology, group, consumer, codec)
        self._codec = codec
        self._connection = connection
        self._executor = executor
        self._producer = clients.producer(connection, group.name, member, timeouts or clients.Timeouts())
        self._consumer = clients.consumer(connection, group.name, member, timeouts or clients.Timeouts())
        self._ownership = Ownership(self._consumer, group.inputs, self._restore, self._finish, self.settled)
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()  # someone waits for the hands to be empty: commit now, begin nothing new
        self._more = asyncio.Event()  # there may be work to take: inputs, lanes, or room
        self._worked = asyncio.Event()  # there may be something to commit
        self._idle = asyncio.Event()  # nothing is in hand
        self._idle.set()
        self._working = False
        self._committing = False
        self._results: list[tuple[GroupMetadata, Finished]] = []
        self._epoch = 0  # results of an epoch that is over are thrown away
        self._last_commit = 0.0

    async def run(self) -> None:
        """Join the group and work. Returns after `stop`; raises BrokerError, Fenced, or what the consumer raised."""
        log.info("joining", group=self.group.name)
        try:
            await self._producer.start()
            self._consumer.subscribe(list(self.group.inputs), listener=self._ownership)
            await self._consumer.start()
            await self._until_stopped()
        except Fenced:
            raise
        except KafkaError as problem:
            raise BrokerError(f"group {self.group.name}: {type(problem).__name__}: {problem}") from problem
        finally:
            for client in (self._consumer, self._producer):
                with suppress(KafkaError):  # what a client died of it raises again here, over the reason
                    await client.stop()
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
            asyncio.create_task(loop()) for loop in (self._fetch, self._work, self._commit)
        ]
        stop = asyncio.create_task(self._stopping.wait())
        vital = [*loops, self._ownership.failure]
        try:
            await _first([stop, *vital])
            finish = asyncio.create_task(self._finish())
            await _first([finish, *vital])
        finally:
            for task in (*loops, stop):
                task.cancel()
            await asyncio.gather(*loops, stop, return_exceptions=True)

    async def _fetch(self) -> None:
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            except KafkaError as problem:
                if not problem.retriable:
                    raise
                log.warning("fetch_failed", group=self.group.name, problem=repr(problem))
                await asyncio.sleep(_POLL_MS / 1000)
                continue
            lanes = self._ownership.lanes
            for tp, messages in fetched.items():
                if (lane := lanes.get(tp.partition)) is not None:
                    lane.add(_input(message) for message in messages)
                    self._more.set()
            self._hold_back(lanes)

    def _hold_back(self, lanes: dict[int, Lane]) -> None:
        """Pause full lanes, resume the others. A rebalance forgets pauses, so this is said again after every poll."""
        paused = self._consumer.paused()
        for tp in self._consumer.assignment():
            lane = lanes.get(tp.partition)
            full = lane is not None and (
                len(lane) > self._limits.queued_inputs or lane.queued_bytes > self._limits.queued_bytes
            )
            if full and tp not in paused:
                self._consumer.pause(tp)
            elif not full and tp in paused:
                self._consumer.resume(tp)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch, member = await self._next_batch()
            lanes, epoch = dict(self._ownership.lanes), self._epoch
            finished = None
            try:
                for attempt in range(1, self._limits.attempts + 1):
                    last = attempt == self._limits.attempts
                    try:
                        finished = await loop.run_in_executor(
                            self._executor, self._stage.work, batch, lanes, attempt, last
                        )
                        break
                    except NotNow:
                        wait_s = self._limits.backoff_ms / 1000 * 2 ** (attempt - 1)
                        log.warning("retry", group=self.group.name, attempt=attempt, wait_s=wait_s)
                        with suppress(TimeoutError):
                            await asyncio.wait_for(self._hurry.wait(), wait_s)
                            break  # uncommitted, the batch comes again, here or elsewhere
            finally:
                self._working = False
            if finished is not None and epoch == self._epoch:
                self._results.append((member, finished))
            self._worked.set()
            self._note_idle()

    async def _next_batch(self) -> tuple[list[Input], GroupMetadata]:
        """Waits for inputs, and then up to max_wait_ms for a full batch; lanes and topics in their turn."""
        size, waited = self.group.batch.size, False
        while True:
            member, lanes = self._ownership.member, list(self._ownership.lanes.values())
            queued = sum(map(len, lanes))
            unfinished = any(lane.unfinished for lane in lanes)
            if member is not None and (queued or unfinished) and not self._stopping.is_set() and self._has_room():
                if queued < size and not unfinished and not waited and self.group.batch.max_wait_ms:
                    waited = True
                    await asyncio.sleep(self.group.batch.max_wait_ms / 1000)
                    continue
                self._working = True
                self._idle.clear()
                return list(in_turn(lanes, self.group.inputs, size)), member
            waited = False
            self._more.clear()
            await self._more.wait()

    def _has_room(self) -> bool:
        return sum(finished.inputs for _, finished in self._results) < self._limits.uncommitted_inputs

    async def _commit(self) -> None:
        while True:
            await self._worked.wait()
            self._worked.clear()
            if not self._results:
                continue
            await self._pace()
            results, self._results = self._results, []
            self._committing = bool(results)
            try:
                for member in dict.fromkeys(member for member, _ in results):
                    await self._transact(member, [finished for whose, finished in results if whose is member])
            except GroupFenced as problem:
                if self._ownership.member is not None:
                    raise Fenced(
                        f"group {self.group.name}: {problem}. Another process works on its lanes now"
                    ) from problem
                self._start_over()  # a rebalance is under way: what we had comes again
            except Fenced:
                raise
            except KafkaError as problem:
                log.warning("transaction_aborted", group=self.group.name, problem=repr(problem))
                self._start_over()
            finally:
                self._committing = False
                self._more.set()
                self._note_idle()

    async def _pace(self) -> None:
        """Wait for the next commit's time: none when idle, a little when more is coming, a while for offsets alone."""
        while not self._hurry.is_set():
            if any(finished.records for _, finished in self._results):
                busy = self._working or any(self._ownership.lanes.values())
                interval_ms = self._limits.busy_commit_ms if busy else 0
            else:
                interval_ms = self._limits.offsets_only_commit_ms
            wait_s = self._last_commit + interval_ms / 1000 - time.monotonic()
            if wait_s <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._worked.wait(), wait_s)
            self._worked.clear()

    async def _transact(self, member: GroupMetadata, results: list[Finished]) -> None:
        records = [record for finished in results for record in finished.records]
        offsets = {
            TopicPartition(topic, lane): OffsetAndMetadata(offset, "")
            for finished in results
            for (topic, lane), offset in finished.offsets.items()
        }
        async with self._producer.transaction():
            await self._producer.publish(records)
            await self._producer.send_offsets_to_transaction(offsets, member)
        self._last_commit = time.monotonic()

    def _start_over(self) -> None:
        """Forget what was not committed and read it again."""
        self._epoch += 1
        self._results.clear()
        self._ownership.reopen()

    async def _finish(self) -> None:
        """Return once nothing is in hand. What takes longer than `drain_ms` is dropped and comes again elsewhere."""
        self._hurry.set()
        self._worked.set()
        try:
            async with asyncio.timeout(self._limits.drain_ms / 1000):
                await self._idle.wait()
        except TimeoutError:
            log.warning("drain_timed_out", group=self.group.name, waited_ms=self._limits.drain_ms)
            self._epoch += 1
            self._results.clear()
        finally:
            if not self._stopping.is_set():
                self._hurry.clear()

    def _note_idle(self) -> None:
        if not (self._working or self._committing or self._results):
            self._idle.set()

    async def _restore(self, lanes: Any) -> dict[int, dict[str, CallMemory]]:
        if self.group.changelog is None:
            return {}
        start = time.monotonic()
        states = await restore(self._connection, self._codec, self.group.changelog, lanes)
        calls = sum(map(len, states.values()))
        log.info(
            "state_restored",
            group=self.group.name,
            lanes=sorted(lanes),
            calls=calls,
            s=round(time.monotonic() - start, 3),
        )
        return states


def _input(message: Any) -> Input:
    return Input(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        message.headers,
        message.timestamp,
    )


async def _first(futures: "list[asyncio.Future[Any]]") -> None:
    """Wait until one of these is done, and raise what it raised."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for future in sorted(done, key=lambda future: future.cancelled()):  # a reason before what merely followed from it
        future.result()
