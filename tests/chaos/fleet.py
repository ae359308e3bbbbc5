"""The worker processes of a run: started, killed, frozen, thawed, told to stop, and brought back when they leave."""

import contextlib
import functools
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TypeVar

from callbus.errors import BrokerError, Fenced
from tests.chaos import hosting
from tests.chaos.schedule import SLOTS, Slot

T = TypeVar("T")

BACK_AFTER_S = 1.0  # an orchestrator's pause before it starts again what has ended by itself
ABORTED = 130  # by a second signal
GOOD_EXITS = {0, ABORTED, -signal.SIGKILL, -signal.SIGTERM}
FENCED = Fenced.exit_code
STOP_LIMIT_S = 25.0  # the worker's own limit to drain is 20 s
USURPED_WITHIN_S = 10.0
EXPECTED_EXITS = {BrokerError.exit_code, FENCED}  # with a reason, after which a restart mends it


def _one_at_a_time(act: Callable[..., T]) -> Callable[..., T]:
    """The fleet is tended from one thread and acted on from another."""

    @functools.wraps(act)
    def alone(fleet: "Fleet", *args: str) -> T:
        with fleet.lock:
            return act(fleet, *args)

    return alone


@dataclass(slots=True)
class Incarnation:
    """One process that is or was in a slot."""

    slot: Slot
    process: ForkServerProcess
    log: Path
    frozen: bool = False
    was_frozen: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """A process that ended by itself."""

    slot: str
    pid: int
    code: int
    reason: str
    usurped: bool = False  # by a zombie whose replacement it was


