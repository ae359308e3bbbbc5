"""The threads that models run in, and how a process ends that has one at work."""

import subprocess
import sys
import threading
import time

import pytest

from callbus.errors import Fenced
from callbus.model_threads import ModelThread, ModelThreads, at_work
from callbus.topology import load
from tests.builders import TOPOLOGY_FILE

GROUP = load(TOPOLOGY_FILE).group("documents")
AT_ONCE_S = 5.0  # a process that waited for its thread would take a minute


def test_one_call_after_the_other() -> None:
    """In their order, in one thread; what a call raises is raised where its result is asked for."""
    thread = ModelThread("one")
    seen: list[tuple[int, str]] = []

    def call(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        if number == 1:
            raise ValueError(number)
        return number

    futures = [thread.submit(call, number) for number in range(3)]
    assert futures[2].result(5) == 2
    with pytest.raises(ValueError, match="1"):
        futures[1].result(5)
    thread.shutdown()
    assert seen == [(number, "model-one") for number in range(3)]
    assert not at_work()


def test_what_is_at_work_is_not_waited_for() -> None:
    """What has not begun is dropped; what has goes on, and is told of until it is over."""
    begun, over = threading.Event(), threading.Event()
    with ModelThreads() as threads:
        thread = threads.of(GROUP)
        assert threads.of(GROUP) is thread
        at = thread.submit(lambda: (begun.set(), over.wait(30)))
        later = thread.submit(int)
        assert begun.wait(5)
        left_s = time.monotonic()
    assert time.monotonic() - left_s < AT_ONCE_S
    assert (at.done(), later.cancelled(), at_work()) == (False, True, True)
    over.set()
    at.result(5)
    while at_work():
        time.sleep(0.01)


HANGS = """
import asyncio, time, typer
from callbus.cli.shell import Commands
from callbus.errors import Fenced
from callbus.model_threads import ModelThreads
from tests.unit.test_model_threads import GROUP

app = typer.Typer(cls=Commands)

@app.command()
def run():
    async def hang():
        with ModelThreads() as threads:
            task = asyncio.get_running_loop().run_in_executor(threads.of(GROUP), time.sleep, 60)
            await asyncio.wait({task}, timeout=0.1)
            raise Fenced("somebody else works here")
    asyncio.run(hang())

@app.command()
def other(): ...

app(["run"])
"""


def test_a_process_ends_though_a_model_hangs() -> None:
    """With the exit code and the line of what ended it."""
    began_s = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=False)
    assert time.monotonic() - began_s < 3 * AT_ONCE_S
    assert (ended.returncode, ended.stderr) == (Fenced.exit_code, "callbus: error: somebody else works here\n")
