"""What a run says while it goes: a line per fault, and a bar with the tally."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos.schedule import Step

_VERBS = {
    "start": "started",
    "kill": "kill -9",
    "term": "SIGTERM",
    "freeze": "SIGSTOP",
    "thaw": "SIGCONT",
    "broker-kill": "kill -9",
    "broker-start": "started",
    "grow": "grow",
    "replay": "replay",
    "operator-kill": "kill -9",
}


class Show:
    """Use as a context manager. `quiet` says nothing."""

    def __init__(self, kills: int, quiet: bool = False) -> None:
        self._console = Console(quiet=quiet, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, disable=quiet)
        self._task = self._progress.add_task("starting", total=max(1, kills))
        self._faults = 0

    def __enter__(self) -> "Show":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def line(self, text: str) -> None:
        self._progress.console.print(text, markup=False)

    def act(self, step: Step, pid: int | None) -> None:
        """A step that was carried out; `pid` None: there was no process to do it to."""
        self._faults += step.opens
        number = f"{self._faults:4d}" if step.opens else "    "
        whom = f"{step.slot} ({pid})" if pid else step.slot
        whom += f" to {step.lanes} lanes" if step.lanes else ""
        self.line(f"{number} {step.at_s:7.1f} s  {step.fault:16} {_VERBS[step.verb]:8} {whom}")

    def tally(self, kills: int, published: int, running: int) -> None:
        said = f"{kills} kills, {published} inputs, {running} processes"
        self._progress.update(self._task, completed=kills, description=said)
