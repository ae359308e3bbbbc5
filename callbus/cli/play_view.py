"""A bar per call on stderr while calls are played; nothing where stderr is no terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Drawing

from callbus.cli.lines import clock
from producers.player import Progress


class Bars:
    """The bars. With `many` calls those that have ended make room."""

    def __init__(self, *, many: bool) -> None:
        self._many = many
        self._tasks: dict[str, TaskID] = {}
        console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"))
        self._drawing = Drawing(*columns, console=console, disable=not console.is_terminal)

    def show(self, progress: Progress) -> None:
        """A call has come further, or has ended."""
        task = self._tasks.get(progress.call_id)
        if task is None:
            task = self._tasks[progress.call_id] = self._drawing.add_task(escape(progress.path.name), at="")
        ended = progress.done or progress.cut or progress.error is not None
        self._drawing.update(
            task,
            completed=progress.duration_ms if progress.done else progress.position_ms,
            total=progress.duration_ms or 1,
            at=_at(progress),
            visible=not (ended and self._many),
        )

    def __enter__(self) -> Self:
        self._drawing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drawing.stop()


def _at(progress: Progress) -> str:
    if progress.error:
        return "[red]can't be used[/]"
    place = f"{clock(progress.position_ms)} / {clock(progress.duration_ms)}"
    return f"{place} [yellow]cut off[/]" if progress.cut else place
