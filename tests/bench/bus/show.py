"""What is seen of a run while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Show:
    """Use as a context manager. `quiet` says nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(quiet=quiet, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, disable=quiet, transient=True)

    def __enter__(self) -> "Show":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def line(self, text: str) -> None:
        self._progress.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """Something that takes a while; call what it yields with how much of `total` is done."""
        task = self._progress.add_task(title, total=total)
        try:
            yield lambda done: self._progress.update(task, completed=done)
        finally:
            self._progress.remove_task(task)
