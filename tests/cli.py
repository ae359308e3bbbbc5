"""The command line as a test calls it: here where it is quick, as a process of its own where signals count."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from typer.testing import CliRunner, Result

from callbus.cli import app

ROOT = Path(__file__).parents[1]
TOPOLOGY = ROOT / "topology.yaml"
SAMPLES = ROOT / "samples"


def callbus(*arguments: str | Path) -> Result:
    """Run `callbus` here; what it set up for its logs is undone."""
    with _logs_restored():
        return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="callbus")


def started(*arguments: str | Path, first: str = "") -> "subprocess.Popen[str]":
    """Start `callbus` as a process of its own, in the project's folder. Ending it is the caller's part.

    `first`: Python that it runs before anything else.
    """
    how = ("-c", f"{first}\nfrom callbus.cli import main; main()") if first else ("-m", "callbus")
    command = [sys.executable, *how, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def _logs_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
        logging.getLogger("aiokafka").setLevel(logging.NOTSET)
        structlog.reset_defaults()
