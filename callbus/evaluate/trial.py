"""Two evaluations of the same calls side by side: what other heads are worth. Rows of words and figures; pure."""

from collections.abc import Iterable, Iterator

from callbus.evaluate import tables
from callbus.evaluate.measures import CallScore, Evaluation
from callbus.evaluate.tables import Row

MEASURES = ("measure", "as it is", "tried", "over")
CALLS = ("call", "became right", "became wrong")


def measures(before: Evaluation, after: Evaluation) -> Iterator[Row]:
    """The measures that differ, and those of classification and QA in any case."""
    pairs = zip(tables.summary(before), tables.summary(after), strict=True)
    for (name, figure, over), (_, tried, _) in pairs:
        if figure != tried or name.startswith(("main", "sub", "priority", "intervention", "QA")):
            yield name, figure, tried, over


def criteria(before: Evaluation, after: Evaluation) -> Iterator[Row]:
    """The QA criteria of which the accuracy differs."""
    for name, one in before.qa.per_criterion.items():
        other = after.qa.per_criterion[name]
        if one.accuracy != other.accuracy:
            yield f"QA: {name}", tables.share(one.accuracy), tables.share(other.accuracy), str(one.applicable)


def calls(before: Evaluation, after: Evaluation) -> Iterator[Row]:
    """A row per call of which something became right or wrong."""
    tried = {one.call.id: one for one in after.per_call}
    for one in before.per_call:
        was, now = (set(_wrong(each)) for each in (one, tried[one.call.id]))
        if was != now:
            yield one.call.id, _list(was - now), _list(now - was)


def sections(before: Evaluation, after: Evaluation) -> Iterator[tuple[str, Row, list[Row]]]:
    """All of it, for the terminal and for the page."""
    yield "As it is, and tried", MEASURES, [*measures(before, after), *criteria(before, after)]
    yield "What became of the calls", CALLS, list(calls(before, after))


def _wrong(one: CallScore) -> Iterator[str]:
    right = one.right
    for name, hit in (
        ("main", right.main),
        ("sub", right.sub),
        ("sub in top 3", right.sub_top3),
        ("priority", right.priority),
        ("intervention", right.intervention),
        ("alert", one.alert_right),
    ):
        if hit is False:
            yield name
    yield from (f"QA: {name}" for name in one.qa_wrong)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or tables.NONE
