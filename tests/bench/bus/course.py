"""Where all parts run: one broker, the processes on it, and what is seen of them from outside."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from callbus.broker import EmbeddedBroker, NodeSettings
from callbus.codec import Codec, codec_of
from callbus.kafka import Connection
from callbus.topics import connected
from callbus.topology import Topology
from callbus.topology.graph import derived_topics
from tests.bench.bus.contestants import Contestant
from tests.bench.bus.events import Load, payloads
from tests.bench.bus.figures import Sample
from tests.bench.bus.graph import SOURCES, Shape, graph, group_name, prepare, topic_name
from tests.bench.bus.loading import preload
from tests.bench.bus.order import Order
from tests.bench.bus.results import Results
from tests.bench.bus.show import Show

_LOOK_EVERY_S = 0.05
_STOP_LIMIT_S = 3.0
_PYTHON_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Full:
    """A set of input topics with events in them. `source` is its name, as in Shape."""

    source: str
    kind: Load
    lanes: int
    count: int


Signal = Literal["stop", "kill"]


class HeatFailed(Exception):
    """A contestant did not do its work; the end of its log says why."""


@dataclass(slots=True)
class Running:
    """A contestant's process."""

    process: subprocess.Popen[bytes]
    seen: psutil.Process
    log: Path
    spawned_s: float

    @property
    def is_ready(self) -> bool:
        """Of a worker: whether its lanes are open."""
        return self.log.exists() and '"event": "ready"' in self.log.read_text(errors="replace")

    def end(self) -> None:
        """SIGTERM, so that no open transaction is left; SIGKILL after a while."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_LIMIT_S)
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class Heat:
    """One run of one contestant: its part of the graph, with topics and groups of its own."""

    contestant: Contestant
    shape: Shape
    topology: Topology
    groups: Sequence[str]  # as topology.yaml calls them
    running: list[Running] = field(default_factory=list)
    leaving: list[Running] = field(default_factory=list)  # told to stop

    def topic(self, name: str) -> str:
        return topic_name(name, self.shape)

    def group(self, name: str) -> str:
        return group_name(name, self.shape)

    @property
    def source(self) -> str:
        """The topic that its first group reads."""
        return self.topology.groups[self.group(self.groups[0])].inputs[0]

    @property
    def target(self) -> str:
        """The topic that its last group writes."""
        return self.topology.groups[self.group(self.groups[-1])].outputs[0]


class Course:
    """The broker and everything on it, while open. `folder` takes its data and the contestants' logs."""

    def __init__(
        self, broker: EmbeddedBroker, admin: AIOKafkaAdminClient, avro: Path, folder: Path, show: Show
    ) -> None:
        self.connection = Connection(broker.bootstrap_servers)
        self.show = show
        self.avro = avro
        self._admin = admin
        self._folder = folder
        self._broker = psutil.Process(broker.pid)
        self._heats = 0
        self._processes = 0

    @contextmanager
    def trying(self, results: Results, title: str) -> Iterator[None]:
        """Show what is tried. Where it fails, the page says so, and the run goes on."""
        with self.show.step(title):
            try:
                yield
            except (HeatFailed, ValueError) as problem:
                results.failures.append(f"{title}: {str(problem).splitlines()[0]}")
                self.show.line(f"FAILED  {title}: {problem}")

    @asynccontextmanager
    async def filled(self, kind: Load, lanes: int, count: int) -> AsyncIterator[Full]:
        """A set of input topics with so many events in them."""
        async with self.empty(kind, lanes) as source:
            shape = Shape(source, "none", lanes)
            topic = topic_name("chunks" if kind == "chunk" else "utterances", shape)
            codec = codec_of(graph(self.avro, shape))
            with self.show.step(f"writing {count} events ({kind}, {lanes} lanes)", count) as told:
                put = await preload(self.connection, topic, payloads(codec, topic, kind, lanes), count, told)
            yield Full(source, kind, lanes, put)

    @asynccontextmanager
    async def empty(self, kind: str, lanes: int) -> AsyncIterator[str]:
        """A set of input topics with nothing in them; its name, which is a Shape's `source`."""
        source = f"{kind}-{lanes}-{self._next_heat()}"
        topology = graph(self.avro, Shape(source, "none", lanes))
        names = [topic_name(name, Shape(source, "none", lanes)) for name in SOURCES]
        await self._create(topology, [*names, "call-events"])
        try:
            yield source
        finally:
            await self._admin.delete_topics(names)

    @asynccontextmanager
    async def heat(self, contestant: Contestant, source: str, lanes: int, *groups: str) -> AsyncIterator[Heat]:
        """A heat, with nothing running yet. At its end its processes are ended and its topics deleted."""
        shape = Shape(source, f"h{self._next_heat()}", lanes, contestant.delivery, contestant.per_commit)
        topology = graph(self.avro, shape)
        heat = Heat(contestant, shape, topology, groups)
        its = [topology.groups[heat.group(name)] for name in groups]
        names = [topic for group in its for topic in group.outputs]
        if contestant.runtime == "worker":
            names += [topic.name for group in its for topic in derived_topics(group, lanes)]
        await self._create(topology, names)
        try:
            yield heat
        finally:
            await asyncio.gather(*(asyncio.to_thread(one.end) for one in (*heat.running, *heat.leaving)))
            await self._admin.delete_topics(names)

    def codec(self, heat: Heat) -> Codec:
        return codec_of(heat.topology)

    def start(self, heat: Heat, group: str, member: str = "0") -> Running:
        """Start a process of the heat's contestant: one group, one fresh Python."""
        its = heat.topology.groups[heat.group(group)]
        log = self._log(f"{heat.contestant.key}-{group}-{member}")
        order = Order(
            runtime=heat.contestant.runtime,
            brokers=self.connection.brokers,
            group=its.name,
            input=its.inputs[0],
            output=its.outputs[0],
            schema=heat.topology.topic(its.outputs[0]).schema,
            member=member,
            log=str(log),
            avro=str(self.avro),
            shape=heat.shape.to_text(),
            per_commit=heat.contestant.per_commit,
            headers=heat.contestant.headers,
        )
        running = self.spawn("tests.bench.bus.hosting", order.to_text(), log)
        heat.running.append(running)
        return running

    def end(self, heat: Heat, running: Running, how: Signal) -> None:
        """Send one of the heat's processes away."""
        heat.running.remove(running)
        if how == "kill":
            running.kill()
        else:
            running.process.terminate()
            heat.leaving.append(running)

    def spawn(self, module: str, argument: str, log: Path | None = None) -> Running:
        """A fresh Python that runs one of our modules."""
        spawned_s = time.monotonic()
        command = [sys.executable, "-m", module, argument]
        process = subprocess.Popen(command, cwd=_PYTHON_ROOT, stdin=subprocess.DEVNULL)
        return Running(process, psutil.Process(process.pid), log or self._log(module), spawned_s)

    async def watch(
        self, heat: Heat, group: str, enough: Callable[[Sequence[Sample]], bool], limit_s: float
    ) -> list[Sample]:
        """Look at a group's committed offsets, CPU and memory until it is enough. HeatFailed after `limit_s`."""
        name, topic = heat.group(group), heat.topology.groups[heat.group(group)].inputs[0]
        samples: list[Sample] = []
        deadline = time.monotonic() + limit_s
        while not enough(samples):
            await asyncio.sleep(_LOOK_EVERY_S)
            samples.append(self._look(heat, await self._committed(name, topic)))
            if time.monotonic() > deadline:
                raise HeatFailed(f"not done within {limit_s:.0f} s\n{_last_words(heat)}")
            for one in heat.running:
                if one.process.poll() is not None:
                    raise HeatFailed(f"its process ended\n{_last_words(heat)}")
        return samples

    def _look(self, heat: Heat, events: int) -> Sample:
        times = [one.seen.cpu_times() for one in heat.running]
        broker = self._broker.cpu_times()
        return Sample(
            at_s=time.monotonic(),
            events=events,
            cpu_s=sum(t.user + t.system for t in times),
            broker_cpu_s=broker.user + broker.system,
            rss_mb=sum(one.seen.memory_info().rss for one in heat.running) / 1e6,
        )

    async def _committed(self, group: str, topic: str) -> int:
        try:
            offsets = await self._admin.list_consumer_group_offsets(group, group_coordinator_id=1)
        except KafkaError:  # not known yet
            return 0
        return sum(max(0, at.offset) for tp, at in offsets.items() if tp.topic == topic)

    async def _create(self, topology: Topology, names: Sequence[str]) -> None:
        there = set(await self._admin.list_topics())
        new = [
            NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config())
            for topic in topology.all_topics()
            if topic.name in names and topic.name not in there
        ]
        if new:
            await self._admin.create_topics(new)

    def _next_heat(self) -> int:
        self._heats += 1
        return self._heats

    def _log(self, name: str) -> Path:
        self._processes += 1
        return self._folder / f"{self._processes:03d}-{name.rpartition('.')[2]}.log"


def _last_words(heat: Heat) -> str:
    return "\n".join(one.log.read_text(errors="replace")[-2_000:] for one in heat.running if one.log.exists())


@asynccontextmanager
async def course(folder: Path, show: Show) -> AsyncIterator[Course]:
    """Start the broker as for production loads (C2, 1 GB), and end it."""
    avro = prepare(folder)
    # Deleted topics' files go at once: a full run writes some tens of GB.
    node = NodeSettings(extra=(("log.segment.delete.delay.ms", "500"),))
    with show.step("starting Kafka"), EmbeddedBroker(folder / "kafka", jvm="fast", node=node) as broker:
        async with connected(Connection(broker.bootstrap_servers)) as admin:
            yield Course(broker, admin, avro, folder, show)
