"""What is looked at once a second: how far a worker is behind, while its model works."""

import sys
import threading
import uuid
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from callbus.clock import now_ms
from callbus.errors import BrokerError
from callbus.kafka import Connection
from callbus.observe.meter import GroupMeter
from callbus.topology import Group
from callbus.worker import watch
from callbus.worker.lane import Lane
from callbus.worker.memory import CallMemory
from callbus.worker.records import Input
from callbus.worker.watch import Watch

TURNS = 20_000


class Fetched:
    """What aiokafka's consumer knows of where it reads: everything up to `end` was fetched, or up to `position`."""

    _coordinator = SimpleNamespace(coordinator_id=1)

    def __init__(self, end: int, position: int) -> None:
        self._end, self._position = end, position

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("topic", 0)}

    def paused(self) -> set[TopicPartition]:
        return set()

    def last_poll_timestamp(self, _: TopicPartition) -> int:
        return now_ms()

    def last_stable_offset(self, _: TopicPartition) -> int:
        return self._end

    async def position(self, _: TopicPartition) -> int:
        return self._position


def message(offset: int, age_s: float = 0.0, waiting_id: str = "") -> Input:
    return Input("topic", 0, offset, b"call", b"", (), now_ms() - round(age_s * 1000), waiting_id)


def turns(lane: Lane, uncommitted: Iterable[Input], end: int = 0, position: int = 0) -> tuple[str, AsyncIterator[bool]]:
    """A watch of a group that has this lane, and the group's name."""
    group = Group(name=f"watch{uuid.uuid4().hex}", inputs=("topic",), idle_after_ms=60_000)
    owned: Any = SimpleNamespace(lanes={0: lane}, member=object(), settled=threading.Event())
    looking = Watch(group, Fetched(end, position), owned, GroupMeter(group.name), Connection(), lambda: uncommitted)
    return group.name, looking.turns()


async def lag(*watched: Any, **log: int) -> tuple[float, float]:
    """In events and seconds, after one look."""
    group, looking = turns(*watched, **log)
    await anext(looking)
    labels = {"group": group, "topic": "topic", "lane": "0"}
    found = [REGISTRY.get_sample_value(f"callbus_lag_{what}", labels) for what in ("events", "seconds")]
    return found[0] or 0.0, found[1] or 0.0


async def test_lag_is_all_that_is_not_committed() -> None:
    """What is left to fetch, what is queued, and what the model has or a transaction; as old as the oldest of it."""
    lane = Lane(0, {"topic": 0})
    assert await lag(lane, ()) == (0, 0)
    lane.add([message(5, age_s=20), message(6, age_s=10)])
    events, seconds = await lag(lane, (), end=9, position=7)
    assert (events, round(seconds)) == (4, 20)
    events, seconds = await lag(lane, [message(3, age_s=60), message(4, age_s=50)], end=9, position=7)
    assert (events, round(seconds)) == (6, 60)
    events, seconds = await lag(Lane(0, {"topic": 0}), [message(3, age_s=60)])
    assert (events, round(seconds)) == (1, 60)


async def test_what_is_not_even_fetched_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fetching stands still nothing says how old it is; since when it is seen there does."""
    monkeypatch.setattr(watch, "_EVERY_S", 0)
    group, looking = turns(Lane(0, {"topic": 0}), (), end=9, position=7)
    labels = {"group": group, "topic": "topic", "lane": "0"}
    await anext(looking)
    assert REGISTRY.get_sample_value("callbus_lag_events", labels) == 2
    later_ms = now_ms() + 30_000
    monkeypatch.setattr(watch, "now_ms", lambda: later_ms)
    await anext(looking)
    assert round(REGISTRY.get_sample_value("callbus_lag_seconds", labels) or 0) == 30


async def test_what_waits_for_another_attempt_is_told_of_elsewhere() -> None:
    """It was given back to its call's queue long ago: it says nothing of how far the lane is behind."""
    assert await lag(Lane(0, {"topic": 0}), [message(3, 60, waiting_id="topic:3")]) == (0, 0)


async def test_fetching_that_was_set_back_ends_the_group() -> None:
    """The log has lost what the group had read; a lane that was just opened anew is not meant."""
    lane = Lane(0, {"topic": 7})
    assert await lag(lane, (), end=7, position=7) == (0, 0)
    with pytest.raises(BrokerError, match="had come to offset 7"):
        await lag(lane, (), end=3, position=0)


async def test_it_may_look_while_the_model_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's thread moves what is known of the calls: not one look may fail of that, at whatever moment."""
    monkeypatch.setattr(watch, "_EVERY_S", 0)
    lane, over = Lane(0, {"topic": 0}), threading.Event()

    def work() -> None:
        number = 0
        while not over.is_set():
            number += 1
            lane.remember(f"call-{number % 50}", CallMemory(state=1), float(number))

    interval_s, thread = sys.getswitchinterval(), threading.Thread(target=work)
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        _, looking = turns(lane, ())
        for _ in range(TURNS):
            await anext(looking)
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval_s)


async def test_the_lag_stays_while_a_lane_is_opened_and_goes_with_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert must not fall silent while a state is restored; two processes must not tell of one lane."""
    monkeypatch.setattr(watch, "_EVERY_S", 0.0)
    group = Group(name=f"watch{uuid.uuid4().hex}", inputs=("topic",))
    lane, consumer = Lane(0, {"topic": 0}), Fetched(end=9, position=7)
    owned: Any = SimpleNamespace(lanes={0: lane}, member=object(), settled=threading.Event())
    looking = Watch(group, consumer, owned, GroupMeter(group.name), Connection(), lambda: ()).turns()

    def lag_events() -> float | None:
        labels = {"group": group.name, "topic": "topic", "lane": "0"}
        return REGISTRY.get_sample_value("callbus_lag_events", labels)

    await anext(looking)
    assert lag_events() == 2
    owned.lanes, owned.member = {}, None  # between two assignments
    await anext(looking)
    assert lag_events() == 2
    owned.member = object()  # it is ours again, and being opened
    await anext(looking)
    assert lag_events() == 2
    monkeypatch.setattr(consumer, "assignment", set)
    await anext(looking)
    assert lag_events() is None
