"""Where a process is: `kill -USR1` makes it say so on stderr, its threads and its tasks. And when it is to end."""

import asyncio
import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.process import BaseProcess


def on_signal() -> None:
    """Say it at every SIGUSR1 from now on."""
    signal.signal(signal.SIGUSR1, lambda *_: say())


def end_with_the_run() -> None:
    """Leave at once when the run's own process is gone: the forkserver, our parent, lives as long as we do."""
    if run := multiprocessing.parent_process():
        threading.Thread(target=_leave_after, args=(run,), daemon=True).start()


def _leave_after(run: BaseProcess) -> None:
    run.join()
    os._exit(1)


def say() -> None:
    """Every thread's stack, and every task's where a loop runs in this thread."""
    faulthandler.dump_traceback()
    with contextlib.suppress(RuntimeError):
        for task in asyncio.all_tasks():
            task.print_stack()
    sys.stderr.flush()
