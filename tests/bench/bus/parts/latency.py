"""How long an event takes over one hop and over four, at a low load and at half of what the contestant can carry.

Each hop is a process of its own. Times are from before the event is sent until a `read_committed` consumer has it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from tests.bench.bus.contestants import Contestant
from tests.bench.bus.course import Course, Heat, HeatFailed
from tests.bench.bus.figures import percentiles
from tests.bench.bus.graph import HOPS
from tests.bench.bus.loading import Flood
from tests.bench.bus.parts.throughput import capacity
from tests.bench.bus.results import Latency, Results
from tests.bench.bus.scale import LANES, LOW_PER_S, Scale
from tests.bench.bus.stream import Stream, streaming

_FIRST_WITHIN_S = 60.0
_FLOWS_MS = 2_000  # what came before was late because the processes were still starting
_SETTLE_S = 1.5
_LOOK_EVERY_S = 0.3
_LATE_S = 3.0  # how long what is still under way at the end is waited for
_SOON_S = 0.5


async def run(course: Course, scale: Scale, results: Results) -> None:
    """The contestants in turn, for each number of hops and each load."""
    for hops, load, contestants in scale.latencies:
        for contestant in contestants:
            with course.trying(results, f"{contestant.title}: {hops} hops, {load} load"):
                load_per_s = LOW_PER_S
                if load == "half":  # the processes of four hops share the same cores
                    load_per_s = await capacity(course, scale, results, contestant) / 2 / hops
                await _measure(course, scale, results, contestant, hops, load, load_per_s)


async def _measure(
    course: Course, scale: Scale, results: Results, contestant: Contestant, hops: int, load: str, load_per_s: float
) -> None:
    lanes = 1 if load == "half" else LANES  # of the probe: its reader must not read all of the load
    async with course.empty("stream", LANES) as source, course.heat(contestant, source, LANES, *HOPS[:hops]) as heat:
        for group in heat.groups:
            course.start(heat, group)
        async with streaming(course, heat, LOW_PER_S, lanes) as stream, _flood(course, heat, load_per_s - LOW_PER_S):
            await stream.until(
                "events come through",
                lambda: bool(stream.arrivals) and stream.arrivals[-1].took_ms < _FLOWS_MS,
                _FIRST_WITHIN_S,
            )
            await _until_loaded(stream, load_per_s)
            await asyncio.sleep(_SETTLE_S)
            psutil.cpu_percent()
            begin_s, before = time.monotonic(), await stream.written()
            await asyncio.sleep(scale.latency_s)
            end_s, after = time.monotonic(), await stream.written()
            cpu_share = psutil.cpu_percent() / 100
            await asyncio.sleep(_LATE_S if load == "half" else _SOON_S)
    took_ms = [arrival.took_ms for arrival in stream.arrivals if begin_s <= arrival.sent_s <= end_s]
    carried_per_s = (after - before) / (end_s - begin_s)
    found = Latency(contestant.key, hops, load, carried_per_s, percentiles(took_ms), cpu_share)
    results.latencies.append(found)
    ms = found.ms
    course.show.line(
        f"latency {hops} hops, {load:4} load ({carried_per_s:.0f}/s)  {contestant.title:30} "
        f"p50 {ms.p50:.0f}  p95 {ms.p95:.0f}  p99 {ms.p99:.0f} ms of {ms.count}, CPU {cpu_share:.0%}"
    )


async def _until_loaded(stream: Stream, per_s: float) -> None:
    """Return when the load has begun: its process takes a while to start."""
    deadline = time.monotonic() + _FIRST_WITHIN_S
    before, carried_per_s = await stream.written(), 0.0
    while carried_per_s < per_s / 2:
        if time.monotonic() > deadline:
            raise HeatFailed(f"of a load of {per_s:.0f} events/s only {carried_per_s:.0f} came")
        await asyncio.sleep(_LOOK_EVERY_S)
        now = await stream.written()
        before, carried_per_s = now, (now - before) / _LOOK_EVERY_S


@asynccontextmanager
async def _flood(course: Course, heat: Heat, per_s: float) -> AsyncIterator[None]:
    """Beside the stream so many events a second, by a process of their own; none if that is none."""
    if per_s <= 0:
        yield
        return
    flood = Flood(
        brokers=course.connection.brokers,
        avro=str(course.avro),
        shape=heat.shape.to_text(),
        topic=heat.source,
        kind="speech",
        per_s=per_s,
    )
    process = course.spawn("tests.bench.bus.loading", flood.to_text())
    try:
        yield
    finally:
        process.kill()
