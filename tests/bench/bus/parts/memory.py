"""The memory of one exactly-once worker over a million small events."""

from collections.abc import Sequence

from tests.bench.bus.contestants import EXACTLY_ONCE
from tests.bench.bus.course import Course
from tests.bench.bus.figures import Sample, growth_mb
from tests.bench.bus.results import Memory, Results
from tests.bench.bus.scale import LANES, Scale

_LIMIT_S = 300.0
_POINTS = 200  # of the curve that is kept


async def run(course: Course, scale: Scale, results: Results) -> None:
    """Drain it all, and keep the curve."""

    title = f"memory over {scale.small_events:,} small events"
    with course.trying(results, title):
        async with (
            course.filled("small", LANES, scale.small_events) as full,
            course.heat(EXACTLY_ONCE, full.source, LANES, "first") as heat,
        ):

            def enough(samples: Sequence[Sample]) -> bool:
                return bool(samples) and samples[-1].events >= full.count

            course.start(heat, "first")
            samples = await course.watch(heat, "first", enough, _LIMIT_S)
        working = [sample for sample in samples if sample.events]
        kept = [*working[:: max(1, len(working) // _POINTS)], working[-1]]
        curve = [(sample.events, sample.rss_mb) for sample in kept]
        grown_mb = growth_mb(curve)
        results.memory = Memory(EXACTLY_ONCE.key, curve)
        course.show.line(f"{title}: {grown_mb:+.1f} MB")
