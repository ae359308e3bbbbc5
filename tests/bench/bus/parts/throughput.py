"""How many events a second, how much CPU and memory: every contestant drains the same full topic.

Contestants take turns (A B C D, A B C D), so that what changes about the machine meanwhile meets all of them.
"""

from collections.abc import Callable, Sequence

from tests.bench.bus.contestants import Contestant
from tests.bench.bus.course import Course, Full
from tests.bench.bus.figures import Sample, pace, whatever, window
from tests.bench.bus.results import Drained, Results
from tests.bench.bus.scale import LANES, Scale

_LIMIT_S = 60.0


async def run(course: Course, scale: Scale, results: Results) -> None:
    """The main comparison first, then the other sizes and numbers of lanes."""
    async with course.filled("speech", LANES, scale.events) as full:
        for _ in range(scale.repetitions):
            await _drain_all(course, scale, results, scale.main, full, scale.main_s)
            await _drain_all(course, scale, results, scale.small_commits, full, scale.other_s)
        await _drain_all(course, scale, results, scale.once_more, full, scale.other_s)
    for kind, lanes, contestants in scale.others:
        count = scale.chunks if kind == "chunk" else scale.events // 2
        async with course.filled(kind, lanes, count) as full:
            await _drain_all(course, scale, results, contestants, full, scale.other_s)


async def capacity(course: Course, scale: Scale, results: Results, contestant: Contestant) -> float:
    """The most events a second that the contestant was seen to carry, measured now if it was not yet."""

    def seen() -> list[float]:
        wanted = (contestant.key, "speech", LANES)
        return [one.pace.per_s for one in results.drained if (one.contestant, one.kind, one.lanes) == wanted]

    if not seen():
        async with course.filled("speech", LANES, scale.events // 3) as full:
            await _drain_all(course, scale, results, (contestant,), full, scale.other_s)
    return max(seen())


async def _drain_all(
    course: Course, scale: Scale, results: Results, contestants: Sequence[Contestant], full: Full, seconds: float
) -> None:
    """Each of these in turn, measured over a window of so many seconds, or over what there is to drain."""

    def enough(samples: Sequence[Sample]) -> bool:
        empty = bool(samples) and samples[-1].events >= full.count
        return empty or window(samples, scale.warm_up_s, seconds) is not None

    for contestant in contestants:
        with course.trying(results, f"{contestant.title}: {full.kind}, {full.lanes} lanes"):
            samples = await _samples(course, contestant, full, enough)
            its = pace(*(window(samples, scale.warm_up_s, seconds) or whatever(samples, scale.warm_up_s)))
            peak_mb = max(sample.rss_mb for sample in samples)
            results.drained.append(Drained(contestant.key, full.kind, full.lanes, its, peak_mb))
            course.show.line(
                f"{full.kind:8} {full.lanes:2} lanes  {contestant.title:48} {its.per_s:8.0f}/s in {its.seconds:.1f} s, "
                f"CPU {its.cpu_ms:.3f} + broker {its.broker_cpu_ms:.3f} ms"
            )


async def _samples(
    course: Course, contestant: Contestant, full: Full, enough: Callable[[Sequence[Sample]], bool]
) -> list[Sample]:
    group = "chunk" if full.kind == "chunk" else "first"
    async with course.heat(contestant, full.source, full.lanes, group) as heat:
        course.start(heat, group)
        return await course.watch(heat, group, enough, _LIMIT_S)
