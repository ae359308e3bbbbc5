"""Publishes calls in their own time, several at once."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from callbus.errors import InputError
from callbus.modes import Rule
from producers.player.files import Play, read
from producers.player.timeline import Due, PlayedEvent, cut_off, events

AT_ONCE = 32
"""Calls that run at the same time: each is in memory whole, a five-minute call with 10 MB."""


class Publisher(Protocol):
    """Where events go."""

    async def publish(self, topic: str, record: PlayedEvent) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one call is. The last one of a call has `done`, `cut` or `error`."""

    path: Path
    call_id: str
    position_ms: float = 0.0  # in the call, not on the wall
    duration_ms: int = 0
    published: int = 0  # events so far
    published_at_ms: int = 0  # when the newest was published, Unix time in ms
    done: bool = False
    cut: bool = False  # ended before its file did, because it was asked to; or never begun: then `published` is 0
    error: InputError | None = None


async def play(
    publisher: Publisher,
    plays: Sequence[Play],
    speed: float = 1.0,
    on_progress: Callable[[Progress], None] | None = None,
    stopping: asyncio.Event | None = None,
    rules: Sequence[Rule] = (),
) -> list[Progress]:
    """Plays every call, and returns how each ended, in the order of `plays`.

    A call whose `mode` isn't given is heard as the first of the `rules` says that fits it as it begins.

    `speed` 1 is real time, 2 twice as fast, infinity as fast as the publisher takes it. All calls follow one monotonic
    clock, so that none drifts; `at_ms` of an event is the wall clock at publishing. A file that can't be used ends as a
    Progress with its `error` while the others go on; an error of the publisher stops them all. Once `stopping` is set
    every call is cut off: it gets its last chunk and its end, as a telephone exchange sees to when a line breaks.
    Raises InputError for a speed that isn't above 0.
    """
    if not speed > 0:
        raise InputError(f"speed is {speed}; give a number above 0 (1 is real time, inf as fast as possible)")
    door = _Door(publisher, speed, on_progress or (lambda _: None), stopping or asyncio.Event(), rules)
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(door.play(each.named())) for each in plays]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [each.result() for each in running]


@dataclass
class _Door:
    """The calls that are played together."""

    publisher: Publisher
    speed: float
    tell: Callable[[Progress], None]
    stopping: asyncio.Event
    rules: Sequence[Rule]
    running: int = 0
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def play(self, asked: Play) -> Progress:
        """One call, once there is room for it."""
        state = Progress(path=asked.path, call_id=asked.call_id)
        async with self.free:
            if self.stopping.is_set():
                return _told(replace(state, cut=True), self.tell)
            try:
                call = await asyncio.to_thread(read, asked.path)
                timeline = events(asked.chosen(self.rules, call, self.running), call)
            except InputError as error:
                return _told(replace(state, error=error), self.tell)
            self.running += 1
            try:
                return await self._publish(timeline, replace(state, duration_ms=call.duration_ms))
            finally:
                self.running -= 1

    async def _publish(self, timeline: Iterator[Due], state: Progress) -> Progress:
        start_s = time.monotonic()
        for due in timeline:
            if not await _until(start_s + due.due_ms / 1000 / self.speed, self.stopping):
                for last in cut_off(chain([due], timeline), state.position_ms):
                    state = await _publish(self.publisher, last, state)
                return _told(replace(state, cut=True), self.tell)
            state = _told(await _publish(self.publisher, due, state), self.tell)
        return _told(replace(state, done=True), self.tell)


async def _publish(publisher: Publisher, due: Due, state: Progress) -> Progress:
    now_ms = time.time_ns() // 1_000_000
    await publisher.publish(due.topic, replace(due.record, at_ms=now_ms))
    return replace(state, position_ms=due.due_ms, published=state.published + 1, published_at_ms=now_ms)


def _told(state: Progress, tell: Callable[[Progress], None]) -> Progress:
    tell(state)
    return state


async def _until(moment_s: float, stopping: asyncio.Event) -> bool:
    """Wait for the moment. False if it was told to stop instead."""
    wait_s = moment_s - time.monotonic()
    if wait_s > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stopping.wait()
    return not stopping.is_set()
