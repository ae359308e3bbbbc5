"""A run: a broker, the door, the fleet and the faults; then quiet, and the checker."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from callbus import topics
from callbus.broker import EmbeddedBroker
from callbus.codec import codec_of
from callbus.kafka import Connection
from tests.chaos import stacks
from tests.chaos.checker import Violation, uncommitted
from tests.chaos.door import Door
from tests.chaos.fleet import Fleet
from tests.chaos.graph import graph
from tests.chaos.operators import Operators, What
from tests.chaos.plan import Plan, Result, first_faults
from tests.chaos.reading import Everything, committed_offsets
from tests.chaos.retries import unsettled, waited
from tests.chaos.schedule import LETTERS, SLOTS, TOPICS, Step
from tests.chaos.show import Show
from tests.chaos.takeover import Act, gaps
from tests.chaos.traffic import Traffic
from tests.chaos.verdict import given_up, tally, verdict, wrong_for_good

__all__ = ["Plan", "Result", "Run"]

LEFT_WITHIN_S = 30.0  # a zombie that was replaced
HANGS_S = 60.0  # after the time to fall quiet, the harness itself must be stuck
LOOK_S = 0.2


class Run:
    """One run of a plan. Use `await Run(plan, show).whole()`."""

    def __init__(self, plan: Plan, show: Show) -> None:
        self._plan = plan
        self._show = show
        self._topology = graph(plan.folder)
        self._codec = codec_of(self._topology)
        self._traffic = Traffic(plan.seed, self._topology.lanes)
        self._lanes_ordered = self._topology.lanes
        self._result = Result(plan, lanes=[self._topology.lanes])

    async def whole(self) -> Result:
        """Everything, and the result. The folder of the broker's data and the logs stays."""
        began, plan = time.monotonic(), self._plan
        with EmbeddedBroker(plan.folder / "kafka") as self._broker:
            self._connection = Connection(self._broker.bootstrap_servers)
            async with topics.connected(self._connection) as admin:
                await topics.apply(admin, topics.plan(self._topology, await topics.read(admin)))
            self._door = Door(self._connection, self._codec, self._traffic, plan.per_s)
            await self._door.start()
            brokers, told = self._connection.brokers, self._show.line
            self._fleet = Fleet(brokers, plan.folder, plan.broken, told, exits=self._result.exits)
            self._operators = Operators(brokers, plan.folder, told)
            try:
                await _first(self._rounds(began), self._tend(), self._attend())
            finally:
                self._operators.close()
                lingering = await asyncio.to_thread(self._fleet.close)
                self._result.violations += [Violation(slot, "stop", said) for slot, said in lingering]
                await self._door.close()
        self._result.took_s = time.monotonic() - began
        return self._result

    async def _rounds(self, began: float) -> None:
        for slot in SLOTS:
            if not slot.spare:
                self._fleet.start(slot.name)
        steps, most = list(self._plan.steps), self._plan.round_faults
        while (
            steps
            and not self._enough()
            and not self._result.violations
            and time.monotonic() - began < self._plan.most_s
        ):
            now, steps = first_faults(steps, most)
            most *= 2 if self._plan.broken else 1
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
            pid = self._order(step) if step.slot in (TOPICS, LETTERS) else await asyncio.to_thread(self._do, step)
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

    def _order(self, step: Step) -> int | None:
        what: What = "grow" if step.slot == TOPICS else "replay"
        if step.verb == "operator-kill":
            return self._operators.kill(what)
        self._lanes_ordered = max(self._lanes_ordered, step.lanes)
        return self._operators.start(what, step.lanes)

    async def _tend(self) -> None:
        while True:
            await asyncio.to_thread(self._fleet.tend)
            await asyncio.sleep(LOOK_S)

    async def _attend(self) -> None:
        """Once the topics have grown, new calls use all lanes; and whoever checks looks at all of them."""
        while True:
            for order in self._operators.tend():
                self._show.line(f"  operator: {order.what} done")
                if order.what == "grow":
                    await self._door.grow(order.lanes)
                    self._topology = graph(self._plan.folder, order.lanes)
                    self._result.lanes.append(order.lanes)
                    if order.lanes < self._lanes_ordered:  # ordered while this was under way
                        self._operators.start("grow", self._lanes_ordered)
            await asyncio.sleep(LOOK_S)

    async def _check(self) -> None:
        """Fall quiet, and compare what is with what should be."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._plan.quiet_s + HANGS_S):
                everything, undone, early = await self._quiet()
        except TimeoutError:
            stacks.say()
            raise
        result, records, topology = self._result, everything.records, self._topology
        result.quiet_s.append(time.monotonic() - began)
        if not early:
            undone += verdict(topology, self._codec, records, self._door.sent, result.exits)
            undone += await self._leftover()
        result.violations = undone
        result.published = self._door.published
        result.outputs, result.waits = tally(records), waited(topology, records)
        result.on_new_lanes = sum(len(records["finished", lane]) for lane in range(result.lanes[0], topology.lanes))
        result.given_up = given_up(self._codec, records)
        result.gaps = gaps(topology, self._codec, records, result.acts)
        self._show.line(
            f"checked {everything.count()} committed records after {result.quiet_s[-1]:.0f} s of quiet: "
            + (f"{len(undone)} VIOLATIONS" if undone else "all as promised")
        )

    async def _quiet(self) -> tuple[Everything, list[Violation], bool]:
        """End the running calls and wait until every group has done everything.

        What there is, what is still undone, and whether enough was wrong already not to wait any longer.
        """
        self._show.line("quiet: ending the calls, waiting for every group")
        deadline = time.monotonic() + self._plan.quiet_s
        if not self._broker.alive:
            await asyncio.to_thread(self._broker.start)
        await asyncio.to_thread(self._fleet.settle)
        self._operators.finish()
        self._operators.start("replay")
        await self._door.end(self._traffic.ending())
        while self._topology.lanes < self._lanes_ordered and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)
        names = [topic.name for topic in self._topology.all_topics()]
        everything = Everything(self._connection, names, self._topology.lanes)
        await everything.start()
        try:
            return everything, *await self._until_done(everything, deadline)
        finally:
            await everything.stop()

    async def _until_done(self, everything: Everything, deadline: float) -> tuple[list[Violation], bool]:
        while True:
            left_s = deadline - time.monotonic()
            open_places = await everything.catch_up(min(5.0, max(0.1, left_s)))
            count = everything.count()
            undone = uncommitted(
                self._topology, everything.records, await committed_offsets(self._connection, self._topology)
            )
            undone += unsettled(self._topology, everything.records)
            undone += [Violation("operator", "undone", busy) for busy in self._operators.busy]
            if not undone and not open_places:
                await everything.catch_up(5.0)
                if everything.count() == count:
                    return [], False
            elif left_s <= 0:
                return [*undone, *(Violation("broker", "open", place) for place in open_places)], False
            elif self._plan.broken and (wrong := wrong_for_good(self._topology, self._codec, everything.records)):
                return wrong, True
            await asyncio.sleep(0.3)

    async def _leftover(self) -> list[Violation]:
        """Zombies that are still there: one that was replaced must see it and leave."""
        deadline = time.monotonic() + LEFT_WITHIN_S
        while (still := self._fleet.leftover()) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)
        return [
            Violation(
                one.slot.name, "zombie", f"process {one.process.pid} has not left {LEFT_WITHIN_S:.0f} s after it woke"
            )
            for one in still
        ]


async def _first(*running: Any) -> None:
    """Run these until the first of them ends, and raise what it raised."""
    tasks = [asyncio.create_task(each) for each in running]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
