"""A run: a broker, the door, the fleet and the faults; then quiet, and the checker."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from callbus import topics
from callbus.broker import EmbeddedBroker
from callbus.kafka import Connection
from callbus.process import codec_of
from callbus.topology import Topology
from tests.chaos import stacks
from tests.chaos.checker import Violation, check, uncommitted
from tests.chaos.door import Door
from tests.chaos.fleet import EXPECTED_EXITS, Exit, Fleet
from tests.chaos.graph import PURE, graph
from tests.chaos.reading import Everything, committed_offsets
from tests.chaos.schedule import SLOTS, Step
from tests.chaos.show import Show
from tests.chaos.takeover import Act, Gap, gaps
from tests.chaos.traffic import Traffic, value_of

LEFT_WITHIN_S = 30.0  # a zombie that was replaced
HANGS_S = 60.0  # after the time to fall quiet, the harness itself must be stuck


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `broken` names a guarantee to break (breaks.py)."""

    seed: int
    steps: Sequence[Step]
    folder: Path
    kills: int | None = None  # enough when so many have hit somebody; None: the steps to their end
    per_s: float = 60.0
    round_faults: int = 60  # after so many, the run falls quiet and is checked
    quiet_s: float = 150.0  # how long falling quiet may take: a transaction that nobody ends times out after 60 to 70 s
    most_s: float = 3600.0
    broken: str = ""


@dataclass(slots=True)
class Result:
    """What came of it. `violations` is empty when every guarantee held."""

    plan: Plan
    acts: list[Act] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    published: int = 0
    outputs: Counter[str] = field(default_factory=Counter)
    quiet_s: list[float] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def faults(self) -> Counter[str]:
        return Counter(act.step.fault for act in self.acts if act.step.opens)

    @property
    def kills(self) -> int:
        return sum(act.step.verb == "kill" and act.pid is not None for act in self.acts)


