"""What `callbus reanalyse` shows: tables for the terminal, and the page. Quotes nothing of a call."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from callbus.cli.lines import moment, safe
from callbus.cli.shell import wide_console
from callbus.reanalyse.aspects import Said
from callbus.reanalyse.form import Report

NONE = "—"
Row = tuple[str, ...]
ASPECTS = ("judged", "calls", "changed", "mean score change")
BECAME = ("judged", "live", "now", "calls")
CALLS = ("call", "what changed")


def print_report(report: Report) -> None:
    """All of it on stdout; a table without rows is left out."""
    console = wide_console()
    print(headline(report))
    for line in (*versions(report), *remarks(report)):
        print(f"  {line}")
    for title, head, rows in _tables(report):
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0), show_edge=False)
        for name in head:
            table.add_column(
                name, justify="right" if name in ("calls", "mean score change") else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(safe(cell) for cell in row))
        console.print(table)


def _tables(report: Report) -> Iterator[tuple[str, Row, list[Row]]]:
    """Those with something in them."""
    for title, head, rows in (
        ("What changed", ASPECTS, aspects(report)),
        ("What became what", BECAME, became(report)),
        ("Calls", CALLS, calls(report)),
    ):
        if filled := list(rows):
            yield title, head, filled


def aspects(report: Report) -> Iterator[Row]:
    for one in report.difference.aspects:
        change = NONE if one.mean_score_change is None else f"{one.mean_score_change:+.3f}"
        yield one.name, str(one.calls), f"{one.changed} ({_share(one.changed, one.calls)})", change


def became(report: Report) -> Iterator[Row]:
    """What became what; what stayed as it was is counted above."""
    for one in report.difference.aspects if report.counted else ():
        for (before, after), count in sorted(one.from_to.items(), key=lambda item: (-item[1], item[0])):
            if before != after:
                yield one.name, before, after, str(count)


def calls(report: Report) -> Iterator[Row]:
    for call_id, changes in report.difference.changed.items():
        if report.counted:
            yield call_id, "; ".join(f"{one.aspect} {_said(one.before)} → {_said(one.after)}" for one in changes)
        else:
            yield call_id, ", ".join(one.aspect for one in changes)


def headline(report: Report) -> str:
    course, found = report.course, report.difference
    part = " so far" if course.stopped else ""
    return (
        f"{report.stage} since {moment(report.since_ms)}: {found.calls} of {course.found} calls compared{part}, "
        f"{len(found.changed)} changed ({_share(len(found.changed), found.calls)}); {course.duration_s:.0f} s, "
        f"{course.judging_s:.0f} s of them judging"
    )


def remarks(report: Report) -> Iterator[str]:
    """What is not in the figures, and why: a line each."""
    course = report.course
    for topic, before_ms in course.forgotten_before_ms.items():
        yield f"{topic} keeps nothing from before {moment(before_ms)}: the period begins earlier"
    for count, what in (
        (len(course.gone), "deleted or forgotten since, so that what was said is no longer on the topic"),
        (course.begun_before, "begun before the period, so that their beginning is not in it"),
        (len(course.running), "not over yet"),
        (len(course.not_judged_live), "without a live judgement of the same words on the topic: forgotten, or to come"),
        (len(course.refused), f"could not be judged now ({', '.join(sorted(set(course.refused.values())))})"),
        (course.from_kept, "compared by an earlier run"),
    ):
        if count:
            yield f"{what}: {count} call{'s' if count > 1 else ''}"
    if course.unreadable:
        yield f"no event, and passed over: {course.unreadable} records"


def versions(report: Report) -> Iterator[str]:
    """What was tried, and what made the judgements."""
    course = report.course
    yield f"tried: {', '.join(f'{name}={value}' for name, value in report.tried.items()) or 'the graph as it is'}"
    for what, known in (("live", course.live_versions), ("now", course.new_versions)):
        yield f"{what}: {', '.join(sorted(f'{model} {version}' for model, version in known)) or NONE}"


def page(report: Report) -> str:
    """The report as Markdown."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    yield f"# Re-analysis of {report.stage}\n"
    yield f"{headline(report)}.\n"
    yield from (f"- {line}" for line in (*versions(report), *remarks(report)))
    for title, head, rows in _tables(report):
        yield f"\n## {title}\n"
        yield from _table(head, rows)


def _table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _said(said: Said) -> str:
    return said.label if said.score is None else f"{said.label} {said.score:.0%}"


def _share(count: int, of: int) -> str:
    return f"{count / of:.0%}" if of else NONE
