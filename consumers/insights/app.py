"""The Faust app: batches of events in, each call's insight out, its state in the table `calls`.

Order makes it at-least-once: the insights are acknowledged before the states are written, the states before the inputs
are done. After a crash between any two of them the inputs come again onto an older state and give the same insight.

Where this group gave up on a call (`open_calls`), it says so on the topic of the call events, and takes it in from
there; likewise that it was too early, when something comes after all.
"""

import asyncio
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from callbus import cloudevents
from callbus.clock import now_ms
from callbus.codec import Codec
from callbus.dead_letters import dead_letter
from callbus.errors import CodecError
from callbus.faust_host import Changelogged, HostedApp
from callbus.kafka import Connection
from callbus.topology import Group, Topology
from consumers.insights.join import Input, fold, insight, shows_more
from consumers.insights.lineage import lineage, writer_of
from consumers.insights.open_calls import OpenCalls
from consumers.insights.silence import given_up, reopen
from consumers.insights.state import InsightState, dump, restore
from schemas.records import CallEvent, DeadLetter

log = structlog.get_logger(__name__)

BATCH = 500
WITHIN_S = 0.03  # how long an event may wait for others


@dataclass(slots=True)
class _Call:
    """A call that this batch touches."""

    lane: int
    stored: InsightState
    state: InsightState
    reopened: CallEvent | None = None  # our own word that it goes on


class Insights:
    """Runs the group until `stop` is called or something goes wrong for good. Make it inside the event loop."""

    def __init__(
        self, topology: Topology, group: Group, codec: Codec, connection: Connection, member: str | None = None
    ) -> None:
        """`member` is this process's stable name within the group (static membership)."""
        self.group = group
        self._codec = codec
        self._lineage = lineage(topology, group)
        self._stage_of = {topic: writer_of(topology, topic) for topic in group.inputs}
        self._stopping = asyncio.Event()
        self._app = app = HostedApp(group=group.name, lanes=topology.lanes, connection=connection, member=member)
        (self._output,) = group.outputs
        (self._call_events,) = (name for name in group.inputs if topology.topic(name).schema == "CallEvent")
        written = (self._output, group.dead_letters, self._call_events)
        self._topics = {name: app.topic(name, key_type=bytes, value_type=bytes) for name in written}
        self._calls = Changelogged(app, "calls", topology.lanes)
        self._open = OpenCalls(app, self._calls, group, self._lineage, self._tell)
        app.agent(app.topic(*group.inputs, key_type=bytes, value_type=bytes), name=group.name)(self._join)

    async def run(self) -> None:
        """Join the group and work. Returns after `stop`; raises what can't be mended here."""
        watching = asyncio.create_task(self._open.watch(), name="open-calls")
        try:
            await self._app.run(self._stopping, [*self.group.inputs, *self._topics])
        finally:
            watching.cancel()

    def stop(self) -> None:
        """Finish what is in hand, commit it, and let `run` return."""
        self._stopping.set()

    async def ready(self) -> None:
        """Returns once lanes are assigned and their calls restored."""
        await self._app.settled.wait()

    @property
    def lanes(self) -> list[int]:
        """The lanes read here."""
        return sorted({tp.partition for tp in self._app.consumer.assignment() if tp.topic in self.group.inputs})

    async def _join(self, stream: AsyncIterable[Any]) -> None:
        async for events in stream.noack_take(BATCH, within=WITHIN_S):  # type: ignore[attr-defined]
            try:
                await self._take(self._app.split_stale(events))
            except Exception as problem:
                # Faust would restart this agent behind the batch, and the batch would be lost.
                await self._app.crash(problem)
                return

    async def _take(self, events: Sequence[Any]) -> None:
        calls: dict[str, _Call] = {}
        letters: list[tuple[int, DeadLetter]] = []
        for event in events:
            lane, folded = event.message.partition, self._read(event.message)
            if isinstance(folded, DeadLetter):
                letters.append((lane, folded))
                if not (lost := self._lost(folded)):
                    continue
                folded = lost
            call = calls.get(folded.call_id) or self._call(folded.call_id, lane)
            before, call.state = call.state, replace(fold(call.state, folded), heard_ms=now_ms())
            if given_up(before) and given_up(call.state) and shows_more(before, call.state):
                call.reopened = reopen(call.state, self.group.name)
            calls[folded.call_id] = call
        await self._publish(list(calls.values()), letters)
        await self._calls.store({call.state.call_id.encode(): (call.lane, dump(call.state)) for call in calls.values()})
        for call in calls.values():
            self._open.note(call.lane, call.state)
        self._app.done(events)

    def _call(self, call_id: str, lane: int) -> _Call:
        stored = self._calls.get(call_id.encode())
        state = restore(stored) if stored else InsightState(call_id=call_id)
        return _Call(lane=lane, stored=state, state=state)

    def _read(self, message: Any) -> Input | DeadLetter:
        try:
            found: Input = self._codec.decode(message.topic, message.value)
        except CodecError as problem:
            letter = self._letter(message, problem)
            log.warning(
                "unreadable event",
                group=self.group.name,
                topic=message.topic,
                lane=message.partition,
                offset=message.offset,
                call_id=letter.call_id,
                error=type(problem).__name__,
            )
            return letter
        return found

    async def _publish(self, calls: Sequence[_Call], letters: Sequence[tuple[int, DeadLetter]]) -> None:
        """Send what the batch came to, all at once, and await the broker's word for all of it."""
        changed = [call for call in calls if shows_more(call.stored, call.state)]
        sent = []
        for call in changed:
            told = insight(call.state, self._lineage)
            call.state = replace(call.state, told_id=told.event_id)
            sent.append(await self._send(self._output, call.lane, told))
        sent += [await self._send(self.group.dead_letters, lane, letter) for lane, letter in letters]
        sent += [await self._send(self._call_events, call.lane, call.reopened) for call in calls if call.reopened]
        await asyncio.gather(*sent)

    async def _tell(self, lane: int, word: CallEvent) -> None:
        await (await self._send(self._call_events, lane, word))

    async def _send(self, topic: str, lane: int, record: Any) -> Any:
        return await self._topics[topic].send(
            key=record.call_id.encode() if record.call_id else None,
            value=self._codec.encode(topic, record),
            partition=lane,
            headers=cloudevents.headers(record, self.group.name),
        )

    def _letter(self, message: Any, problem: CodecError) -> DeadLetter:
        return dead_letter(
            group=self.group.name,
            topic=message.topic,
            lane=message.partition,
            offset=message.offset,
            timestamp_ms=int(message.timestamp * 1000),
            key=message.key,
            value=message.value,
            headers=message.headers or (),
            problem=problem,
        )

    def _lost(self, letter: DeadLetter) -> CallEvent | None:
        """What the call's insight is told of an input that could not be read: its stage lost an event."""
        if letter.call_id is None:
            return None
        return CallEvent(
            event_id=letter.event_id,
            call_id=letter.call_id,
            at_ms=letter.timestamp_ms,
            type="failed",
            medium="unknown",
            source=self.group.name,
            stage=self._stage_of[letter.topic],
            reason=f"an event of {letter.topic} could not be read",
            attributes={"scope": "event"},
        )
