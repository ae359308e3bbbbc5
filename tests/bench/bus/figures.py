"""From what was seen to figures. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, slots=True)
class Sample:
    """What had been done at a time. `events` are committed inputs; CPU and memory are sums over the processes."""

    at_s: float
    events: int
    cpu_s: float
    broker_cpu_s: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a window of samples went. CPU is ms per event, which is s per 1,000 events."""

    events: int
    seconds: float
    per_s: float
    cpu_ms: float
    broker_cpu_ms: float


def commits(samples: Sequence[Sample]) -> list[Sample]:
    """The first sample of each new count of events: between two commits nothing is known of the pace."""
    found: list[Sample] = []
    for sample in samples:
        if sample.events > (found[-1].events if found else 0):
            found.append(sample)
    return found


def window(samples: Sequence[Sample], warm_up_s: float, seconds: float) -> tuple[Sample, Sample] | None:
    """From the first commit that is `warm_up_s` after the very first one to the first one `seconds` later.

    None until there are both. Both ends are commits, so that a long commit interval makes no error.
    """
    seen = commits(samples)
    begin = next((s for s in seen if s.at_s >= seen[0].at_s + warm_up_s), None)
    if begin is None:
        return None
    end = next((s for s in seen if s.at_s >= begin.at_s + seconds), None)
    return None if end is None else (begin, end)


def whatever(samples: Sequence[Sample], warm_up_s: float) -> tuple[Sample, Sample]:
    """The widest window that there is, for a topic that was drained too soon. ValueError if there is none."""
    seen = commits(samples)
    if len(seen) < 2:
        raise ValueError(f"{len(seen)} commits were seen: too few events for a figure")
    begins = [s for s in seen[:-1] if s.at_s >= seen[0].at_s + warm_up_s]
    return (begins or seen)[0], seen[-1]


def pace(begin: Sample, end: Sample) -> Pace:
    """The pace between two samples."""
    events, seconds = end.events - begin.events, end.at_s - begin.at_s
    return Pace(
        events=events,
        seconds=seconds,
        per_s=events / seconds,
        cpu_ms=(end.cpu_s - begin.cpu_s) / events * 1000,
        broker_cpu_ms=(end.broker_cpu_s - begin.broker_cpu_s) / events * 1000,
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some repetitions, and how far they lie apart."""

    median: float
    least: float
    most: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """ValueError for no values."""
    if not values:
        raise ValueError("no repetition was measured")
    return Spread(float(np.median(values)), min(values), max(values), len(values))


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of latencies, in ms."""

    p50: float
    p95: float
    p99: float
    most: float
    count: int


def percentiles(values_ms: Sequence[float]) -> Percentiles:
    """ValueError for no values."""
    if not values_ms:
        raise ValueError("no event arrived")
    p50, p95, p99 = np.percentile(values_ms, (50, 95, 99))
    return Percentiles(float(p50), float(p95), float(p99), max(values_ms), len(values_ms))


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event of the steady stream as it came out. Times are of one clock, in s; `maker` is the process's id."""

    number: int
    lane: int
    sent_s: float
    arrived_s: float
    maker: int

    @property
    def took_ms(self) -> float:
        return (self.arrived_s - self.sent_s) * 1000


@dataclass(frozen=True, slots=True)
class Pause:
    """The longest time between two outputs of a lane. `moved`: another process made the second one."""

    lane: int
    seconds: float
    moved: bool


def pauses(arrivals: Sequence[Arrival], begin_s: float, end_s: float) -> list[Pause]:
    """For each lane the pause when its owner changed; where it did not, its longest one. Between these two times.

    A steady stream has pauses by itself, as long as the interval of its events on a lane.
    """
    found = []
    for lane in sorted({arrival.lane for arrival in arrivals}):
        its = sorted((a for a in arrivals if a.lane == lane), key=lambda a: a.arrived_s)
        gaps = [
            Pause(lane, after.arrived_s - before.arrived_s, before.maker != after.maker)
            for before, after in pairwise(its)
            if after.arrived_s >= begin_s and before.arrived_s <= end_s
        ]
        if gaps:
            found.append(max(gaps, key=lambda gap: (gap.moved, gap.seconds)))
    return found


def growth_mb(curve: Sequence[tuple[int, float]]) -> float:
    """How much larger memory is in the last quarter of the events than in the second, by medians: the first one fills
    queues and caches. `curve` is (events so far, MB). ValueError where a quarter has no sample."""
    events, mb = np.array([e for e, _ in curve]), np.array([m for _, m in curve])
    total = events.max(initial=0)
    second, last = mb[(events > total / 4) & (events <= total / 2)], mb[events > total * 3 / 4]
    if not len(second) or not len(last):
        raise ValueError("too few samples of memory")
    return float(np.median(last) - np.median(second))
