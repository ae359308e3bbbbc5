"""The page's plot, as SVG."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.live.ladder import FINAL_P95_MS, FIRST_P95_MS
from tests.bench.live.results import Results, Rung

_FIRST, _FINAL, _AGE = "#2b59c3", "#d36135", "#4c9f70"


def draw(results: Results, file: Path) -> Path:
    """Latencies and CPU by the number of calls."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": file.stem}
    mpl.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    _latencies(left, results.rungs)
    _cores(right, results.rungs, results.machine.cores)
    figure.savefig(file, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return file


def _latencies(ax: Any, rungs: Sequence[Rung]) -> None:
    calls = [rung.calls for rung in rungs]
    lines: list[tuple[str, str, Callable[[Rung], Any]]] = [
        ("final after the end of speech", _FINAL, lambda rung: rung.final),
        ("first words after the onset", _FIRST, lambda rung: rung.first),
        ("age of a partial", _AGE, lambda rung: rung.age),
    ]
    for label, colour, of in lines:
        there = [(rung.calls, found) for rung in rungs if (found := of(rung)) is not None]
        ax.plot(
            [n for n, _ in there], [f.p95 / 1000 for _, f in there], marker="o", color=colour, label=f"{label}, p95"
        )
        ax.plot([n for n, _ in there], [f.p50 / 1000 for _, f in there], linestyle=":", color=colour)
    for limit_ms, colour in ((FINAL_P95_MS, _FINAL), (FIRST_P95_MS, _FIRST)):
        ax.axhline(limit_ms / 1000, color=colour, linewidth=0.6, linestyle="--")
    most = 2 * FINAL_P95_MS / 1000
    ax.set(title="p95, and p50 dotted", xlabel="calls at once", ylabel="s", xticks=calls, ylim=(0, most))
    ax.legend(frameon=False, fontsize=7)


def _cores(ax: Any, rungs: Sequence[Rung], cores: int) -> None:
    calls = [rung.calls for rung in rungs]
    for name, colour in (("transcription", _FIRST), ("broker", _FINAL), ("player", "#8c8c8c"), ("reader", "#c9c9c9")):
        ax.plot(calls, [getattr(rung.cores, name) for rung in rungs], marker="o", color=colour, label=name)
    ax.axhline(cores, color="#bbbbbb", linewidth=0.6, linestyle="--")
    ax.set(title="CPU", xlabel="calls at once", ylabel="cores", xticks=calls, ylim=(0, None))
    ax.legend(frameon=False, fontsize=7)
