"""One consumer group in this process: fetch, work, commit, as three loops with a bounded queue between each two.

* fetch polls Kafka without a pause, so that membership never depends on the model, and queues what it brings by lane
  (`intake.py`);
* work forms a batch over all lanes and gives it to the consumer in the model's thread (`work.py`);
* commit writes all that was finished since the last commit, outputs, states and offsets, in one transaction
  (`commits.py`): while one batch is being committed the next is being worked on.
"""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from callbus.codec import Codec
from callbus.consumer import Stateful, Stateless
from callbus.errors import BrokerError, Fenced, TooManyDeadLetters
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.topology import Group, Topology
from callbus.worker import breaker, clients, ending, kip345
from callbus.worker.commits import Commits, Result
from callbus.worker.delivery import AtLeastOnce, Delivery, ExactlyOnce
from callbus.worker.intake import Intake
from callbus.worker.kip447 import GroupMetadata
from callbus.worker.limits import Limits
from callbus.worker.metered import Metered
from callbus.worker.ownership import Ownership
from callbus.worker.readback import ReadBack
from callbus.worker.records import Input
from callbus.worker.restoring import Restored, restore
from callbus.worker.stage import Stage
from callbus.worker.watch import Watch
from callbus.worker.work import Work

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
        limits, timeouts = limits or Limits(), timeouts or clients.Timeouts()
        self.group = group
        self.settled = asyncio.Event()  # every lane that is assigned to us is open
        self._meter = meter or GroupMeter(group.name)
        stage = Stage(topology, group, Metered(consumer, self._meter), codec)
        self._codec = codec
        self._connection = connection
        self._consumer = clients.consumer(connection, group.name, member, timeouts)
        self._reader = ReadBack(connection)
        at_least_once = group.delivery == "at-least-once"
        loose = clients.loose_producer(connection, timeouts) if at_least_once or stage.loose else None
        delivery: Delivery = (
            AtLeastOnce(loose, self._consumer)
            if at_least_once and loose
            else ExactlyOnce(clients.producer(connection, group.name, member, timeouts))
        )
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
        self._intake = Intake(group, self._consumer, self._ownership, limits, self._meter, self._arrived)
        self._commits = Commits(
            group,
            delivery,
            self._ownership,
            self._meter,
            limits,
            connection,
            self._busy,
            self._committed,
            self._thrown_away,
        )
        self._watch = Watch(group, self._consumer, self._ownership, self._meter, connection, self._uncommitted)
        self._work = Work(
            group,
            stage,
            executor,
            self._ownership,
            self._commits,
            limits,
            self._meter,
            loose,
            self._watch,
            self._trip,
        )
        self._stopping = asyncio.Event()

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
        self._work.stop()
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
            asyncio.create_task(loop())
            for loop in (self._intake.run, self._work.run, self._commits.run, self._watching)
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

    async def _finish(self) -> bool:
        return await self._work.finish()

    def _rebalanced(self, kept: int, opened: int, seconds: float) -> None:
        self._meter.rebalanced(kept, opened, seconds)
        self._work.wake()  # lanes that were kept have work that nothing else would call for

    async def _watching(self) -> None:
        async for silence in self._watch.turns():
            if silence:
                self._work.wake()

    async def _may_go_on(self) -> None:
        """TooManyDeadLetters if a member of the group has stopped it."""
        await breaker.check(self._consumer, self.group)

    async def _trip(self, reason: str) -> None:
        await breaker.trip(self._consumer, self.group, reason)

    def _arrived(self) -> None:
        self._work.wake()

    def _busy(self) -> bool:
        return self._work.busy

    def _uncommitted(self) -> Iterator[Input]:
        return self._work.uncommitted

    def _committed(self) -> None:
        self._work.committed()

    def _thrown_away(self, result: Result) -> None:
        self._work.thrown_away(result)

    async def _restore(self, retries: Mapping[int, int]) -> dict[int, Restored]:
        restored, effort = await restore(self.group, self._codec, self._reader, retries)
        self._meter.restored(effort.lanes, effort.calls, effort.size_bytes, effort.seconds)
        self._work.wake()
        return restored


async def _first(futures: "list[asyncio.Future[Any]]") -> None:
    """Wait until one of these is done, and raise what it raised."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for future in sorted(done, key=lambda future: future.cancelled()):  # a reason before what merely followed from it
        future.result()
