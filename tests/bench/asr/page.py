"""docs/bench-asr.md, from the results of a run."""
# ruff: noqa: RUF001 -- the multiplication sign and the dash in an empty cell are meant

from collections.abc import Iterator
from pathlib import Path

from consumers.transcription.decoding import SPARE_FRAMES
from consumers.transcription.recognizer import BATCH, STEP_FRAMES
from tests.bench.asr import contestants as c
from tests.bench.asr import plot
from tests.bench.asr.results import SEGMENTER, TRUTH, Results
from tests.bench.asr.targets import cpu_times, times, verdicts
from tests.bench.bus.figures import Spread
from tests.bench.written import written

NAME = "bench-asr"
_BUSY = 0.7  # load average
_NOTES = Path(__file__).parent / "notes.md"  # what was tried, written by hand

_HEAD = """\
# What recognition costs

Written by `make bench-asr`, in one run, with the same model and as many threads for each, on the same utterances: the
turns of the sample calls.

- **callbus**: our recogniser as transcription uses it. All utterances in one call, and each with its words' times.
- **transcribe**: faster-whisper's `WhisperModel.transcribe`, one utterance a call.
- **batched**: faster-whisper's `BatchedInferencePipeline`, all utterances in one call, as the `clip_timestamps` of one
  audio.

*As it comes* is with faster-whisper's own settings; *our beam* with the beam that we use. These give no words' times,
which is less work than ours; *words* asks for them too. *Side by side* is several calls of `transcribe` at once, with
a thread each, as our recogniser runs its batches.
"""

_TITLES = {TRUTH: "Cut at the truth", SEGMENTER: "Cut by our segmentation"}


def write(results: Results, folder: Path) -> Path:
    """The page, its plot and the figures as JSON, into this folder. The page's file."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plot.draw(results, folder / f"{NAME}.svg")
    return written(folder, NAME, results, _page(results, drawn.name))


def _page(results: Results, drawn: str) -> Iterator[str]:
    yield _HEAD
    if results.quick:
        yield "**A smoke run (`--quick`): its figures say nothing.**\n"
    yield _machine(results)
    yield "## To reach\n"
    yield "| target | found | |\n|---|---|---|"
    yield from (f"| {v.target} | {v.found} | {'met' if v.met else '**not met**'} |" for v in verdicts(results))
    yield ""
    yield f"![throughput and word error rate]({drawn})\n"
    for cut in (TRUTH, SEGMENTER):
        yield from _table(results, cut)
    yield from _shares(results)
    yield from _how(results)
    if _NOTES.exists():
        yield _NOTES.read_text()


def _machine(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    load = f"{machine.load_before:.1f} before it began, {results.load_after:.1f} at its end"
    busy = " **The machine was busy: the ratios by CPU time say more.**" if machine.load_before > _BUSY else ""
    return (
        f"{machine.cores} cores ({machine.cpu}), {machine.memory_gb:.0f} GB, {machine.system}, "
        f"Python {machine.python}, {versions}; "
        f"{results.model}, {results.compute_type} on {results.device}, {results.threads} threads; "
        f"{results.took_s / 60:.1f} minutes. Load average {load} (the run itself is {results.threads} of it).{busy}\n"
    )


def _table(results: Results, cut: str) -> Iterator[str]:
    audio = next(one for one in results.audio if one.cut == cut)
    yield f"## {_TITLES[cut]}\n"
    yield (
        f"{audio.utterances} utterances, {audio.seconds:.0f} s of audio, the longest {audio.longest_s:.1f} s; "
        f"{results.words} words.\n"
    )
    yield "| | audio s per s | ours is × as fast | × by CPU time | s | CPU s | word error rate |"
    yield "|---|---|---|---|---|---|---|"
    for one in c.ALL.values():
        wall, cpu, wer = results.wall_s(one.key, cut), results.cpu_s(one.key, cut), results.wer(one.key, cut)
        if not (wall and cpu and wer):
            continue
        ratios = " | ".join(
            "–" if r is None else f"{r:.2f}" for r in (times(results, one, cut), cpu_times(results, one, cut))
        )
        yield (
            f"| {one.title} | {audio.seconds / wall.median:.1f} | {ratios} | {_spread(wall)} | {_spread(cpu)} "
            f"| {_percent(wer)} |"
        )
    yield ""


def _shares(results: Results) -> Iterator[str]:
    if results.shares:
        yield "## Where our time goes\n"
        yield f"| {' | '.join(results.shares)} |"
        yield "|---" * len(results.shares) + "|"
        yield f"| {' | '.join(f'{share:.0%}' for share in results.shares.values())} |\n"


def _how(results: Results) -> Iterator[str]:
    yield "## How it was measured\n"
    yield (
        "- Every contestant begins with the same int16 samples at 8 kHz, cut already, and resamples them to 16 kHz in "
        "the same way (soxr). Cutting is not in the time of any.\n"
        f"- {results.rounds} rounds in which all take turns (ours twice in each, for it is short); medians, and "
        "in brackets the least and the most. Side by side ran once, and what is cut by our segmentation, there with "
        "words at our beam. "
        "The first utterance warms each up.\n"
        f"- Ours: beam {c.BEAM}, batches of {BATCH} of like length, {results.threads} of them side by side with "
        f"a thread each, encoder windows of the utterance and "
        f"{SPARE_FRAMES / 100:g} s to spare in steps of {STEP_FRAMES / 100:g} s, one redo at 30 s where the text looks "
        "like a loop, no sampling."
    )
    for one in c.ALL.values():
        if one.way != "ours":
            threads = "1 thread each" if one.side_by_side else f"{results.threads} threads"
            settings = ", ".join(f"`{key}={value}`" for key, value in one.settings) or "no settings"
            yield f"- {one.title}: {settings}; {threads}."
    yield (
        "- faster-whisper's own settings are beam 5; `transcribe` decodes again at temperatures up to 1 where it "
        "doubts the text, batched never does. Both see 30 s at a time, whatever the length of the utterance.\n"
        "- The word error rate is jiwer's, over the words of each channel in order of time. All texts and the truth "
        "are normalised alike: lower case, no punctuation, small numbers as words, longer ones digit by digit."
    )


def _spread(its: Spread) -> str:
    return f"{its.median:.2f}" if its.count == 1 else f"{its.median:.2f} ({its.least:.2f}–{its.most:.2f})"


def _percent(its: Spread) -> str:
    return f"{its.median:.2%}" if its.least == its.most else f"{its.median:.2%} ({its.least:.2%}–{its.most:.2%})"
