"""When what is finished is committed, and what becomes of it where that fails."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, RequestTimedOutError

from callbus.errors import Fenced
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.topology import Group
from callbus.worker.commits import Commits, Result
from callbus.worker.delivery import Offsets
from callbus.worker.kip447 import GroupFenced, GroupMetadata
from callbus.worker.limits import Limits
from callbus.worker.records import Input, OutRecord
from callbus.worker.stage import Finished
from tests.until import until

GROUP = Group(name="commits", inputs=("topic",), commits_per_second=5)
LIMITS = Limits(offsets_only_commit_ms=2_000, uncommitted_inputs=5, uncommitted_bytes=1_000)
MEMBER = GroupMetadata("commits", 3, "me-1", "me")


class Kafka:
    """Takes what is delivered, in no time, or fails of the next `problems`."""

    def __init__(self) -> None:
        self.delivered: list[tuple[float, int, dict[tuple[str, int], int]]] = []  # when, records, offsets
        self.problems: list[Exception] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def deliver(self, records: Sequence[OutRecord], offsets: Offsets, member: GroupMetadata) -> None:
        assert member is MEMBER
        if self.problems:
            raise self.problems.pop(0)
        self.delivered.append((time.monotonic(), len(records), dict(offsets)))


class House:
    """The loop, between a Kafka and those who own the lanes."""

    def __init__(self, replaced: bool) -> None:
        self.kafka = Kafka()
        self.owner: Any = None
        self.busy = False
        self.did: list[str] = []
        self.again: list[int] = []  # thrown away
        self.done = 0

        async def is_replaced() -> bool:
            return replaced

        self.owner = owner = SimpleNamespace(
            member=MEMBER,
            is_replaced=is_replaced,
            let_go=lambda: self.did.append("let_go"),
            reopen=lambda: self.did.append("reopen"),
        )
        self.commits = Commits(
            GROUP,
            self.kafka,
            owner,
            GroupMeter("commits"),
            LIMITS,
            Connection(),
            lambda: self.busy,
            self._count,
            lambda result: self.again.extend(one.offset for one in result.finished.inputs),
        )
        self.task = asyncio.create_task(self.commits.run())

    def _count(self) -> None:
        self.done += 1

    def finish(self, offset: int, records: int = 1, size_bytes: int = 1, sent: Any = None) -> None:
        """A batch of one input is finished."""
        made = [OutRecord("out", 0, b"call", b"")] * records
        its = Input("topic", 0, offset, b"call", b"", (), 0)
        done = Finished(made, [], {("topic", 0): offset + 1}, [its], size_bytes, Counter(), Counter())
        self.commits.add(Result(MEMBER, done, 0, 1, sent))
        self.commits.wake()


@asynccontextmanager
async def house(replaced: bool = False) -> AsyncIterator[House]:
    it = House(replaced)
    try:
        yield it
    finally:
        it.task.cancel()
        await asyncio.wait({it.task})


async def test_who_is_idle_commits_at_once() -> None:
    """There is nothing to wait for."""
    async with house() as it:
        for offset in range(5):
            it.finish(offset)
            await until(lambda done=offset + 1: it.done == done)
        times = [at for at, _, _ in it.kafka.delivered]
        assert len(times) == 5
        assert times[-1] - times[0] < 0.8  # it would be that by the budget of the busy
        assert it.commits.empty


async def test_who_is_busy_gathers_within_a_budget() -> None:
    """At most so many transactions a second, all of what came meanwhile in the next one, the offsets of the last."""
    async with house() as it:
        it.busy = True
        for offset in range(50):
            it.finish(offset)
            await asyncio.sleep(0.01)
        await until(lambda: it.commits.empty)
        times = [at for at, _, _ in it.kafka.delivered]
        assert sum(records for _, records, _ in it.kafka.delivered) == 50
        assert all(later - earlier > 0.195 for earlier, later in pairwise(times))
        assert len(times) < 25
        assert it.kafka.delivered[-1][2] == {("topic", 0): 50}


async def test_offsets_alone_wait_and_records_do_not() -> None:
    """A replay of what came to nothing does no harm; what came to something takes the offsets along."""
    async with house() as it:
        it.finish(0)
        await until(lambda: it.commits.empty)
        it.finish(1, records=0)
        await asyncio.sleep(0.15)
        assert len(it.kafka.delivered) == 1
        it.finish(2)
        await until(lambda: it.commits.empty)
        assert [(records, offsets["topic", 0]) for _, records, offsets in it.kafka.delivered] == [(1, 1), (1, 3)]
        it.finish(3, records=0)
        await until(lambda: it.commits.empty)
        first, last = it.kafka.delivered[-2:]
        assert last[0] - first[0] > 1.9


async def test_who_is_waited_for_hurries() -> None:
    """A rebalance or a stop must not wait for a budget."""
    async with house() as it:
        it.finish(0)
        await until(lambda: it.commits.empty)
        it.finish(1, records=0)
        began_s = time.monotonic()
        it.commits.hurry(True)
        await until(lambda: it.commits.empty)
        assert time.monotonic() - began_s < 1


async def test_memory_is_bounded() -> None:
    """In inputs and in bytes: the model waits for the commit then."""
    async with house() as it:
        it.busy = True
        it.finish(0)
        await until(lambda: it.commits.empty)
        for offset in range(1, 5):
            it.finish(offset)
        assert it.commits.has_room
        assert [one.offset for one in it.commits.inputs] == [1, 2, 3, 4]
        it.finish(5)
        assert not it.commits.has_room
        await until(lambda: it.commits.empty)
        it.finish(6, size_bytes=1_000)
        assert not it.commits.has_room


async def test_a_transaction_that_failed_is_read_again() -> None:
    """Nothing of it counts, nor of what was finished meanwhile: all of it comes again."""
    async with house() as it:
        it.kafka.problems = [RequestTimedOutError()]
        it.finish(0)
        await until(lambda: it.did)
        assert (it.did, it.commits.epoch, it.commits.empty, it.kafka.delivered) == (["reopen"], 1, True, [])
        it.finish(0)
        await until(lambda: it.kafka.delivered)


async def test_what_is_thrown_away_is_told_and_what_was_committed_is_not() -> None:
    """It comes again, and must not count twice: what a failed commit held, and what was finished meanwhile."""
    async with house() as it:
        it.finish(0)
        await until(lambda: it.commits.empty)
        it.busy = True
        it.finish(1)
        it.kafka.problems = [RequestTimedOutError()]
        await until(lambda: it.did)
        it.finish(2)
        it.commits.drop()
        assert it.again == [1, 2]


async def test_who_is_fenced_lets_go_and_waits_for_the_group() -> None:
    """A rebalance is under way: to read again now would be as whoever it was."""
    async with house() as it:
        it.kafka.problems = [GroupFenced("generation 3 is over")]
        it.finish(0)
        await until(lambda: it.did)
        assert (it.did, it.commits.epoch) == (["let_go"], 1)


async def test_who_is_fenced_after_the_rebalance_opens_its_lanes_anew() -> None:
    """A commit may hang for longer than a rebalance waits. Nobody would assign lanes again, and what came of the new
    ones meanwhile was thrown away with it."""
    async with house() as it:
        it.owner.member = replace(MEMBER, generation=4)
        it.kafka.problems = [GroupFenced("generation 3 is over")]
        it.finish(0)
        await until(lambda: it.did)
        assert (it.did, it.commits.epoch) == (["reopen"], 1)


@pytest.mark.parametrize(
    ("problem", "replaced", "raised"),
    [
        (GroupFenced("generation 3 is over"), True, Fenced),  # another process has our name
        (Fenced("a newer producer has this id"), False, Fenced),
        (GroupAuthorizationFailedError("commits"), False, KafkaError),  # no new attempt mends it
    ],
)
async def test_what_no_attempt_mends_ends_it(problem: Exception, replaced: bool, raised: type[Exception]) -> None:
    """With the reason, and without another try."""
    async with house(replaced) as it:
        it.kafka.problems = [problem]
        it.finish(0)
        await asyncio.wait({it.task}, timeout=5)
        with pytest.raises(raised):
            it.task.result()
        assert it.did == []


async def test_offsets_wait_for_what_goes_outside_the_transaction() -> None:
    """A topic that is at-least-once: its records are acknowledged before the offsets that they came of."""
    async with house() as it:
        acknowledged = asyncio.Event()
        it.finish(0, sent=asyncio.create_task(acknowledged.wait()))
        await asyncio.sleep(0.1)
        assert not it.kafka.delivered
        acknowledged.set()
        await until(lambda: it.kafka.delivered)


async def test_what_can_not_be_sent_outside_is_read_again() -> None:
    """Its offsets are not committed."""

    async def fails() -> None:
        raise RequestTimedOutError

    async with house() as it:
        it.finish(0, sent=asyncio.create_task(fails()))
        await until(lambda: it.did)
        assert (it.did, it.kafka.delivered) == (["reopen"], [])
