"""What the bus is to reach, and whether it did. Pure."""
# ruff: noqa: RUF001 -- the multiplication sign is meant

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench.bus import contestants as c
from tests.bench.bus.figures import Spread, growth_mb, spread
from tests.bench.bus.parts.handover import JOINS, LEAVES, RESTARTED
from tests.bench.bus.results import Drained, Latency, Results
from tests.bench.bus.scale import LANES

FLAT_SHARE = 0.05  # memory that grows by less than this share of itself is flat


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, the figure beside it, and whether it is met."""

    target: str
    found: str
    met: bool


def verdicts(results: Results) -> list[Verdict]:
    """One for each target whose part was run."""
    judges: tuple[Callable[[Results], Iterator[Verdict]], ...] = (_ratios, _latencies, _handovers, _scaling, _memory)
    return [verdict for judge in judges for verdict in judge(results)]


def per_s(results: Results, contestant: c.Contestant, kind: str = "speech", lanes: int = LANES) -> Spread | None:
    """A contestant's pace over its repetitions; None if it was not measured."""
    found = [one.pace.per_s for one in drained(results, contestant, kind, lanes)]
    return spread(found) if found else None


def drained(results: Results, contestant: c.Contestant, kind: str, lanes: int) -> list[Drained]:
    """The repetitions of one measurement."""
    wanted = (contestant.key, kind, lanes)
    return [one for one in results.drained if (one.contestant, one.kind, one.lanes) == wanted]


def latency(results: Results, contestant: c.Contestant, hops: int, load: str) -> Latency | None:
    """One measurement of latency; None if there is none."""
    wanted = (contestant.key, hops, load)
    return next((one for one in results.latencies if (one.contestant, one.hops, one.load) == wanted), None)


_RATIOS = (
    ("exactly-once at full batches", c.EXACTLY_ONCE, c.AT_LEAST_ONCE, 0.9),
    ("exactly-once at 25 events a transaction", c.EXACTLY_ONCE_25, c.AT_LEAST_ONCE_25, 0.5),
    ("at-least-once", c.AT_LEAST_ONCE, c.BARE, 0.8),
    ("exactly-once", c.EXACTLY_ONCE, c.FAUST, 6.0),
)


def _ratios(results: Results) -> Iterator[Verdict]:
    for what, ours, other, least in _RATIOS:
        mine, its = per_s(results, ours), per_s(results, other)
        if mine and its:
            ratio = mine.median / its.median
            said = f"{ratio:.2f} × ({mine.median:,.0f} to {its.median:,.0f} events/s)"
            yield Verdict(f"{what} ≥ {least:g} × {other.title}", said, ratio >= least)


def _latencies(results: Results) -> Iterator[Verdict]:
    if (one := latency(results, c.EXACTLY_ONCE, 1, "low")) is not None:
        said = f"p50 {one.ms.p50:.1f}, p99 {one.ms.p99:.1f} ms"
        yield Verdict("one hop p50 ≤ 12 and p99 ≤ 50 ms at 100 events/s", said, one.ms.p50 <= 12 and one.ms.p99 <= 50)
    if (four := latency(results, c.EXACTLY_ONCE, 4, "low")) is not None:
        yield Verdict("four hops p95 ≤ 200 ms at 100 events/s", f"{four.ms.p95:.1f} ms", four.ms.p95 <= 200)


def moved_s(results: Results, contestant: c.Contestant, what: str) -> list[float]:
    """For each time that this befell the contestant, the longest pause of a lane that moved, in s."""
    mine = [one for one in results.handovers if (one.contestant, one.what) == (contestant.key, what)]
    return [
        max(pause.seconds for pause in one.pauses if pause.moved) for one in mine if any(p.moved for p in one.pauses)
    ]


def _handovers(results: Results) -> Iterator[Verdict]:
    if restarts := moved_s(results, c.EXACTLY_ONCE, RESTARTED):
        took = spread(restarts)
        said = f"{took.median:.2f} s ({took.least:.2f} to {took.most:.2f}), the start of Python in it"
        yield Verdict("take-over ≤ 2 s with static members", said, took.median <= 2)
    if joins := moved_s(results, c.EXACTLY_ONCE, JOINS):
        yield Verdict("pause of a moved lane ≤ 1 s when a member joins", f"{max(joins):.2f} s", max(joins) <= 1)
    if leaves := moved_s(results, c.EXACTLY_ONCE, LEAVES):
        yield Verdict("pause of a moved lane ≤ 1 s when a member leaves", f"{max(leaves):.2f} s", max(leaves) <= 1)


def _scaling(results: Results) -> Iterator[Verdict]:
    by_workers = {one.workers: one.per_s for one in results.scaled}
    if 1 in by_workers and 8 in by_workers:
        share = by_workers[8] / by_workers[1] / 8
        said = f"{share:.2f} × linear ({by_workers[8] / by_workers[1]:.1f} × one worker)"
        yield Verdict("0.9 × linear from 1 to 8 workers", said, share >= 0.9)


def _memory(results: Results) -> Iterator[Verdict]:
    if (memory := results.memory) is not None:
        grown, last = growth_mb(memory.curve), memory.curve[-1][1]
        said = f"{grown:+.1f} MB, of {last:.0f} MB, from the second to the last quarter"
        yield Verdict(f"flat memory over {memory.curve[-1][0]:,} events", said, grown <= FLAT_SHARE * last)
