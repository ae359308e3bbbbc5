"""What operators do to a run, with the code of `callbus topics apply` and `callbus dlq replay`.

Each in a process of its own, so that it can be killed in the middle; then it does the same again.
"""

import asyncio
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal, NoReturn

from callbus import logs
from callbus.dead_letters.reading import archive
from callbus.errors import CallbusError
from callbus.kafka import Connection
from tests.chaos import stacks
from tests.chaos.flaky import Tries
from tests.chaos.graph import graph

AGAIN_AFTER_S = 1.0  # what failed, because the broker was away
STATELESS_END = "slow"  # the group whose letters are sent back: nobody goes on with what it makes
_MOST_LETTERS = 8

What = Literal["grow", "replay"]


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator is to do. `lanes`: to how many the topics are to grow."""

    what: What
    brokers: str
    folder: Path
    log: Path
    lanes: int = 0


def main(order: Order) -> NoReturn:
    """The whole process."""
    file = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    logs.configure("INFO", json=True)
    stacks.end_with_the_run()
    try:
        {"grow": _grow, "replay": _replay}[order.what](order)
    except CallbusError as problem:
        print(f"{type(problem).__name__}: {problem}", flush=True)
        os._exit(problem.exit_code)
    sys.stdout.flush()
    os._exit(0)


def _grow(order: Order) -> None:
    from callbus.cli import topics as command

    async def apply() -> None:
        topology, connection = graph(order.folder, order.lanes), Connection(order.brokers)
        plan = await command._plan(topology, connection, False)
        plan.accepted()
        if not plan.empty:
            await command._apply(plan, topology, connection)

    asyncio.run(apply())


def _replay(order: Order) -> None:
    """Mend what some letters were given up for, and send them back; some that can't be mended too."""
    from callbus.cli.dlq_work import Desk
    from callbus.codec import codec_of
    from callbus.dead_letters.selection import Selection

    topology = graph(order.folder)
    desk = Desk(topology, Connection(order.brokers), codec_of(topology))
    [ledger] = desk.look([STATELESS_END])
    letters = [letter for letter in ledger.letters if letter.open]
    chosen = random.sample(letters, min(_MOST_LETTERS, len(letters)))
    given_up = [letter for letter in chosen if letter.said.message.startswith("given up")]

    async def mend() -> None:
        async with archive(desk.connection, desk.codec) as bytes_of:
            for letter in given_up:
                whole = await bytes_of.whole(ledger.topic, letter)
                Tries(order.folder).mend(desk.codec.decode(whole.topic, whole.value).event_id)

    if given_up:
        asyncio.run(mend())
    if chosen:
        ids = Selection(ids=tuple(letter.id for letter in chosen))
        desk.settle("replayed", [STATELESS_END], ids, every=False, yes=True, dry_run=False, at_once=2, as_json=True)


@dataclass(slots=True)
class _Office:
    """One kind of work: what is to be done, and who is at it."""

    order: Order
    process: ForkServerProcess
    ended_s: float | None = None


class Operators:
    """At most one of each kind of work at a time; what was broken off is done again. `told` hears what failed."""

    def __init__(self, brokers: str, folder: Path, told: Callable[[str], None]) -> None:
        self._brokers = brokers
        self._folder = folder
        self._told = told
        self._context = multiprocessing.get_context("forkserver")
        self._now: dict[What, _Office] = {}
        self._started = 0

    def start(self, what: What, lanes: int = 0) -> int | None:
        """Begin, or begin again; the pid, None if somebody is at it."""
        office = self._now.get(what)
        if office and office.process.is_alive():
            return None
        if office:
            lanes = max(lanes, office.order.lanes)
        self._started += 1
        log = self._folder / "logs" / f"operator-{self._started:03d}-{what}.log"
        order = Order(what, self._brokers, self._folder, log, lanes)
        process = self._context.Process(target=main, args=(order,), name=what, daemon=True)
        process.start()
        self._now[what] = _Office(order, process)
        return process.pid

    def kill(self, what: What) -> int | None:
        """`kill -9`; the pid, if somebody was at it."""
        office = self._now.get(what)
        if office is None or not office.process.is_alive():
            return None
        office.process.kill()
        office.process.join()
        return office.process.pid

    def tend(self) -> list[Order]:
        """What has been done by now. What failed is begun again after a moment; what was killed waits for `start`."""
        done = []
        for what, office in list(self._now.items()):
            if office.process.is_alive():
                continue
            code = office.process.exitcode
            if code == 0:
                del self._now[what]
                done.append(office.order)
            elif office.ended_s is None:
                office.ended_s = time.monotonic()
                if code != -9:
                    self._told(f"  operator ({what}) failed with {code}: {_last_line(office.order.log)[:200]}")
            elif code != -9 and time.monotonic() - office.ended_s > AGAIN_AFTER_S:
                self.start(what)
        return done

    def finish(self) -> None:
        """Begin again what was killed."""
        for what, office in list(self._now.items()):
            if not office.process.is_alive() and office.process.exitcode != 0:
                self.start(what)

    @property
    def busy(self) -> list[str]:
        """What is not done yet."""
        return [f"{what}: see {office.order.log.name}" for what, office in self._now.items()]

    def close(self) -> None:
        for what in list(self._now):
            self.kill(what)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else ""
