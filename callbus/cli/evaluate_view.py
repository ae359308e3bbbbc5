"""What `callbus evaluate` shows: a bar on stderr while it works, then its tables."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from callbus.cli.lines import safe
from callbus.cli.shell import wide_console
from callbus.evaluate import tables, trial
from callbus.evaluate.measures import Evaluation


@contextmanager
def bar() -> Iterator[Callable[[str, int, int], None]]:
    """How far it is: what is being done, how much of it is done, of how much. Nothing where stderr is no terminal."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as drawing:
        task = drawing.add_task("reading", total=None)
        yield lambda what, done, total: drawing.update(task, description=what, completed=done, total=total)


def print_evaluation(evaluation: Evaluation) -> None:
    """All of it on stdout; a table without rows is left out."""
    console = wide_console()
    for title, head, rows in (
        (f"{len(evaluation.calls)} calls", tables.SUMMARY, tables.summary(evaluation)),
        ("Entities", tables.PER_LABEL, tables.per_label(evaluation)),
        ("Personal", tables.LEAKS, tables.leaks(evaluation)),
        ("Quality", tables.PER_CRITERION, tables.per_criterion(evaluation)),
        ("Mistakes", tables.MISTAKES, tables.mistakes(evaluation)),
    ):
        if filled := list(rows):
            console.print(_table(title, head, filled))


def print_trial(before: Evaluation, after: Evaluation) -> None:
    """Both side by side, on stdout."""
    console = wide_console()
    for title, head, rows in trial.sections(before, after):
        console.print(_table(title, head, rows))


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0), show_edge=False)
    figures = () if head in (tables.SUMMARY, tables.MISTAKES, trial.CALLS) else head[1:]
    for name in head:
        table.add_column(name, justify="right" if name in figures else "left", overflow="fold")
    for row in rows:
        table.add_row(*(safe(cell) for cell in row))
    return table
