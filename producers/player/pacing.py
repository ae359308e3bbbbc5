"""Publishes calls in their own time, several at once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from callbus.errors import InputError
from producers.player.files import Play, read
from producers.player.timeline import PlayedEvent, events

AT_ONCE = 32
"""Calls that run at the same time: each is in memory whole, a five-minute call with 10 MB."""


class Publisher(Protocol):
    """Where events go."""

    async def publish(self, topic: str, record: PlayedEvent) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one call is. The last one of a call has `done` or `error`."""

    path: Path
    call_id: str
    position_ms: float = 0.0  # in the call, not on the wall
    duration_ms: int = 0
    published: int = 0  # events so far
    published_at_ms: int = 0  # when the newest was published, Unix time in ms
    done: bool = False
    error: InputError | None = None


async def play(
    publisher: Publisher,
    plays: Sequence[Play],
    speed: float = 1.0,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Progress]:
    """Plays every call, and returns how each ended, in the order of `plays`.

    `speed` 1 is real time, 2 twice as fast, infinity as fast as the publisher takes it. All calls follow one monotonic
    clock, so that none drifts; `at_ms` of an event is the wall clock at publishing. A file that can't be used ends as a
    Progress with its `error` while the others go on; an error of the publisher stops them all. Raises InputError for a
    speed that isn't above 0.
    """
    if not speed > 0:
        raise InputError(f"speed is {speed}; give a number above 0 (1 is real time, inf as fast as possible)")
    free = asyncio.Semaphore(AT_ONCE)
    tell = on_progress or (lambda _: None)
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(_play(publisher, each.named(), speed, tell, free)) for each in plays]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [each.result() for each in running]


async def _play(
    publisher: Publisher, asked: Play, speed: float, tell: Callable[[Progress], None], free: asyncio.Semaphore
) -> Progress:
    state = Progress(path=asked.path, call_id=asked.call_id)
    async with free:
        try:
            call = await asyncio.to_thread(read, asked.path)
            timeline = events(asked, call)
        except InputError as error:
            state = replace(state, error=error)
            tell(state)
            return state
        state = replace(state, duration_ms=call.duration_ms)
        start_s = time.monotonic()
        for due_ms, topic, record in timeline:
            await _until(start_s + due_ms / 1000 / speed)
            now_ms = time.time_ns() // 1_000_000
            await publisher.publish(topic, replace(record, at_ms=now_ms))
            state = replace(state, position_ms=due_ms, published=state.published + 1, published_at_ms=now_ms)
            tell(state)
    state = replace(state, done=True)
    tell(state)
    return state


async def _until(moment_s: float) -> None:
    wait_s = moment_s - time.monotonic()
    if wait_s > 0:
        await asyncio.sleep(wait_s)
