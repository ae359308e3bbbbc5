"""What recognition is to reach, and whether it did. Pure."""
# ruff: noqa: RUF001 -- the multiplication sign is meant

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.asr import contestants as c
from tests.bench.asr.results import SEGMENTER, TRUTH, Results

BARE_TIMES, BATCHED_TIMES = 3.0, 1.5
_RATIOS = (
    (c.BARE, BARE_TIMES),
    (c.BARE_BEAM, BARE_TIMES),
    (c.BATCHED, BATCHED_TIMES),
    (c.BATCHED_BEAM, BATCHED_TIMES),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, the figure beside it, and whether it is met."""

    target: str
    found: str
    met: bool


def times(results: Results, other: c.Contestant, cut: str = TRUTH) -> float | None:
    """How many times as fast as another contestant we are, by medians of the wall clock."""
    ours, its = results.wall_s(c.OURS.key, cut), results.wall_s(other.key, cut)
    return its.median / ours.median if ours and its else None


def cpu_times(results: Results, other: c.Contestant, cut: str = TRUTH) -> float | None:
    """The same by CPU time, which a busy machine disturbs less."""
    ours, its = results.cpu_s(c.OURS.key, cut), results.cpu_s(other.key, cut)
    return its.median / ours.median if ours and its else None


def verdicts(results: Results) -> list[Verdict]:
    """One for each target that was measured."""
    return [*_speed(results), *_errors(results)]


def _speed(results: Results) -> Iterator[Verdict]:
    for other, least in _RATIOS:
        ratio, cpu = times(results, other), cpu_times(results, other)
        if ratio is not None and cpu is not None:
            yield Verdict(f"≥ {least:g} × {other.title}", f"{ratio:.2f} × ({cpu:.2f} × by CPU time)", ratio >= least)


def _errors(results: Results) -> Iterator[Verdict]:
    """Beside the best of those with our beam, and beside the best of all."""
    same_beam = [c.BARE_BEAM, c.BARE_SIDE, c.BATCHED_BEAM, c.BARE_WORDS, c.BATCHED_WORDS]
    for cut, said in ((TRUTH, "cut at the truth"), (SEGMENTER, "cut by our segmentation")):
        ours = results.wer(c.OURS.key, cut)
        for others, which in ((same_beam, "with our beam"), ([*same_beam, c.BARE, c.BATCHED], "as it comes")):
            found = [(one, its) for one in others if (its := results.wer(one.key, cut))]
            if ours and found:
                best, its = min(found, key=lambda pair: pair[1].median)
                missed = round((ours.median - its.median) * results.words)
                more = f"{abs(missed)} words {'more' if missed > 0 else 'fewer'}" if missed else "as many words"
                yield Verdict(
                    f"word error rate no worse than faster-whisper's best {which}, {said}",
                    f"{ours.median:.2%} to {its.median:.2%} ({best.title}): {more} of {results.words}",
                    missed <= 0,
                )
