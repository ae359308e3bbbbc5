"""One process that hosts any set of groups: loads their models, runs them, and stops them as one."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import structlog

from callbus.codec import Codec
from callbus.consumer import Stateful, Stateless
from callbus.errors import BrokerError, CallbusError, ModelError
from callbus.kafka import Connection
from callbus.notify import notify
from callbus.registry import SchemaRegistry
from callbus.topics import connected
from callbus.topology import Group, Topology, module_of
from callbus.worker.stage import FAILURES
from callbus.worker.worker import Worker

log = structlog.get_logger(__name__)

_LOOK_AGAIN_S = 0.3
_BEAT_S = 5.0


class Aborted(CallbusError):
    """A second signal came before everything in hand was finished. Nothing of it is committed."""

    exit_code = 130


class Runner(Protocol):
    """What runs one group: a Worker, or the host of a Faust app."""

    group: Group

    async def run(self) -> None: ...
    def stop(self) -> None: ...
    async def ready(self) -> None: ...
    @property
    def lanes(self) -> list[int]: ...


def codec_of(topology: Topology, registry_url: str | None = None) -> Codec:
    """The codec of every topic of the graph, declared or derived."""
    schemas = {topic.name: topic.schema for topic in topology.all_topics() if topic.schema}
    return Codec(schemas, SchemaRegistry(registry_url) if registry_url else None)


async def run(
    topology: Topology,
    names: Sequence[str],
    connection: Connection,
    member: str,
    registry_url: str | None = None,
    wait_s: float = 15.0,
) -> None:
    """Run these groups until SIGTERM or SIGINT, or until one of them fails: then all stop, and its error is raised.

    The first signal lets every group finish and commit what is in hand; the second one aborts. The broker and its
    topics may come up to `wait_s` after us; then BrokerError says what is missing. With CALLBUS_OWNER_PID set, the
    groups also stop when that process is gone.
    """
    groups = [topology.group(name) for name in dict.fromkeys(names)]
    codec = codec_of(topology, registry_url)
    written = {topic for group in groups for topic in (*group.outputs, group.dead_letters, group.changelog) if topic}
    await asyncio.to_thread(codec.prepare, sorted(written | {FAILURES}))
    with ExitStack() as stack:
        threads = _Threads(stack)
        exist = asyncio.create_task(_topics_exist(groups, connection, wait_s))  # models load meanwhile
        consumers = await asyncio.gather(*(_load(topology, group, threads.of(group)) for group in groups))
        await exist
        runners: list[Runner] = [
            Worker(topology, group, consumer, codec, connection, threads.of(group), member)
            if consumer is not None
            else module_of(topology, group.name).runner(topology, group, codec, connection, member)
            for group, consumer in zip(groups, consumers, strict=True)
        ]
        await _run_all(runners)


async def _run_all(runners: Sequence[Runner]) -> None:
    tasks = [asyncio.create_task(runner.run(), name=runner.group.name) for runner in runners]
    told = asyncio.create_task(_tell_when_ready(runners))
    orphaned = asyncio.create_task(_owner_gone())
    beating = asyncio.create_task(_beat())

    def stop() -> None:
        for runner in runners:
            runner.stop()

    def abort() -> None:
        for task in tasks:
            task.cancel()

    with _signals(stop, abort):
        try:
            done, _ = await asyncio.wait([*tasks, orphaned], return_when=asyncio.FIRST_COMPLETED)
            stop()
            notify(STOPPING="1")
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in (*done, *tasks):
                if not task.cancelled() and (problem := task.exception()):
                    raise problem
            if any(task.cancelled() for task in tasks):
                raise Aborted("stopped by a second signal; what was in hand is done again at the next start")
        finally:
            told.cancel()
            orphaned.cancel()
            beating.cancel()


async def _tell_when_ready(runners: Sequence[Runner]) -> None:
    async def one(runner: Runner) -> None:
        await runner.ready()
        log.info("ready", group=runner.group.name, lanes=runner.lanes)
        notify(STATUS=f"{runner.group.name} ready, {len(runner.lanes)} lanes")

    await asyncio.gather(*map(one, runners))
    notify(READY="1")


async def _load(topology: Topology, group: Group, executor: Executor) -> Stateless | Stateful | None:
    """The group's consumer, loaded in its model's thread; None for a Faust group, which has none."""
    if group.runtime == "faust":
        return None
    log.info("loading", group=group.name, models=group.models)
    notify(STATUS=f"{group.name} loading {', '.join(group.models)}".rstrip())

    def load() -> Stateless | Stateful:
        consumer: Stateless | Stateful = module_of(topology, group.name).load(topology.settings(group.name))
        return consumer

    try:
        return await asyncio.get_running_loop().run_in_executor(executor, load)
    except CallbusError:
        raise
    except Exception as problem:
        named = ", ".join(group.models) or "its data"
        raise ModelError(f"group {group.name} can't load {named}: {type(problem).__name__}: {problem}") from problem


class _Threads:
    """A thread per GPU, so that one runs one model call at a time; on a CPU a thread per group, shared by the cores."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._threads: dict[str, Executor] = {}

    def of(self, group: Group) -> Executor:
        on_gpu = group.device.startswith("cuda") or (group.device == "auto" and Path("/dev/nvidia0").exists())
        name = group.device if group.models and on_gpu else group.name
        if name not in self._threads:
            self._threads[name] = self._stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix=f"model-{name}"))
        return self._threads[name]


class _signals:  # noqa: N801  # a context manager, used as a verb
    """While open: the first SIGTERM or SIGINT calls `stop`, the second `abort`."""

    def __init__(self, stop: Callable[[], Any], abort: Callable[[], Any]) -> None:
        self._actions = [stop, abort]

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._received, number)

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)

    def _received(self, number: signal.Signals) -> None:
        log.info("signal", name=number.name, then="abort" if len(self._actions) == 1 else "finish and leave")
        if self._actions:
            self._actions.pop(0)()


async def _topics_exist(groups: Sequence[Group], connection: Connection, wait_s: float) -> None:
    wanted = {name for group in groups for name in (*group.inputs, *group.outputs, group.dead_letters)} | {FAILURES}
    deadline = time.monotonic() + wait_s
    while problem := await _missing(wanted, connection):
        if time.monotonic() > deadline:
            raise BrokerError(problem)
        log.info("waiting", reason=problem)
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _missing(wanted: set[str], connection: Connection) -> str | None:
    """What the broker lacks, in words; None if nothing."""
    try:
        async with connected(connection) as admin:
            missing = ", ".join(sorted(wanted - set(await admin.list_topics())))
    except BrokerError as problem:
        return str(problem)
    return f"{connection.brokers} has no topic {missing}; run `callbus topics apply`" if missing else None


async def _beat() -> None:
    """Touch the file that CALLBUS_HEARTBEAT names while the loop turns: a container's health check looks at it."""
    file = os.environ.get("CALLBUS_HEARTBEAT")
    while file:
        await asyncio.to_thread(Path(file).touch)
        await asyncio.sleep(_BEAT_S)


async def _owner_gone() -> None:
    """Returns when the process that CALLBUS_OWNER_PID names is no longer our parent; never if it names none."""
    owner = os.environ.get("CALLBUS_OWNER_PID")
    while owner is None or os.getppid() == int(owner):  # noqa: ASYNC110  # no event tells an orphan
        await asyncio.sleep(_LOOK_AGAIN_S)
