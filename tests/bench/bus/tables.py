"""The page's tables. Pure."""
# ruff: noqa: RUF001 -- the multiplication sign is meant

from collections.abc import Iterator, Sequence

from tests.bench.bus import contestants as c
from tests.bench.bus.figures import Spread, growth_mb, spread
from tests.bench.bus.parts import handover
from tests.bench.bus.results import Drained, Profile, Results
from tests.bench.bus.scale import LANES
from tests.bench.bus.targets import drained, latency, moved_s, per_s

KINDS = {"speech": "~1 KB of speech", "message": "~1 KB of text", "chunk": "8 KB of audio"}


def all_of(results: Results) -> Iterator[str]:
    """Every table that there are results for."""
    for part in (_main, _others, _latencies, _starts, _handovers, _scaling, _memory, _profiles):
        yield from part(results)


def _main(results: Results) -> Iterator[str]:
    rows = [(one, its) for one in c.ALL.values() if (its := drained(results, one, "speech", LANES))]
    if not rows:
        return
    yield f"## A full topic: {KINDS['speech']}, {LANES} lanes\n"
    yield (
        "| | events/s | × bare loop | × at-least-once | × Faust | CPU ms per event: process | broker | peak MB |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for one, its in rows:
        pace = spread([d.pace.per_s for d in its])
        ratios = " | ".join(_times(pace, per_s(results, other)) for other in (c.BARE, c.AT_LEAST_ONCE, c.FAUST))
        yield f"| {one.title} | {_spread(pace)} | {ratios} | {_costs(its)} |"
    yield "\nCPU ms per event is CPU seconds per 1,000 events.\n"


def _others(results: Results) -> Iterator[str]:
    places = sorted({(d.kind, d.lanes) for d in results.drained} - {("speech", LANES)})
    if not places:
        return
    yield "## Other sizes, other numbers of lanes\n"
    yield "Events/s; × is exactly-once to at-least-once, at-least-once to the bare loop, exactly-once to Faust.\n"
    yield "| | lanes | bare loop | at-least-once | exactly-once | Faust | × | × | × | 25 a commit | 25 a transaction |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for kind, lanes in places:
        bare, loose, exact, faust = (per_s(results, one, kind, lanes) for one in c.MAIN)
        few = [per_s(results, one, kind, lanes) for one in c.BY_25]
        cells = [_spread(one) for one in (bare, loose, exact, faust)]
        ratios = [_times(exact, loose), _times(loose, bare), _times(exact, faust)]
        yield f"| {KINDS[kind]} | {lanes} | {' | '.join([*cells, *ratios, *map(_spread, few)])} |"
    yield ""
    for kind in sorted({kind for kind, lanes in places if lanes == LANES}):
        yield (
            f"{KINDS[kind]}, {LANES} lanes, CPU ms per event of the process, of the broker, peak memory MB: "
            + "; ".join(
                f"{one.title} {_costs(its).replace(' | ', ', ')}"
                for one in c.MAIN
                if (its := drained(results, one, kind, LANES))
            )
        )
        yield ""


def _latencies(results: Results) -> Iterator[str]:
    if not results.latencies:
        return
    yield "## Latency\n"
    yield "| hops | load | events/s | | p50 ms | p95 ms | p99 ms | most | p50 × bare loop | p99 × | CPU of all cores |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for hops in (1, 4):
        for load in ("low", "half"):
            base = latency(results, c.BARE, hops, load)
            for one in c.MAIN:
                if (its := latency(results, one, hops, load)) is None:
                    continue
                ms = its.ms
                ratios = f"{ms.p50 / base.ms.p50:.1f} | {ms.p99 / base.ms.p99:.1f}" if base else "– | –"
                figures = f"{ms.p50:.1f} | {ms.p95:.1f} | {ms.p99:.1f} | {ms.most:.0f}"
                row = [hops, load, f"{its.load_per_s:,.0f}", one.title, figures, ratios, f"{its.cpu_share:.0%}"]
                yield f"| {' | '.join(map(str, row))} |"
    yield ""


def _starts(results: Results) -> Iterator[str]:
    if not results.started:
        return
    yield "## Time to the first event\n"
    yield "From the start of the process to the first event that came out, in s.\n"
    yield "| | s | × bare loop |\n|---|---|---|"
    found = {one: [s.seconds for s in results.started if s.contestant == one.key] for one in c.MAIN}
    base = spread(found[c.BARE]) if found[c.BARE] else None
    for one, seconds in found.items():
        if seconds:
            its = spread(seconds)
            yield f"| {one.title} | {_spread(its, 2)} | {_times(its, base)} |"
    yield ""


def _handovers(results: Results) -> Iterator[str]:
    if not results.handovers:
        return
    yield "## How long a lane stood still\n"
    yield (
        f"{LANES} lanes, a steady stream of 100 events/s over all of them, so that 0.08 s are between two events of a "
        "lane anyway. Static membership, a session of 6 s. The longest pause of a lane that moved, in s, and of one "
        "that stayed.\n"
    )
    yield "| what happened | | moved lane | × bare loop | lane that stayed |\n|---|---|---|---|---|"
    for what in (handover.RESTARTED, handover.JOINS, handover.LEAVES, handover.KILLED):
        base = moved_s(results, c.BARE, what)
        for one in c.MAIN:
            mine = [h for h in results.handovers if (h.contestant, h.what) == (one.key, what)]
            if not mine:
                continue
            moved, stayed = moved_s(results, one, what), [p.seconds for h in mine for p in h.pauses if not p.moved]
            its = spread(moved) if moved else None
            cells = [
                _spread(its, 2),
                _times(its, spread(base) if base else None),
                f"{max(stayed):.2f}" if stayed else "–",
            ]
            yield f"| {what} | {one.title} | {' | '.join(cells)} |"
    yield ""


def _scaling(results: Results) -> Iterator[str]:
    if not results.scaled:
        return
    yield "## More workers\n"
    yield (
        f"Exactly-once, {LANES} lanes, a simulated GPU in each worker: 40 ms a batch and 2 ms an event, batches of 16, "
        "no CPU; one alone can do 222 events/s.\n"
    )
    yield "| workers | events/s | × one worker | × linear |\n|---|---|---|---|"
    one = next((s.per_s for s in results.scaled if s.workers == 1), None)
    for its in results.scaled:
        ratios = f"{its.per_s / one:.2f} | {its.per_s / one / its.workers:.2f}" if one else "– | –"
        yield f"| {its.workers} | {its.per_s:,.0f} | {ratios} |"
    yield ""


def _memory(results: Results) -> Iterator[str]:
    if (memory := results.memory) is None:
        return
    events, last = memory.curve[-1]
    yield "## Memory over time\n"
    yield (
        f"One exactly-once worker, {events:,} events of 0.1 KB: {memory.curve[0][1]:.0f} MB at its first commit, "
        f"{last:.0f} MB at the end; from the second quarter to the last {growth_mb(memory.curve):+.1f} MB.\n"
    )


def _profiles(results: Results) -> Iterator[str]:
    if not results.profiles:
        return
    titles = c.ALL
    yield "## Where the time goes\n"
    yield (
        f"py-spy, {KINDS['speech']}, {LANES} lanes, full topic. A share of the samples of all threads that were at "
        "work; a library's time counts for what called it.\n"
    )
    yield from (f"{titles[one.contestant].title}: {one.problem}\n" for one in results.profiles if one.problem)
    seen = [one for one in results.profiles if one.shares]
    if not seen:
        return
    parts = sorted({part for one in seen for part in one.shares}, key=lambda part: -max(_share(o, part) for o in seen))
    yield f"| | {' | '.join(titles[one.contestant].title for one in seen)} |"
    yield "|---" * (len(seen) + 1) + "|"
    for part in parts:
        yield f"| {part} | {' | '.join(f'{_share(one, part):.0%}' for one in seen)} |"
    for one in seen:
        most = "; ".join(f"`{function}` {share:.0%}" for function, share in one.functions[:10])
        yield f"\n{titles[one.contestant].title}, functions with most of their own time: {most}."
    yield ""


def _share(profile: Profile, part: str) -> float:
    return profile.shares.get(part, 0.0)


def _costs(its: Sequence[Drained]) -> str:
    process = spread([d.pace.cpu_ms for d in its]).median
    broker = spread([d.pace.broker_cpu_ms for d in its]).median
    return f"{process:.3f} | {broker:.3f} | {max(d.rss_mb for d in its):.0f}"


def _spread(its: Spread | None, digits: int = 0) -> str:
    if its is None:
        return "–"
    said = f"{its.median:,.{digits}f}"
    return said if its.count == 1 else f"{said} ({its.least:,.{digits}f}–{its.most:,.{digits}f})"


def _times(its: Spread | None, base: Spread | None) -> str:
    return f"{its.median / base.median:.2f}" if its and base else "–"
