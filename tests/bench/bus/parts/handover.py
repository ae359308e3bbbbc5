"""How soon the first event comes out, and how long a lane stands still when its owner is killed or its group changes.

A steady stream runs over all lanes; a pause is the time between two outputs of a lane, as a `read_committed` reader
sees them.
"""

import asyncio
import time

from tests.bench.bus.contestants import FAUST, Contestant
from tests.bench.bus.course import Course, Signal
from tests.bench.bus.figures import pauses
from tests.bench.bus.results import Handover, Results, Started
from tests.bench.bus.scale import LANES, LOW_PER_S, Scale
from tests.bench.bus.stream import Stream, streaming

RESTARTED = "`kill -9`, started again at once under the same name"
JOINS = "a second member joins"
LEAVES = "the second member leaves (SIGTERM), for good"
KILLED = "`kill -9` of the second member, for good"
LEAVINGS: dict[str, Signal] = {LEAVES: "stop", KILLED: "kill"}

_STEADY_S = 1.0


async def run(course: Course, scale: Scale, results: Results) -> None:
    """Starts and restarts of all contestants in turn; then members coming and going."""
    for _ in range(scale.starts):
        for contestant in scale.main:
            with course.trying(results, f"{contestant.title}: start"):
                await _start(course, results, contestant)
    for contestant in scale.handovers:
        with course.trying(results, f"{contestant.title}: members come and go"):
            await _members(course, results, contestant)


async def _start(course: Course, results: Results, contestant: Contestant) -> None:
    async with (
        course.empty("stream", LANES) as source,
        course.heat(contestant, source, LANES, "first") as heat,
        streaming(course, heat, LOW_PER_S, LANES) as stream,
    ):
        await stream.until("the stream is sent", lambda: stream.sent > LANES)
        first = course.start(heat, "first")
        await stream.until("a first event comes out", lambda: len(stream.arrivals) > 0, 60.0)
        started = Started(contestant.key, stream.arrivals[0].arrived_s - first.spawned_s)
        results.started.append(started)
        course.show.line(f"start  {contestant.title:30} {started.seconds:.2f} s")
        if contestant is FAUST:  # not a static member: its lanes wait for its session's end, 60 s
            return
        await _steady(stream, {first.process.pid})
        begin_s = time.monotonic()
        course.end(heat, first, "kill")
        second = course.start(heat, "first")
        await _steady(stream, {second.process.pid})
        _note(course, results, contestant, RESTARTED, stream, begin_s)


async def _members(course: Course, results: Results, contestant: Contestant) -> None:
    async with (
        course.empty("stream", LANES) as source,
        course.heat(contestant, source, LANES, "first") as heat,
        streaming(course, heat, LOW_PER_S, LANES) as stream,
    ):
        first = course.start(heat, "first", "0")
        await _steady(stream, {first.process.pid})
        for leaving, how in LEAVINGS.items():
            begin_s = time.monotonic()
            second = course.start(heat, "first", "1")
            await _steady(stream, {first.process.pid, second.process.pid})
            _note(course, results, contestant, JOINS, stream, begin_s)
            begin_s = time.monotonic()
            course.end(heat, second, how)
            await _steady(stream, {first.process.pid})
            _note(course, results, contestant, leaving, stream, begin_s)


async def _steady(stream: Stream, makers: set[int]) -> None:
    """Return when these processes, and no others, have all lanes, and have had them for a while."""

    def theirs() -> bool:
        now = stream.makers
        return len(now) == LANES and set(now.values()) == makers

    await stream.until("all lanes in the hands of those that run", theirs, 60.0)
    await asyncio.sleep(_STEADY_S)


def _note(course: Course, results: Results, contestant: Contestant, what: str, stream: Stream, begin_s: float) -> None:
    found = pauses(stream.arrivals, begin_s, time.monotonic())
    results.handovers.append(Handover(contestant.key, what, found))
    moved = [pause.seconds for pause in found if pause.moved]
    stayed = [pause.seconds for pause in found if not pause.moved]
    course.show.line(
        f"{what:55} {contestant.title:30} "
        + (f"{len(moved)} lanes moved, {min(moved):.2f} to {max(moved):.2f} s" if moved else "no lane moved")
        + (f"; {len(stayed)} stayed, at most {max(stayed):.2f} s" if stayed else "")
    )
