"""The measures as a Markdown page. The same calls and models give the same page: it names no date and no machine."""

from collections.abc import Iterable, Iterator, Sequence

from callbus.evaluate import tables, trial
from callbus.evaluate.measures import Evaluation
from callbus.evaluate.tables import Row

_HEAD = """# How good the consumers are

Every call went through the real consumers of the graph, without Kafka: audio as live chunks, written turns as what was
said. Its outcome is compared with what is true of it. A measure counts only calls that have truth for it; what exactly
each one compares stands at the top of its file in `callbus/evaluate/`. `callbus evaluate FOLDER --report FILE` makes
this page.

A call is expected to be left undetermined where its truth has a main and a sub-category that are both null; a key that
is missing is no truth. A false alarm is a call without danger in which any alert was raised, withdrawn later or not. A
written call without times is not measured by what needs them: interruptions, and holds.
"""


def page(evaluation: Evaluation, tried: Evaluation | None = None) -> str:
    """The page, whole; `tried` is the same calls with other heads."""
    return "\n".join(_lines(evaluation, tried))


def _lines(evaluation: Evaluation, tried: Evaluation | None) -> Iterator[str]:
    calls = evaluation.calls
    sound = sum(call.is_audio for call in calls)
    yield _HEAD
    yield f"Calls: {len(calls)}; {sound} of audio, {len(calls) - sound} of text."
    if evaluation.not_measured:
        yield f"\nNot measured: {', '.join(evaluation.not_measured)}."
    yield from _section("Models", ("stage", "model", "version"), evaluation.models)
    if tried is not None:
        for title, head, rows in trial.sections(evaluation, tried):
            yield from _section(title, head, rows)
    yield from _section("Measures", tables.SUMMARY, tables.summary(evaluation))
    yield from _section("Entities, per label", tables.PER_LABEL, tables.per_label(evaluation))
    yield from _section("Personal particulars in clear, per label", tables.LEAKS, tables.leaks(evaluation))
    yield from _section(
        "Quality of the counsellor, per criterion", tables.PER_CRITERION, tables.per_criterion(evaluation)
    )
    yield from _section("Calibration of the main category", tables.BINS, tables.bins(evaluation))
    yield from _section("Main category: what was said of which truth", *_confusion(evaluation))
    yield from _section("Mistakes, call by call", tables.MISTAKES, tables.mistakes(evaluation))
    yield ""


def _confusion(evaluation: Evaluation) -> tuple[Row, list[Row]]:
    counts = evaluation.labels.main.confusion
    said = sorted({label for _, label in counts})
    rows = [
        (true, *(str(counts.get((true, label), "")) for label in said)) for true in sorted({true for true, _ in counts})
    ]
    return ("truth", *said), rows


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    filled = list(rows)
    yield f"\n## {title}\n"
    if not filled:
        yield "Nothing."
        return
    for cells in (head, ["---"] * len(head), *filled):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
