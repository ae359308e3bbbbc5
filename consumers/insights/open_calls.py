"""The calls that are not done, and the one who gives up on those to which nothing more comes.

So no call stays in progress for ever: one whose door crashed after its start, or whose last word got lost on the way.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from callbus.clock import now_ms
from callbus.faust_host import Changelogged, HostedApp
from callbus.topology import Group
from consumers.insights.join import is_open
from consumers.insights.lineage import Lineage
from consumers.insights.silence import give_up
from consumers.insights.state import InsightState, restore
from schemas.records import CallEvent

log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 500
_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 0.1, 60.0
_STATES_AT_ONCE = 100  # read between two turns of the event loop

Send = Callable[[int, CallEvent], Awaitable[None]]


class OpenCalls:
    """The open calls of the lanes read here. Whoever changes a call in the table says it here too."""

    def __init__(self, app: HostedApp, calls: Changelogged, group: Group, lineage: Lineage, send: Send) -> None:
        """`send` puts an event on a lane of the call events, and returns once the broker has it."""
        self._app = app
        self._calls = calls
        self._group = group
        self._lineage = lineage
        self._send = send
        self._open: dict[bytes, tuple[int, int]] = {}  # (lane, heard_ms)
        self._generation: int | None = None  # of the group, when the table was read

    def note(self, lane: int, state: InsightState) -> None:
        """The call is known as this now."""
        key = state.call_id.encode()
        if is_open(state, self._lineage):
            self._open[key] = lane, state.heard_ms or now_ms()  # an older release kept no time: begin with now
        else:
            self._open.pop(key, None)

    async def watch(self) -> None:
        """Look for silent calls until cancelled; returns at once if the group's `idle_after` sets no limit."""
        idle_ms = self._group.idle_after_ms
        while idle_ms is not None:
            await asyncio.sleep(min(max(idle_ms / 10_000, _SHORTEST_LOOK_S), _LONGEST_LOOK_S))
            try:
                if self._app.settled.is_set():
                    await self._look(now_ms() - idle_ms)
            except Exception as problem:  # Faust and its client have many; the next look tries again
                log.warning("silent_calls_not_ended", group=self._group.name, error=type(problem).__name__)

    async def _look(self, before_ms: int) -> None:
        if self._generation != self._app.consumer_generation_id:
            await self._read_table(self._app.consumer_generation_id)
        silent = [(key, entry) for key, entry in self._open.items() if entry[1] < before_ms]
        if not silent:
            return
        lanes = await self._read_up()
        still = [(key, entry) for key, entry in silent if entry[0] in lanes and self._open.get(key) == entry]
        words = [
            (key, entry, give_up(restore(stored), self._group.name))
            for key, entry in still[:_MOST_AT_ONCE]
            if (stored := self._calls.get(key))
        ]
        await asyncio.gather(*(self._send(entry[0], word) for _, entry, word in words))
        for key, entry, word in words:
            if self._open.get(key) == entry:  # nothing was taken in meanwhile, which would have noted it anew
                del self._open[key]
            log.info("gave_up_waiting", group=self._group.name, call_id=word.call_id)

    async def _read_table(self, generation: int) -> None:
        """Learn which calls are open, after a start or when lanes have moved; the stream goes on meanwhile."""
        self._open.clear()
        for count, (key, lane) in enumerate(self._calls.lanes().items()):
            if stored := self._calls.get(key):  # as it is by now
                self.note(lane, restore(stored))
            if count % _STATES_AT_ONCE == 0:
                await asyncio.sleep(0)
        self._generation = generation

    async def _read_up(self) -> set[int]:
        """The lanes of which everything has been taken in: only there a call can be seen to be silent."""
        consumer = self._app.consumer
        inputs = [tp for tp in consumer.assignment() if tp.topic in self._group.inputs]
        ends = await consumer.highwaters(*inputs)
        unread = {tp.partition for tp in inputs if (await consumer.position(tp) or 0) < ends[tp]}
        waiting = {tp.partition for tp in inputs if consumer.in_hand(tp)}
        return {tp.partition for tp in inputs} - unread - waiting
