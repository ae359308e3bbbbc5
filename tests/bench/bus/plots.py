"""The page's plots, as SVG."""
# ruff: noqa: RUF001 -- the multiplication sign is meant

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.bus import contestants as c
from tests.bench.bus.results import Results
from tests.bench.bus.scale import LANES
from tests.bench.bus.targets import latency, per_s

_COLOURS = {c.BARE: "#8c8c8c", c.AT_LEAST_ONCE: "#4c9f70", c.EXACTLY_ONCE: "#2b59c3", c.FAUST: "#d36135"}
_KINDS = (("speech", "~1 KB of speech"), ("chunk", "8 KB of audio"))


def draw(results: Results, folder: Path, name: str) -> list[str]:
    """One picture for each part that was run; their file names."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": name, "axes.spines.top": False, "axes.spines.right": False}
    drawn = []
    pictures: dict[str, tuple[bool, Callable[[Results, Any], None], int]] = {
        "throughput": (bool(results.drained), _throughput, len(_KINDS)),
        "latency": (bool(results.latencies), _latency, 2),
        "workers": (bool(results.scaled), _workers, 1),
        "memory": (results.memory is not None, _memory, 1),
    }
    for what, (there, picture, width) in pictures.items():
        if there:
            figure, axes = plt.subplots(1, width, figsize=(5.5 * width, 3.6), squeeze=False, layout="constrained")
            picture(results, axes[0])
            file = f"{name}-{what}.svg"
            figure.savefig(folder / file, metadata={"Date": None, "Creator": None})
            plt.close(figure)
            drawn.append(file)
    return drawn


def _throughput(results: Results, axes: Sequence[Any]) -> None:
    for ax, (kind, title) in zip(axes, _KINDS, strict=True):
        lanes = sorted({d.lanes for d in results.drained if d.kind == kind})
        for one, colour in _COLOURS.items():
            its = [(n, pace) for n in lanes if (pace := per_s(results, one, kind, n))]
            if its:
                ax.plot([n for n, _ in its], [p.median for _, p in its], marker="o", color=colour, label=one.title)
        ax.set(title=title, xlabel="lanes", ylabel="events/s", xticks=lanes, ylim=(0, None))
    axes[0].legend(frameon=False)


def _latency(results: Results, axes: Sequence[Any]) -> None:
    for ax, hops in zip(axes, (1, 4), strict=True):
        places = [(one, load) for load in ("low", "half") for one in _COLOURS if latency(results, one, hops, load)]
        for at, (one, load) in enumerate(places):
            if its := latency(results, one, hops, load):
                ax.plot([at, at], [its.ms.p50, its.ms.p99], color=_COLOURS[one], linewidth=5, solid_capstyle="butt")
                ax.plot([at - 0.25, at + 0.25], [its.ms.p95] * 2, color=_COLOURS[one], linewidth=2)
        names = [f"{one.title.removeprefix('callbus, ')}\n{load} load" for one, load in places]
        ax.set_xticks(range(len(places)), names, rotation=45, ha="right", fontsize=7)
        ax.set(title=f"{hops} hop{'s' * (hops > 1)}: p50 to p99, p95 across", ylabel="ms", yscale="log")


def _workers(results: Results, axes: Sequence[Any]) -> None:
    [ax] = axes
    base = results.scaled[0].per_s / results.scaled[0].workers
    workers = [one.workers for one in results.scaled]
    ax.plot(workers, workers, color="#bbbbbb", linestyle="--", label="linear")
    ax.plot(workers, [one.per_s / base for one in results.scaled], marker="o", color="#2b59c3", label="measured")
    ax.set(
        title=f"workers with a simulated GPU, {LANES} lanes", xlabel="workers", ylabel="× one worker", xticks=workers
    )
    ax.legend(frameon=False)


def _memory(results: Results, axes: Sequence[Any]) -> None:
    [ax] = axes
    curve = results.memory.curve if results.memory else []
    ax.plot([events / 1000 for events, _ in curve], [mb for _, mb in curve], color="#2b59c3")
    ax.set(title="memory of one exactly-once worker", xlabel="thousand events", ylabel="MB", ylim=(0, None))
