"""The leash between a process and its owner, with real processes and no broker."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from callbus.broker import leash

LIMIT_S = 20.0
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)",
]


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def leashed(owner_pid: int, pid: int) -> list[str]:
    return [sys.executable, "-I", leash.__file__, str(owner_pid), str(pid)]


def test_the_process_goes_when_its_owner_is_killed() -> None:
    """kill -9 of the owner, which stays a zombie, is seen, and both the process and the leash end."""
    with running(SLEEP) as owner, running(SLEEP) as jvm, running(leashed(owner.pid, jvm.pid)) as guard:
        owner.kill()
        assert jvm.wait(LIMIT_S) == -15
        assert guard.wait(LIMIT_S) == 0


def test_the_leash_ends_with_the_process_and_leaves_the_owner() -> None:
    """A stopped broker leaves no leash behind, and its owner is not touched."""
    with running(SLEEP) as owner, running(SLEEP) as jvm, running(leashed(owner.pid, jvm.pid)) as guard:
        jvm.kill()
        assert guard.wait(LIMIT_S) == 0
        assert owner.poll() is None


def test_an_owner_that_is_gone_already_counts_as_gone() -> None:
    """An owner killed before the leash looked does not leave the process alone."""
    with running(SLEEP) as owner, running(SLEEP) as jvm:
        owner.kill()
        owner.wait()
        with running(leashed(owner.pid, jvm.pid)) as guard:
            assert jvm.wait(LIMIT_S) == -15
            assert guard.wait(LIMIT_S) == 0


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    """After the grace SIGKILL ends it."""
    with running(STUBBORN) as jvm:
        assert jvm.stdout is not None
        jvm.stdout.readline()
        started = time.monotonic()
        leash.end(psutil.Process(jvm.pid), grace_s=0.2)
        assert jvm.wait(LIMIT_S) == -9
        assert time.monotonic() - started >= 0.2
