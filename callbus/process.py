"""One process that hosts any set of groups: loads their models, runs them, and stops them as one."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError

from callbus.codec import codec_of
from callbus.consumer import Stateful, Stateless
from callbus.errors import BrokerError, CallbusError
from callbus.kafka import Connection
from callbus.lanes import CALL_EVENTS
from callbus.loading import consumer_of
from callbus.model_threads import ModelThreads
from callbus.notify import notify
from callbus.observe import tracing
from callbus.observe.meter import GroupMeter
from callbus.prerequisites import kafka_is_ready, needs_of, none_has_stopped
from callbus.refusals import refusal
from callbus.topology import Group, Topology, module_of
from callbus.worker.worker import Worker

log = structlog.get_logger(__name__)

_LOOK_AGAIN_S = 0.3
_BEAT_S = 5.0
_FOLLOW_S = 1.0
_TURN_S = 0.0005  # of a thread that computes in Python while another waits; by Python's own 5 ms Kafka waits for models
_YOUNG_OBJECTS = 10_000  # a batch of utterances; by Python's own 700 the collector would run every 25 events


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


async def run(
    topology: Topology,
    names: Sequence[str],
    connection: Connection,
    member: str,
    registry_url: str | None = None,
    wait_s: float = 15.0,
    http: tuple[str, int] | None = None,
) -> None:
    """Run these groups until SIGTERM or SIGINT, or until one of them fails: then all stop, and its error is raised.

    The first signal lets every group finish and commit what is in hand; the second one aborts. The broker and its
    topics may come up to `wait_s` after us; then BrokerError says what is missing. With CALLBUS_OWNER_PID set, the
    groups also stop when that process is gone. `http` is where metrics and health are served from the first moment on.
    A model call that was given up, for it took longer than a stop may, goes on in its thread: `model_threads.at_work`.
    """
    groups = [topology.group(name) for name in dict.fromkeys(names)]
    meters = {group.name: GroupMeter(group.name) for group in groups}
    async with AsyncExitStack() as observing:
        if http is not None:
            from callbus.observe.server import serving

            await observing.enter_async_context(serving(list(meters.values()), *http))
        tracing.configure("callbus")
        observing.push_async_callback(asyncio.to_thread, tracing.shutdown)
        await _load_and_run(topology, groups, meters, connection, member, registry_url, wait_s)


async def _load_and_run(
    topology: Topology,
    groups: Sequence[Group],
    meters: Mapping[str, GroupMeter],
    connection: Connection,
    member: str,
    registry_url: str | None,
    wait_s: float,
) -> None:
    codec = codec_of(topology, registry_url)
    written = {topic for group in groups for topic in (*group.outputs, group.dead_letters, group.changelog) if topic}
    await asyncio.to_thread(codec.prepare, sorted(written | {CALL_EVENTS}))
    await none_has_stopped(groups, connection)
    with ModelThreads() as threads:
        exist = asyncio.create_task(kafka_is_ready(groups, meters, connection, wait_s))  # models load meanwhile
        # One after the other: what libraries parse while they load fails now and then in two threads at once, before
        # CPython 3.11.8 and 3.12.2 (gh-106905: "AST constructor recursion depth mismatch").
        consumers = [await _load(topology, group, threads.of(group)) for group in groups]
        await exist
        _keep_models_out_of_collections()
        sys.setswitchinterval(_TURN_S)
        runners: list[Runner] = [
            Worker(topology, group, consumer, codec, connection, threads.of(group), member, meter=meters[group.name])
            if consumer is not None
            else module_of(topology, group.name).runner(topology, group, codec, connection, member)
            for group, consumer in zip(groups, consumers, strict=True)
        ]
        try:
            await _run_all(runners, meters)
        except CallbusError:  # some are KafkaErrors too
            raise
        except KafkaError as problem:  # what Faust lets through
            raise (
                refusal(problem, connection, needs_of(groups)) or BrokerError(f"{type(problem).__name__}: {problem}")
            ) from problem


def _keep_models_out_of_collections() -> None:
    """They stay as long as the process, and are most of its objects: gone through again and again, they cost an
    event more than its decoding does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


async def _run_all(runners: Sequence[Runner], meters: Mapping[str, GroupMeter]) -> None:
    tasks = [asyncio.create_task(runner.run(), name=runner.group.name) for runner in runners]
    told = asyncio.create_task(_tell_when_ready(runners))
    orphaned = asyncio.create_task(_owner_gone())
    beating = asyncio.create_task(_beat())
    following = [asyncio.create_task(_follow(runner, meters[runner.group.name])) for runner in runners]

    def stop() -> None:
        for runner in runners:
            runner.stop()
        for task in following:
            task.cancel()
        for meter in meters.values():
            if meter.current != "stopped":
                meter.state("stopping")

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
            for task in following:
                task.cancel()


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

    return await asyncio.get_running_loop().run_in_executor(executor, consumer_of, topology, group)


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


async def _follow(runner: Runner, meter: GroupMeter) -> None:
    """Tell the meter which lanes are open, and of a Faust group its state: it does not report to a meter itself."""
    faust = runner.group.runtime == "faust"
    if faust:
        meter.state("joining")
    while True:
        try:
            await asyncio.wait_for(runner.ready(), _FOLLOW_S)
        except TimeoutError:
            meter.holds(runner.lanes)
            if faust and meter.current == "running":
                meter.state("rebalancing")
            continue
        meter.holds(runner.lanes)
        if faust:
            meter.state("running")
        await asyncio.sleep(_FOLLOW_S)


async def _beat() -> None:
    """Touch the file that CALLBUS_HEARTBEAT names while the loop turns: a container's health check looks at it."""
    file = os.environ.get("CALLBUS_HEARTBEAT")
    while file:
        with suppress(OSError):  # a full disk is no reason to stop
            await asyncio.to_thread(Path(file).touch)
        await asyncio.sleep(_BEAT_S)


async def _owner_gone() -> None:
    """Returns when the process that CALLBUS_OWNER_PID names is no longer our parent; never if it names none."""
    owner = os.environ.get("CALLBUS_OWNER_PID")
    while owner is None or os.getppid() == int(owner):  # noqa: ASYNC110  # no event tells an orphan
        await asyncio.sleep(_LOOK_AGAIN_S)
