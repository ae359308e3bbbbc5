"""What is finished and not yet on Kafka: it gathers while one commit is under way, and goes when its time has come.

A commit is immediate when the group is idle, and full when it is busy.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiokafka.errors import KafkaError

from callbus.errors import Fenced
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.observe.tracing import record_batch
from callbus.topology import Group
from callbus.worker import ending
from callbus.worker.delivery import Delivery
from callbus.worker.kip447 import GroupFenced, GroupMetadata
from callbus.worker.limits import Counted, Limits
from callbus.worker.ownership import Ownership
from callbus.worker.records import Input
from callbus.worker.stage import Finished

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """A finished batch, as whom it was worked on, and when. `sent` ends when its loose records are acknowledged."""

    member: GroupMetadata
    finished: Finished
    began_ns: int
    ended_ns: int
    sent: "asyncio.Task[None] | None"
    counted: Counted | None = None  # what the limit of dead letters makes of it


class Commits:
    """The results that wait for their commit, and the loop that commits them. `epoch` counts how often they were all
    thrown away: what was begun in one that is over counts no more."""

    def __init__(
        self,
        group: Group,
        delivery: Delivery,
        ownership: Ownership,
        meter: GroupMeter,
        limits: Limits,
        connection: Connection,
        busy: Callable[[], bool],
        done: Callable[[], None],
        thrown_away: Callable[[Result], None] = lambda _: None,
    ) -> None:
        """`busy` says whether more is coming; `done` is called after each commit, whatever came of it. `thrown_away`
        hears of what is not committed and comes again."""
        self.epoch = 0
        self._group = group
        self._delivery = delivery
        self._ownership = ownership
        self._meter = meter
        self._limits = limits
        self._connection = connection
        self._busy = busy
        self._done = done
        self._thrown_away = thrown_away
        self._results: list[Result] = []
        self._committing: list[Result] = []
        self._changed = asyncio.Event()  # there may be something to commit, or it may be time to
        self._hurry = asyncio.Event()  # someone waits for our hands to be empty
        self._last_s = 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing waits, and no commit is under way."""
        return not (self._results or self._committing)

    @property
    def inputs(self) -> Iterator[Input]:
        """What was worked on and is not committed."""
        for result in (*self._committing, *self._results):
            yield from result.finished.inputs

    @property
    def has_room(self) -> bool:
        """Whether more may be worked on before the next commit."""
        inputs = sum(len(result.finished.inputs) for result in self._results)
        size_bytes = sum(result.finished.size_bytes for result in self._results)
        return inputs < self._limits.uncommitted_inputs and size_bytes < self._limits.uncommitted_bytes

    def add(self, result: Result) -> None:
        """This batch is finished."""
        self._results.append(result)

    def wake(self) -> None:
        """A batch has come to its end: there may be something to commit, or nothing more to wait for."""
        self._changed.set()

    def hurry(self, on: bool) -> None:
        """Wait for no more results before a commit, from now on; or do again."""
        (self._hurry.set if on else self._hurry.clear)()
        self._changed.set()

    def drop(self) -> None:
        """Throw away what was not committed: it comes again, here or elsewhere."""
        self.epoch += 1
        for result in self._results:
            if result.sent:
                result.sent.cancel()
            self._thrown_away(result)
        self._results.clear()

    async def run(self) -> None:
        """Commit on and on. Raises Fenced, and the KafkaErrors that no new attempt mends."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not self._results:
                continue
            await self._pace()
            results, self._results = self._results, []
            self._committing = results
            try:
                for member in dict.fromkeys(result.member for result in results):
                    await self._transact(member, [result for result in results if result.member is member])
                    self._committing = [result for result in self._committing if result.member is not member]
            except GroupFenced as problem:
                if await self._ownership.is_replaced():
                    raise Fenced(
                        f"group {self._group.name}: {problem}. Another process works on its lanes now"
                    ) from problem
                self._forget("fenced")
                if self._ownership.member in (None, member):
                    self._ownership.let_go()  # a rebalance is under way, or about to be noticed
                else:
                    self._ownership.reopen()  # it is over: this commit hung for longer than it waited
            except Fenced:
                raise
            except KafkaError as problem:
                if ending.hopeless(problem, self._group, self._connection):
                    raise
                log.warning("transaction_aborted", group=self._group.name, problem=repr(problem))
                self._start_over(type(problem).__name__)
            finally:
                self._committing = []
                self._done()

    async def _pace(self) -> None:
        """Wait for the next commit's time: none when idle, a little when more is coming, a while for offsets alone."""
        while not self._hurry.is_set():
            if any(result.finished.records for result in self._results):
                interval_s = 1 / self._group.commits_per_second if self._busy() else 0
            else:
                interval_s = self._limits.offsets_only_commit_ms / 1000
            wait_s = self._last_s + interval_s - time.monotonic()
            if wait_s <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
            self._changed.clear()

    async def _transact(self, member: GroupMetadata, results: list[Result]) -> None:
        began_s = time.monotonic()
        await asyncio.gather(*(result.sent for result in results if result.sent))
        records = [record for result in results for record in result.finished.records]
        offsets = {place: offset for result in results for place, offset in result.finished.offsets.items()}
        await self._delivery.deliver(records, offsets, member)
        self._last_s = time.monotonic()
        self._tell(results, len(records), self._last_s - began_s)

    def _tell(self, results: list[Result], records: int, took_s: float) -> None:
        """What was committed, to whoever watches."""
        self._meter.committed(records, sum(len(result.finished.inputs) for result in results), took_s)
        for result in results:
            finished, counts = result.finished, result.finished.counts
            self._meter.retried(counts["again"])
            for error, events in finished.dead.items():
                self._meter.dead(error, events)
            self._meter.interrupted(counts["interrupted"])
            self._meter.reopened(counts["reopened"])
            outputs = [*finished.records, *finished.loose]
            record_batch(self._group, finished.inputs, outputs, result.began_ns, result.ended_ns)

    def _start_over(self, reason: str) -> None:
        """Forget what was not committed and read it again."""
        self._forget(reason)
        self._ownership.reopen()

    def _forget(self, reason: str) -> None:
        self._meter.aborted(reason)
        for result in self._committing:
            self._thrown_away(result)
        self.drop()
