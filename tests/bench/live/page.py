"""docs/bench-live.md, from the results of a run."""
# ruff: noqa: RUF001 -- the dash in an empty cell is meant

from collections.abc import Iterator
from pathlib import Path

from tests.bench.bus.figures import Percentiles
from tests.bench.bus.results import Machine
from tests.bench.live import plot
from tests.bench.live.ladder import FINAL_P95_MS, FIRST_P95_MS, SETTLES_S, TARGET_CALLS, highest, holds
from tests.bench.live.latency import CUT_AFTER_MS
from tests.bench.live.results import Results
from tests.bench.written import written

NAME = "bench-live"
_BUSY = 0.7  # load average

_HEAD = """\
# How many live calls at once

Written by `make bench-live`. Two-channel calls (the three samples, each begun at another place, over and over) are
played in real time, in chunks of 250 ms, into an embedded Kafka by a process of its own. One process of the
transcription group, with the models of the default topology, does the rest: `callbus run transcription`, exactly once.
"""


def write(results: Results, folder: Path) -> Path:
    """The page, its plot and the figures as JSON, into this folder. The page's file."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plot.draw(results, folder / f"{NAME}.svg")
    return written(folder, NAME, results, _page(results, drawn.name))


def _page(results: Results, drawn: str) -> Iterator[str]:
    yield _HEAD
    if results.quick:
        yield "**A smoke run (`--quick`): its figures say little.**\n"
    yield _machine(results.machine, results.took_s)
    yield from _verdict(results)
    yield f"![latency and CPU by calls at once]({drawn})\n"
    yield from _words(results)
    yield from _costs(results)
    yield from _how(results)


def _machine(machine: Machine, took_s: float) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    load = machine.load_before
    busy = "**The machine was busy before it began**: a load" if load > _BUSY else "A load before it began"
    return (
        f"{machine.cores} cores ({machine.cpu}), {machine.memory_gb:.0f} GB, {machine.system}, "
        f"Python {machine.python}, {versions}; broker, transcription, player and reader on the same machine; "
        f"{took_s / 60:.1f} minutes. {busy} of {load:.1f}.\n"
    )


def _verdict(results: Results) -> Iterator[str]:
    most = highest(results.rungs)
    met = "met" if most >= TARGET_CALLS else "**not met**"
    broken = [rung.calls for rung in results.rungs if not holds(rung)]
    tried = f"{', '.join(map(str, broken))} did not hold" if broken else "more were not tried"
    yield "| target | found | |\n|---|---|---|"
    yield (
        f"| at least {TARGET_CALLS} calls at once with final p95 ≤ {FINAL_P95_MS / 1000:g} s and first words p95 ≤ "
        f"{FIRST_P95_MS / 1000:g} s | {most} ({tried}) | {met} |\n"
    )
    yield from (f"{rung.calls} calls: {rung.problem}.\n" for rung in results.rungs if rung.problem)


def _words(results: Results) -> Iterator[str]:
    yield "## How soon words come\n"
    yield "In ms; p50 / p95 (most).\n"
    yield (
        "| calls | first words | age of a partial | final after the end of speech | … after the cut | utterances "
        "| partials each | without | held |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for rung in results.rungs:
        cells = [rung.calls, *(_ms(one) for one in (rung.first, rung.age, rung.final, rung.after_cut))]
        each = f"{rung.partials / rung.utterances:.1f}" if rung.utterances else "–"
        without = f"{rung.without_partial / rung.utterances:.0%}" if rung.utterances else "–"
        row = [*cells, rung.utterances, each, without, "yes" if holds(rung) else "**no**"]
        yield f"| {' | '.join(map(str, row))} |"
    yield ""


def _costs(results: Results) -> Iterator[str]:
    yield "## What it costs\n"
    yield "CPU in cores: 1.00 is one core that does nothing else.\n"
    if results.bare:
        yield _beside(results)
    yield (
        "| calls | transcription | of bare, a call | broker | player | reader | inputs a batch | batches/s "
        "| ms a batch | degraded | drained in s | player late ms |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    bare = results.bare_cores_a_call
    for rung in results.rungs:
        cores = rung.cores
        row = [
            str(rung.calls),
            f"{cores.transcription:.2f}",
            f"{cores.transcription / rung.calls / bare:.2f} ×" if bare else "–",
            *(f"{used:.2f}" for used in (cores.broker, cores.player, cores.reader)),
            f"{rung.batch_events:.1f}",
            f"{rung.batches_per_s:.1f}",
            f"{rung.handler_ms:.0f}",
            str(rung.degraded),
            f"{rung.drained_s:.1f}",
            f"{rung.player_late_ms:.0f}",
        ]
        yield f"| {' | '.join(row)} |"
    yield ""


def _beside(results: Results) -> str:
    runs = " and ".join(f"{one.wall_s:.1f} s ({one.cpu_s:.1f} s of CPU)" for one in results.bare)
    return (
        f"**Beside it**, in the same run, before the first live call and after the last: bare faster-whisper, "
        f"`transcribe` as it comes with all threads, took {runs} for the words of {results.bare[0].calls_s:.0f} s of "
        f"these calls, cut at the truth, once: {results.bare_cores_a_call:.3f} cores for each call that goes on. *Of "
        "bare* is what a live call costs against that, with finding the words, all its partials, the times of words, "
        "and Kafka.\n"
    )


def _how(results: Results) -> Iterator[str]:
    yield "## How it was measured\n"
    yield (
        "- The player notes when it publishes each chunk, which is when the chunk's last sample is spoken; so the time "
        "at which any sample was spoken is known. A `read_committed` reader notes when each event arrives.\n"
        "- **First words**: from the onset of speech to the first partial; to the final where none came before it "
        "(*without*), so that thinned-out partials make this figure worse, not better.\n"
        "- **Age of a partial**: from the newest sample that it has heard until it is there.\n"
        f"- **Final after the end of speech** holds the {CUT_AFTER_MS / 1000:g} s of silence that must pass before an "
        "utterance is cut; **after the cut** is from the end of that silence on. Both hold the rest of a chunk, 125 ms "
        "on average. Speech that is cut for its length needs no silence, so its time after the cut can be below 0.\n"
        f"- Every number of calls begins with {SETTLES_S:g} s that do not count. What counts are the utterances whose "
        f"speech ended in the {results.seconds:g} s after that, however late they came: calls are then ended, and all "
        "their words awaited.\n"
        "- Batches are of inputs: chunks of all calls that were taken together.\n"
        "- **Degraded**: events, partials among them, that say that something was left out."
    )


def _ms(its: Percentiles | None) -> str:
    return f"{its.p50:,.0f} / {its.p95:,.0f} ({its.most:,.0f})" if its else "–"
