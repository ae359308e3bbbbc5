"""More workers on the same lanes, each with a simulated GPU: a wait of so much a batch and so much an event, no CPU."""

import asyncio
import time
from collections.abc import Sequence

from tests.bench.bus.contestants import EXACTLY_ONCE
from tests.bench.bus.course import Course, HeatFailed
from tests.bench.bus.figures import Sample, pace, window
from tests.bench.bus.results import Results, Scaled
from tests.bench.bus.scale import LANES, Scale

_READY_WITHIN_S = 60.0
_SETTLED_S = 2.0
_PER_WORKER_S = 250  # a little more than one can do
_STARTING_S = 40  # the time for which there must be enough events beside the window


async def run(course: Course, scale: Scale, results: Results) -> None:
    """One topic, drained by so many workers in turn."""
    count = round(max(scale.workers) * _PER_WORKER_S * (scale.main_s + _STARTING_S))
    async with course.filled("speech", LANES, count) as full:
        for workers in scale.workers:
            with course.trying(results, f"{workers} workers with a simulated GPU"):
                await _measure(course, scale, results, full.source, workers)


async def _measure(course: Course, scale: Scale, results: Results, source: str, workers: int) -> None:
    def enough(samples: Sequence[Sample]) -> bool:
        return window(samples, _SETTLED_S, scale.main_s) is not None

    async with course.heat(EXACTLY_ONCE, source, LANES, "gpu") as heat:
        for number in range(workers):
            course.start(heat, "gpu", str(number))
        deadline = time.monotonic() + _READY_WITHIN_S
        while not all(one.is_ready for one in heat.running):
            if time.monotonic() > deadline:
                raise HeatFailed(f"not ready within {_READY_WITHIN_S:.0f} s")
            await asyncio.sleep(0.1)
        samples = await course.watch(heat, "gpu", enough, _READY_WITHIN_S)
    between = window(samples, _SETTLED_S, scale.main_s)
    assert between is not None, "watch returned before there was enough"
    found = Scaled(workers, pace(*between).per_s)
    results.scaled.append(found)
    course.show.line(f"{workers} workers with a simulated GPU: {found.per_s:.0f}/s")
