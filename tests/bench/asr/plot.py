"""The page's plot, as SVG."""
# ruff: noqa: RUF001 -- the multiplication sign is meant

from pathlib import Path

from tests.bench.asr import contestants as c
from tests.bench.asr.results import TRUTH, Results

_COLOURS = {"ours": "#2b59c3", "bare": "#8c8c8c", "batched": "#d36135"}


def draw(results: Results, file: Path) -> Path:
    """Throughput beside word error rate, of the utterances cut at the truth."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": file.stem}
    mpl.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), sharey=True, layout="constrained")
    there = [one for one in reversed(c.ALL.values()) if results.of(one.key, TRUTH)]
    base = results.wall_s(c.BARE.key)
    for row, one in enumerate(there):
        wall, wer = results.wall_s(one.key), results.wer(one.key)
        if base and wall and wer:
            ratios = base.median / wall.median, base.median / wall.most, base.median / wall.least
            reach = [[ratios[0] - ratios[1]], [ratios[2] - ratios[0]]]
            left.barh(row, ratios[0], xerr=reach, color=_COLOURS[one.way])
            right.barh(row, wer.median * 100, color=_COLOURS[one.way])
    left.set_yticks(range(len(there)), [one.title for one in there])
    left.set(title="throughput", xlabel=f"× {c.BARE.title}")
    right.set(title="word error rate", xlabel="%")
    figure.savefig(file, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return file
