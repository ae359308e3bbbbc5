"""How a command ends: errors as one line on stderr with their exit code, pipes that close, Ctrl-C."""

import contextlib
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from callbus.errors import CallbusError, InputError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

UNEXPECTED = 70  # EX_SOFTWARE of sysexits(3)
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_WIDTH_OFF_A_TERMINAL = 160


class Commands(TyperGroup):
    """The root of the command line: what a command raises becomes a line and an exit code here, and nowhere else."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """As click's, but with this project's errors."""
        try:
            code = super().main(*args, **settings | {"standalone_mode": False})
        except CallbusError as problem:
            say_error(str(problem))
            code = problem.exit_code
        except typer.TyperException as problem:
            code = _wrong_usage(problem)
        except typer.Abort:
            say_error("nothing was done")
            code = 1
        except Exception as problem:
            _log_trace(problem)
            said = f"{type(problem).__name__}: {problem}".strip().splitlines()[0]
            say_error(f"unexpected {said}; this is a fault in callbus, the log above has the trace")
            code = UNEXPECTED
        _leave(code or 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. A reader that has had enough (`| head`) ends it in peace."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # or Python complains when it flushes at exit
            raise typer.Exit(0) from None


def say(text: str) -> None:
    """Something for the person, not for the pipe: a line on stderr."""
    print(f"callbus: {text}", file=sys.stderr, flush=True)


def say_error(message: str) -> None:
    """What was wrong, where, and what to do; further lines of a message stand indented under the first."""
    say("error: " + "\n  ".join(message.strip().splitlines()))


def print_json(data: object, *, lines: bool = False) -> None:
    """Plain data on stdout: one document, laid out; or with `lines` one line of a stream."""
    print(json.dumps(data, ensure_ascii=False, indent=None if lines else 2), flush=True)


def write_page(path: "Path", text: str) -> None:
    """A report into a file. InputError where that can't be."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: can't be written ({error.strerror}); name a file in a folder that is there"
        ) from error


def wide_console() -> "Console":
    """Stdout for tables: as wide as the terminal, and wide enough in a pipe or a file."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_OFF_A_TERMINAL)
    return console


def quiet() -> None:
    """For commands a person types: our warnings on stderr, and nothing of what the Kafka client says to itself."""
    from callbus import logs

    logs.configure("WARNING")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def two_signals(said: str) -> "Iterator[asyncio.Event]":
    """Set by the first SIGINT or SIGTERM, to finish what is in hand; `said` tells so. The second one aborts."""
    import asyncio
    import signal

    loop, task, stopping = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def received() -> None:
        if stopping.is_set() and task:
            task.cancel()
        elif not stopping.is_set():
            say(f"{said}; once more to leave at once")
            stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, received)
    try:
        yield stopping
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _leave(code: int) -> NoReturn:
    """End the process; at once, where a call of a model is under way that nobody waits for any more."""
    if (threads := sys.modules.get("callbus.model_threads")) and threads.at_work():
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _wrong_usage(problem: typer.TyperException) -> int:
    if type(problem).__name__ == "NoArgsIsHelpError":  # its message is the help, which stands there already
        return 0
    context = getattr(problem, "ctx", None)
    message = problem.format_message().rstrip(".")
    if context:
        message += f"{'' if message.endswith('?') else ';'} see `{context.command_path} --help`"
    say_error(message)
    return problem.exit_code


def _log_trace(problem: Exception) -> None:
    import structlog

    if not structlog.is_configured():
        quiet()
    with contextlib.suppress(ValueError):  # stderr is closed
        structlog.get_logger("callbus").error("unexpected", exc_info=problem)
