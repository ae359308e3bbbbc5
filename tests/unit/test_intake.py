"""How much of what Kafka has is held in memory: full lanes are paused, and never so that they can't get empty."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from callbus.observe.meter import GroupMeter
from callbus.topology import Group
from callbus.worker.intake import Intake
from callbus.worker.lane import Lane
from callbus.worker.limits import Limits
from callbus.worker.records import Input
from callbus.worker.retry_log import Entry, entry_record, id_of
from callbus.worker.waiting import Waiting
from tests.builders import Message

GROUP = Group(name=f"intake{uuid.uuid4().hex}", inputs=("live", "backlog"))
LIMITS = Limits(queued_inputs=4, queued_bytes=100, waiting_inputs=4, waiting_bytes=100)
INPUTS = {TopicPartition("live", 0), TopicPartition("backlog", 0)}
EVERY = INPUTS | {TopicPartition(GROUP.retries, 0)}


class Fetching:
    """Hands out what it was given, one poll after the other, and then no more."""

    def __init__(self, *polls: Mapping[TopicPartition, Sequence[Message]] | Exception) -> None:
        self._polls = list(polls)
        self._paused: set[TopicPartition] = set()
        self.over = asyncio.Event()

    async def getmany(self, **_: Any) -> Mapping[TopicPartition, Sequence[Message]]:
        if not self._polls:
            self.over.set()
            await asyncio.Event().wait()
        poll = self._polls.pop(0)
        if isinstance(poll, Exception):
            raise poll
        return poll

    def assignment(self) -> set[TopicPartition]:
        return EVERY

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def pause(self, tp: TopicPartition) -> None:
        self._paused.add(tp)

    def resume(self, tp: TopicPartition) -> None:
        self._paused.remove(tp)


def messages(topic: str, *offsets: int, size_bytes: int = 1) -> dict[TopicPartition, list[Message]]:
    return {TopicPartition(topic, 0): [Message(topic, 0, offset, b"call", b"x" * size_bytes) for offset in offsets]}


def waits(offset: int, size_bytes: int = 1, topic: str = "live") -> Entry:
    source = Input(topic, 0, offset, b"call", b"x" * size_bytes, (), 0)
    return Entry(id_of(source), source, attempts=1)


def opened(*entries: Entry, position: int = 0) -> Lane:
    """A lane that is read from `position` on, with these entries in its retry log."""
    waiting = Waiting()
    waiting.restore(list(enumerate(entries)), len(entries))
    return Lane(0, {"live": position, "backlog": position}, waiting=waiting, retries=GROUP.retries)


async def paused(
    lane: Lane, *polls: Mapping[TopicPartition, Sequence[Message]], limits: Limits = LIMITS
) -> set[TopicPartition]:
    """What is paused after these polls."""
    fetching, owner = Fetching(*polls, {}), SimpleNamespace(lanes={0: lane})
    await run(fetching, owner, limits)
    return fetching.paused()


async def run(fetching: Fetching, owner: Any, limits: Limits = LIMITS) -> None:
    intake = Intake(GROUP, fetching, owner, limits, GroupMeter(GROUP.name), lambda: None)
    task, over = asyncio.create_task(intake.run()), asyncio.create_task(fetching.over.wait())
    await asyncio.wait({task, over}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    over.cancel()
    if task.done():
        task.result()
    task.cancel()
    await asyncio.wait({task})


async def test_a_full_queue_pauses_its_lane_and_an_empty_one_lets_it_go_on() -> None:
    """In events and in bytes."""
    lane = opened()
    assert await paused(lane, messages("live", 0, 1, 2, 3)) == set()
    assert await paused(lane, messages("live", 4)) == EVERY
    lane.take("live", 5)
    assert await paused(lane) == set()
    assert await paused(lane, messages("live", 5, size_bytes=101)) == EVERY


async def test_a_queue_that_one_call_has_taken_up_is_read_on_until_others_are_seen() -> None:
    """They stand behind it on Kafka, and could not come first. As much more is fetched as may wait."""
    limits = replace(LIMITS, waiting_inputs=10, waiting_bytes=1_000)
    flood = messages("live", *range(8))
    assert await paused(opened(), flood, limits=limits) == set()
    assert await paused(opened(), flood, messages("live", 8, 9, 10), limits=limits) == EVERY, "memory is bounded"
    assert await paused(opened(waits(0), waits(1), waits(2)), messages("live", *range(3, 11)), limits=limits) == EVERY
    others = [Message("live", 0, offset, b"%d" % offset, b"x") for offset in range(8, 12)]
    assert await paused(opened(), flood, {TopicPartition("live", 0): others}, limits=limits) == EVERY


@pytest.mark.parametrize("entries", [[waits(n) for n in range(5)], [waits(0, size_bytes=101)]], ids=["many", "large"])
async def test_what_waits_is_bounded_too(entries: list[Entry]) -> None:
    """A device that is down, or a flood of one call, must not bring the whole backlog into memory; nor may all that
    somebody sends back from the dead letters."""
    lane = opened(*entries, position=9)
    assert await paused(lane) == EVERY
    for entry in entries:
        lane.waiting.settle(entry.id)
    assert await paused(lane) == set()


async def test_what_waits_and_is_not_fetched_back_counts_as_well() -> None:
    """It is in memory from the moment on when it is written."""
    lane, entries = opened(position=9), [waits(n) for n in range(5)]
    for entry in entries:
        lane.waiting.announce(entry)
    assert await paused(lane) == INPUTS
    record = [entry_record(GROUP.retries, entry) for entry in entries]
    log = [Message(GROUP.retries, 0, n, one.key, one.value, one.headers) for n, one in enumerate(record)]
    assert await paused(lane, {TopicPartition(GROUP.retries, 0): log}) == INPUTS, "others may wait for them"
    assert len(list(lane.waiting.take(9, 9, 1 << 50, lambda _: True))) == 5
    assert lane.waiting.size_bytes == 5
    assert await paused(lane) == EVERY


async def test_what_is_sent_back_from_the_dead_letters_is_bounded_before_it_is_taken_in() -> None:
    """A model call may take ten minutes, and all that while it would be fetched."""
    lane, letters = opened(), [replace(waits(n), id=f"replay:{n}", replayed=True) for n in range(5)]
    record = [entry_record(GROUP.retries, entry) for entry in letters]
    log = [Message(GROUP.retries, 0, n, one.key, one.value, one.headers) for n, one in enumerate(record)]
    assert await paused(lane, {TopicPartition(GROUP.retries, 0): log[:4]}) == set()
    assert await paused(lane, {TopicPartition(GROUP.retries, 0): log[4:]}) == EVERY
    for message in lane.waiting.take(1, 1, 1 << 50, lambda _: True):
        lane.waiting.settle(message.waiting_id)
    assert await paused(lane) == set()


async def test_a_lane_that_is_read_again_comes_past_what_waits() -> None:
    """What waits is not due before: to pause the lane then would be for ever."""
    entries = [waits(n) for n in range(5)]
    assert await paused(opened(*entries, position=4)) == EVERY - {TopicPartition("live", 0)}
    assert await paused(opened(*entries, position=5)) == EVERY


async def test_a_fetch_that_fails_is_tried_again_and_a_right_that_lacks_is_not() -> None:
    """The one mends by itself; the other ends the worker with the reason."""
    lane, problem = opened(), KafkaConnectionError()
    assert problem.retriable
    await run(Fetching(problem, messages("live", 0)), SimpleNamespace(lanes={0: lane}))
    assert len(lane) == 1
    with pytest.raises(KafkaError):
        await run(Fetching(TopicAuthorizationFailedError("live")), SimpleNamespace(lanes={0: lane}))