class Run:
    """One run of a plan. Use `await Run(plan, show).whole()`."""

    def __init__(self, plan: Plan, show: Show) -> None:
        self._plan = plan
        self._show = show
        self._topology: Topology = graph(plan.folder)
        self._codec = codec_of(self._topology)
        self._traffic = Traffic(plan.seed, self._topology.lanes)
        self._result = Result(plan)

    async def whole(self) -> Result:
        """Everything, and the result. The folder of the broker's data and the logs stays."""
        began = time.monotonic()
        with EmbeddedBroker(self._plan.folder / "kafka") as self._broker:
            self._connection = Connection(self._broker.bootstrap_servers)
            async with topics.connected(self._connection) as admin:
                await topics.apply(admin, topics.plan(self._topology, await topics.read(admin)))
            self._door = Door(self._connection, self._codec, self._traffic, self._plan.per_s)
            await self._door.start()
            self._fleet = Fleet(
                self._connection.brokers,
                self._plan.folder,
                self._plan.broken,
                self._show.line,
                exits=self._result.exits,
            )
            tending = asyncio.create_task(self._tend())
            try:
                await self._rounds(began)
            finally:
                tending.cancel()
                lingering = await asyncio.to_thread(self._fleet.close)
                self._result.violations += [Violation(slot, "stop", said) for slot, said in lingering]
                await self._door.close()
        self._result.took_s = time.monotonic() - began
        return self._result

    async def _rounds(self, began: float) -> None:
        for slot in SLOTS:
            if not slot.spare:
                self._fleet.start(slot.name)
        steps = list(self._plan.steps)
        while (
            steps
            and not self._enough()
            and not self._result.violations
            and time.monotonic() - began < self._plan.most_s
        ):
            now, steps = _first_faults(steps, self._plan.round_faults)
            publishing = asyncio.create_task(self._door.run())
            try:
                await self._act(now)
            finally:
                publishing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await publishing
            await self._check()

    async def _act(self, steps: Sequence[Step]) -> None:
        start = time.monotonic() - steps[0].at_s + 1.0
        for step in steps:
            await asyncio.sleep(max(0.0, start + step.at_s - time.monotonic()))
            pid = await asyncio.to_thread(self._do, step)
            self._result.acts.append(Act(time.time(), step, pid))
            self._show.act(step, pid)
            self._show.tally(self._result.kills, self._door.published, self._fleet.running())
            if self._enough():
                return

    def _enough(self) -> bool:
        return self._plan.kills is not None and self._result.kills >= self._plan.kills

    def _do(self, step: Step) -> int | None:
        match step.verb:
            case "start":
                self._fleet.start(step.slot)
            case "kill":
                return self._fleet.kill(step.slot)
            case "term":
                return self._fleet.term(step.slot)
            case "freeze":
                return self._fleet.freeze(step.slot)
            case "thaw":
                return self._fleet.thaw(step.slot)
            case "broker-kill":
                self._broker.kill()
            case "broker-start":
                self._broker.start()
        return None

    async def _tend(self) -> None:
        while True:
            await asyncio.to_thread(self._fleet.tend)
            await asyncio.sleep(0.2)

    async def _check(self) -> None:
        """Fall quiet, and compare what is with what should be."""
        began = time.monotonic()
        everything = Everything(
            self._connection, [topic.name for topic in self._topology.all_topics()], self._topology.lanes
        )
        try:
            async with asyncio.timeout(self._plan.quiet_s + HANGS_S):
                undone = await self._quiet(everything)
        except TimeoutError:
            stacks.say()
            raise
        self._result.quiet_s.append(time.monotonic() - began)
        records = everything.records
        found = [*check(self._topology, self._codec, PURE, records), *undone, *self._doors_own(everything)]
        found += [*await self._leftover(), *_left(self._result.exits)]
        self._result.violations = found
        self._result.published = self._door.published
        self._result.outputs = Counter()
        for (topic, _), messages in records.items():
            self._result.outputs[topic] += len(messages)
        self._result.gaps = gaps(self._topology, self._codec, records, self._result.acts)
        self._show.line(
            f"checked {everything.count()} committed records after {self._result.quiet_s[-1]:.0f} s of quiet: "
            + (f"{len(found)} VIOLATIONS" if found else "all as promised")
        )

    async def _quiet(self, everything: Everything) -> list[Violation]:
        """End the running calls and wait until every group has done everything; what is still undone."""
        self._show.line("quiet: ending the calls, waiting for every group")
        if not self._broker.alive:
            await asyncio.to_thread(self._broker.start)
        await asyncio.to_thread(self._fleet.settle)
        await self._door.end(self._traffic.ending())
        await everything.start()
        try:
            return await self._until_done(everything)
        finally:
            await everything.stop()

    async def _until_done(self, everything: Everything) -> list[Violation]:
        deadline = time.monotonic() + self._plan.quiet_s
        while True:
            left_s = deadline - time.monotonic()
            open_places = await everything.catch_up(min(5.0, max(0.1, left_s)))
            count = everything.count()
            undone = uncommitted(
                self._topology, everything.records, await committed_offsets(self._connection, self._topology)
            )
            if not undone and not open_places:
                await everything.catch_up(5.0)
                if everything.count() == count:
                    return []
            elif left_s <= 0:
                return [*undone, *(Violation("broker", "open", place) for place in open_places)]
            await asyncio.sleep(0.3)

    async def _leftover(self) -> list[Violation]:
        """Zombies that are still there: one that was replaced must see it and leave."""
        deadline = time.monotonic() + LEFT_WITHIN_S
        while (still := self._fleet.leftover()) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        return [
            Violation(
                one.slot.name, "zombie", f"process {one.process.pid} has not left {LEFT_WITHIN_S:.0f} s after it woke"
            )
            for one in still
        ]

    def _doors_own(self, everything: Everything) -> list[Violation]:
        """The door's messages are each on the broker once: the rest rests on it."""
        sent = Counter((p.topic, p.lane, p.key, value_of(p, self._codec.encode)) for p in self._door.sent)
        there = Counter(
            (topic, lane, message.key, message.value)
            for (topic, lane), messages in everything.records.items()
            for message in messages
        )
        return [
            Violation(
                "door", "input", f"{topic}[{lane}] of {key!r}: {there[topic, lane, key, value]} times, not {times}"
            )
            for (topic, lane, key, value), times in sent.items()
            if there[topic, lane, key, value] != times
        ]


def _left(exits: Sequence[Exit]) -> list[Violation]:
    """Processes that ended by themselves as none should."""
    crashed = [
        Violation(left.slot, "crash", f"process {left.pid} ended with {left.code}: {left.reason}")
        for left in exits
        if left.code not in EXPECTED_EXITS
    ]
    usurped = [
        Violation(left.slot, "zombie", f"it woke and pushed out its replacement {left.pid}: {left.reason}")
        for left in exits
        if left.usurped
    ]
    return crashed + usurped


def _first_faults(steps: list[Step], most: int) -> tuple[list[Step], list[Step]]:
    """The steps of the first `most` faults, with what follows from them; and the rest."""
    opening = [i for i, step in enumerate(steps) if step.opens]
    if len(opening) <= most:
        return steps, []
    end_s = steps[opening[most]].at_s
    first = [step for step in steps if step.at_s < end_s]
    return first, steps[len(first) :]
