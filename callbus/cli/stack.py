"""Everything on one machine: the embedded broker, its topics, and the groups in a few processes of their own."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from callbus import topics
from callbus.errors import CallbusError
from callbus.kafka import Connection
from callbus.notify import Listener
from callbus.topology import Topology

STOP_LIMIT_S = 25.0
_TORCH_ENGINES = {"spacy", "transformers"}  # importing torch takes 4 s and 800 MB: one process pays for all

Tell = Callable[[str, str], None]  # (group, what it is doing)


class GroupFailed(CallbusError):
    """A process of the stack ended by itself. The message holds the end of its log."""

    exit_code = 9


def layout(topology: Topology) -> list[list[str]]:
    """Which groups share a process: those that need torch, those that don't, and each Faust app alone."""
    heavy, light, alone = [], [], []
    for name, group in topology.groups.items():
        if group.runtime == "faust":
            alone.append([name])
        elif any(topology.models[model].engine in _TORCH_ENGINES for model in group.models):
            heavy.append(name)
        else:
            light.append(name)
    return [groups for groups in (light, heavy, *alone) if groups]


async def apply_topics(topology: Topology, connection: Connection) -> topics.Plan:
    """Bring the broker's topics in line with topology.yaml. PlanRefused if that would lose data."""
    async with topics.connected(connection) as admin:
        plan = topics.plan(topology, await topics.read(admin))
        await topics.apply(admin, plan)
    return plan


class Groups:
    """The groups' processes. They end with this process, however it goes."""

    def __init__(self, topology: Topology, connection: Connection, folder: Path, tell: Tell) -> None:
        """`folder` takes the logs; `tell` hears what each group is doing."""
        self._topology = topology
        self._connection = connection
        self._folder = folder
        self._tell = tell
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ready: dict[str, asyncio.Event] = {}
        self._listeners: list[Listener] = []

    def start(self) -> None:
        """Launch every process; returns at once."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number, groups in enumerate(layout(self._topology)):
            self._launch(number, groups)

    async def ready(self) -> None:
        """Returns when every group has its lanes and its model. GroupFailed if a process ends instead."""
        waiting = asyncio.gather(*(event.wait() for event in self._ready.values()))
        await self.unless_failed(waiting)

    async def unless_failed(self, work: "asyncio.Future[Any]") -> None:
        """Await `work`, but raise GroupFailed as soon as a process ends."""
        try:
            while not work.done():
                for name, process in self._processes.items():
                    if process.poll() is not None:
                        raise GroupFailed(f"{name} ended with status {process.returncode}:\n{self._last_words(name)}")
                await asyncio.wait([work], timeout=0.2)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])
        work.result()

    async def stop(self) -> None:
        """Let every group finish and leave; what has not after 25 s is killed."""
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_LIMIT_S
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, max(0.0, deadline - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.__exit__(None, None, None)
        self._processes.clear()

    def log_file(self, name: str) -> Path:
        """The log of one process, JSON lines."""
        return self._folder / f"{name.replace(' ', '+')}.log"

    def _launch(self, number: int, groups: Sequence[str]) -> None:
        name = " ".join(groups)
        listener = Listener(self._folder / f"{number}.sock")
        ready = self._ready[name] = asyncio.Event()
        asyncio.get_running_loop().add_reader(listener.fileno(), self._hear, listener, ready)
        self._listeners.append(listener)
        environment = os.environ | {
            "CALLBUS_BROKERS": self._connection.brokers,
            "CALLBUS_OWNER_PID": str(os.getpid()),
            "NOTIFY_SOCKET": str(listener.path),
        }
        environment.pop("CALLBUS_HTTP", None)  # two processes can't have one port
        if not any(model.hub for model in self._topology.models.values()):
            environment["HF_HUB_OFFLINE"] = "1"  # libraries would ask about models that are here
        with self.log_file(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603  # our own command
                [
                    sys.executable,
                    "-m",
                    "callbus",
                    "run",
                    *groups,
                    "--topology",
                    str(self._topology.path),
                    "--wait",
                    "60",
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone: we stop them in order
            )

    def _hear(self, listener: Listener, ready: asyncio.Event) -> None:
        while facts := listener.read():
            if status := facts.get("STATUS"):
                group, _, doing = status.partition(" ")
                self._tell(group.rstrip(","), doing)
            if facts.get("READY"):
                ready.set()

    def _last_words(self, name: str) -> str:
        lines = self.log_file(name).read_text(errors="replace").splitlines()
        return "\n".join(lines[-12:]) or f"(nothing in {self.log_file(name)})"
