"""Where a process is: `kill -USR1` makes it say so on stderr, its threads and its asyncio tasks."""

import asyncio
import contextlib
import faulthandler
import signal
import sys


def on_signal() -> None:
    """Say it at every SIGUSR1 from now on."""
    signal.signal(signal.SIGUSR1, lambda *_: say())


def say() -> None:
    """Every thread's stack, and every task's where a loop runs in this thread."""
    faulthandler.dump_traceback()
    with contextlib.suppress(RuntimeError):
        for task in asyncio.all_tasks():
            task.print_stack()
    sys.stderr.flush()
