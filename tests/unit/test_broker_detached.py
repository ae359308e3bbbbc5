"""Reading a detached broker's state file when the truth has moved on. No broker runs here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from callbus.broker import status, stop_detached
from callbus.broker.detached import STATE_FILE


def leave_state(data_dir: Path, pid: int, process_started_s: float) -> None:
    state = {
        "pid": pid,
        "process_started_s": process_started_s,
        "port": 29999,
        "started_at": "2026-01-01T00:00:00+00:00",
        "data_dir": str(data_dir),
    }
    (data_dir / STATE_FILE).write_text(json.dumps(state))


def test_nothing_there_is_not_running(tmp_path: Path) -> None:
    """A folder that never held a broker is simply "not running", and asking does not create it."""
    assert not status(tmp_path / "none").running
    assert not stop_detached(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_dead_pid_is_not_running(tmp_path: Path) -> None:
    """After a kill -9 or a power cut the state file is stale: status says so, stop cleans it away."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    leave_state(tmp_path, gone.pid, 0.0)
    assert not status(tmp_path).running
    assert not stop_detached(tmp_path)
    assert not (tmp_path / STATE_FILE).exists()


def test_a_stranger_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    """A pid that was given to another process since is recognised by its start time, and never killed."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        leave_state(tmp_path, stranger.pid, psutil.Process(stranger.pid).create_time() - 3600)
        assert not status(tmp_path).running
        assert not stop_detached(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_same_process_is_recognised(tmp_path: Path) -> None:
    """The counterpart: pid and start time both right is running, though nothing answers at its port."""
    leave_state(tmp_path, os.getpid(), psutil.Process().create_time())
    found = status(tmp_path)
    assert (found.running, found.answering, found.port) == (True, False, 29999)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
def test_an_unreadable_state_file_is_not_running(tmp_path: Path, text: str) -> None:
    """Half a file, or one of another version, is no reason to fail."""
    (tmp_path / STATE_FILE).write_text(text)
    assert not status(tmp_path).running
