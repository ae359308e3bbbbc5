"""A worker process of the chaos run: callbus.process.run as it is, with the chaos graph's consumers.

What is different from production is said here: each step of a transaction is drawn out now and then, so that a kill
finds it half done; and where the run is to show that the checker sees a broken guarantee, it is broken in breaks.py.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

import consumers
from callbus import logs, process
from callbus.errors import CallbusError
from callbus.kafka import Connection
from callbus.worker import clients
from tests.chaos import breaks, flaky, stacks
from tests.chaos.drawn_out import DrawnOut
from tests.chaos.graph import graph
from tests.chaos.schedule import Slot


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a process is to host, and how."""

    slot: Slot
    brokers: str
    folder: Path  # of the run: schemas and logs
    log: Path
    broken: str = ""  # a name of breaks.BREAKS


def main(assignment: Assignment) -> NoReturn:
    """The whole process. Exits with the error's own code, 1 for one that is not CallbusError."""
    file = os.open(assignment.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ["CALLBUS_OWNER_PID"] = str(os.getppid())
    os.environ[flaky.FOLDER] = str(assignment.folder)
    logs.configure("INFO", json=True)
    stacks.on_signal()
    stacks.end_with_the_run()
    consumers.__path__.append(str(Path(__file__).parent / "consumers"))
    breaks.replace_name(clients, "TransactionalProducer", DrawnOut)
    breaks.apply(assignment.broken)
    log = structlog.get_logger("chaos")
    log.info("process", slot=assignment.slot.name, pid=os.getpid())
    topology, slot = graph(assignment.folder), assignment.slot  # with the lanes of the start, however many there are
    try:
        asyncio.run(process.run(topology, slot.groups, Connection(assignment.brokers), slot.member))
    except CallbusError as problem:
        log.error("exit", error=type(problem).__name__, message=str(problem), code=problem.exit_code)  # noqa: TRY400
        sys.stderr.flush()
        os._exit(problem.exit_code)
    except asyncio.CancelledError:
        os._exit(0)
    except BaseException:
        log.exception("exit", code=1)
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)