@dataclass(slots=True)
class Fleet:
    """Who runs where. `told` hears a line for each exit that nobody asked for."""

    brokers: str
    folder: Path
    broken: str = ""
    told: Callable[[str], None] = print
    exits: list[Exit] = field(default_factory=list)
    _wanted: set[str] = field(default_factory=set)
    _now: dict[str, Incarnation] = field(default_factory=dict)
    _former: list[Incarnation] = field(default_factory=list)  # zombies, and those that are told to stop
    _gone_at_s: dict[str, float] = field(default_factory=dict)
    _woken_at_s: dict[str, float] = field(default_factory=dict)  # zombies that were replaced
    lock: Any = field(default_factory=threading.RLock)
    _started: int = 0

    def __post_init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["__main__", "tests.chaos.hosting", "tests.chaos.operators"])
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)

    _context: multiprocessing.context.ForkServerContext = field(init=False)

    @_one_at_a_time
    def start(self, name: str) -> None:
        """Start the slot's process, whatever became of the one before."""
        if name in self._now and self._now[name].process.is_alive() and not self._now[name].frozen:
            return
        self._retire(name)
        [slot] = [s for s in SLOTS if s.name == name]
        self._started += 1
        log = self.folder / "logs" / f"{self._started:04d}-{name}.log"
        order = hosting.Assignment(slot, self.brokers, self.folder, log, self.broken)
        process = self._context.Process(target=hosting.main, args=(order,), name=name, daemon=True)
        process.start()
        self._wanted.add(name)
        self._now[name] = Incarnation(slot, process, log)

    @_one_at_a_time
    def kill(self, name: str) -> int | None:
        """`kill -9`; the pid, if there was one to kill."""
        self._wanted.discard(name)
        if (one := self._now.get(name)) is None or not one.process.is_alive():
            return None
        one.killed = True
        one.process.kill()
        self._retire(name)
        return one.process.pid

    @_one_at_a_time
    def term(self, name: str) -> int | None:
        """SIGTERM, also to one that was told so already."""
        self._wanted.discard(name)
        one = self._now.get(name)
        if one is None or not one.process.is_alive():
            return None
        one.process.terminate()
        return one.process.pid

    @_one_at_a_time
    def freeze(self, name: str) -> int | None:
        """SIGSTOP; not to one that has no lanes yet, for that would wake as the newest of its name, and no zombie."""
        one = self._now.get(name)
        if one is None or not one.process.is_alive() or one.process.pid is None or not _has_lanes(one.log):
            return None
        one.frozen = one.was_frozen = True
        os.kill(one.process.pid, signal.SIGSTOP)
        return one.process.pid

    @_one_at_a_time
    def thaw(self, name: str) -> int | None:
        """SIGCONT to every frozen process of the slot, replaced or not."""
        woken = None
        for one in (*self._former, *self._now.values()):
            if one.slot.name == name and one.frozen and one.process.pid is not None:
                one.frozen = False
                if one in self._former:
                    self._woken_at_s[name] = time.monotonic()
                woken = one.process.pid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(woken, signal.SIGCONT)
        return woken

    @_one_at_a_time
    def tend(self) -> None:
        """Note who has ended by itself, and start again after a pause what should run. Call this now and then."""
        for one in [*self._former, *self._now.values()]:
            if not one.process.is_alive() and not one.killed:
                one.killed = True
                self._note(one)
        self._former = [one for one in self._former if one.process.is_alive()]
        for name in list(self._wanted):
            one = self._now[name]
            if one.process.is_alive():
                continue
            gone = self._gone_at_s.setdefault(name, time.monotonic())
            if time.monotonic() - gone > BACK_AFTER_S:
                del self._gone_at_s[name]
                self.start(name)

    def settle(self) -> None:
        """Thaw everybody and let the two hosts of all groups run."""
        for slot in SLOTS:
            self.thaw(slot.name)
        for name in ("a", "b"):
            self.start(name)

    def leftover(self) -> list[Incarnation]:
        """Those that should have left: zombies that were replaced, and those told to stop."""
        return [one for one in self._former if one.process.is_alive() and not one.killed]

    def close(self) -> list[tuple[str, str]]:
        """Tell everybody to stop, and end who doesn't; who that was. Its log says where it was stuck."""
        lingering = []
        everybody = [*self._former, *self._now.values()]
        self._wanted.clear()
        for slot in SLOTS:
            self.thaw(slot.name)
        for one in everybody:
            if one.process.is_alive():
                one.process.terminate()
        deadline = time.monotonic() + STOP_LIMIT_S
        for one in everybody:
            one.process.join(max(0.1, deadline - time.monotonic()))
            if one.process.is_alive():
                said = (
                    f"process {one.process.pid} did not stop within {STOP_LIMIT_S:.0f} s of SIGTERM: see {one.log.name}"
                )
                lingering.append((one.slot.name, said))
                self.told(f"  {one.slot.name}: {said}")
                os.kill(one.process.pid or 0, signal.SIGUSR1)
                one.process.join(1.0)
                one.process.kill()
                one.process.join()
        return lingering

    def running(self) -> int:
        return sum(one.process.is_alive() and not one.frozen for one in self._now.values())

    def _retire(self, name: str) -> None:
        if (one := self._now.pop(name, None)) is not None:
            self._former.append(one)

    def _note(self, one: Incarnation) -> None:
        code = one.process.exitcode if one.process.exitcode is not None else -1
        if code in GOOD_EXITS:
            return
        woken_s = time.monotonic() - self._woken_at_s.get(one.slot.name, -USURPED_WITHIN_S)
        usurped = code == FENCED and not one.was_frozen and woken_s < USURPED_WITHIN_S
        left = Exit(one.slot.name, one.process.pid or 0, code, _last_words(one.log), usurped)
        self.exits.append(left)
        self.told(f"  {left.slot} ({left.pid}) left with {code}: {left.reason[:200]}")


def _has_lanes(log: Path) -> bool:
    return log.exists() and '"event": "ready"' in log.read_text(errors="replace")


def _last_words(log: Path) -> str:
    """What the process's log says of its exit."""
    words = ""
    for line in log.read_text(errors="replace").splitlines():
        if '"event": "exit"' in line:
            said = json.loads(line)
            words = said.get("message") or said.get("exception", "")[-600:]
    return words
