"""One batch through a consumer: bytes in, bytes out, and how far its lanes have come.

Everything here runs in the model's thread, never on the event loop, and talks to no broker. The lanes' memories move
only once the whole batch has succeeded, so that a batch that raises can simply come again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import structlog

from callbus import cloudevents
from callbus.codec import Codec
from callbus.consumer import CallSlice, Stateful, Stateless
from callbus.dead_letters import dead_letter
from callbus.errors import CallbusError, CodecError, Reject, Retry
from callbus.ids import event_id
from callbus.topology import Group, Topology
from callbus.worker import halving
from callbus.worker.changelog import resume_headers
from callbus.worker.lane import CallMemory, Input, Lane
from callbus.worker.records import OutRecord
from schemas.records import CallEvent

log = structlog.get_logger(__name__)

FAILURES = "call-events"  # where a call is told that a stage could not do its part


class NotNow(CallbusError):
    """An input of the batch asked for a retry: nothing of the batch counts yet."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a batch came to. `offsets`, by (topic, lane), are what may be committed together with `records`."""

    records: Sequence[OutRecord]
    offsets: Mapping[tuple[str, int], int]
    inputs: int
    rejected: int

    @property
    def size_bytes(self) -> int:
        return sum(len(record.value or b"") for record in self.records)


@dataclass(slots=True)
class _Event:
    """An input on its way: decoded, or refused with a reason."""

    source: Input
    call_id: str
    record: Any = None
    refusal: Reject | Retry | None = None


@dataclass(slots=True)
class _Move:
    """What a call's memory becomes if the batch succeeds."""

    lane: Lane
    call_id: str
    call: CallMemory
    state_changed: bool
    told: bool  # something of it can be seen outside: a replay must not repeat it
    records: list[OutRecord] = field(default_factory=list)


class Stage:
    """A group's consumer between its codec and its topics."""

    def __init__(self, topology: Topology, group: Group, consumer: Stateless | Stateful, codec: Codec) -> None:
        self._group = group
        self._consumer = consumer
        self._codec = codec
        self._outputs = {topology.topic(name).schema: name for name in group.outputs}
        # A group whose state is what it publishes (a compacted output) writes it once.
        self._state_topic = group.changelog if group.changelog not in group.outputs else None
        self._turn = 0

    def work(self, batch: Sequence[Input], lanes: Mapping[int, Lane], attempt: int = 1, last: bool = False) -> Finished:
        """Decode, consume, encode, and move the lanes on. One unfinished call goes on with every batch.

        `attempt` counts from 1. Raises NotNow if an input asks for a retry, unless this is the `last` attempt: then it
        is rejected. CodecError means that the consumer made an event that its topic can't carry.
        """
        events = [self._decode(message) for message in batch]
        if self._group.state is None:
            records, moves = self._stateless(events), []
        else:
            records, moves = [], self._stateful(events, lanes)
        self._refuse(events, attempt, last)
        for event in events:
            if event.refusal is not None:
                records += self._dead(event, event.refusal, attempt)
        offsets = self._move(batch, lanes, moves)
        for move in moves:
            records += move.records
            records += self._state(move, offsets)
        return Finished(records, offsets, len(batch), sum(event.refusal is not None for event in events))

    def _decode(self, message: Input) -> _Event:
        try:
            call_id = (message.key or b"").decode()
        except UnicodeDecodeError:
            return _Event(message, "", refusal=Reject("the message's key is not UTF-8: it should be the call_id"))
        if not call_id:
            return _Event(message, "", refusal=Reject("the message has no key: it should be the call_id"))
        try:
            record = self._codec.decode(message.topic, message.value)
        except CodecError as problem:
            return _Event(message, call_id, refusal=Reject(str(problem)))
        if record.call_id != call_id:
            return _Event(message, call_id, refusal=Reject("the message's key is not the call_id of its event"))
        return _Event(message, call_id, record)

    def _stateless(self, events: Sequence[_Event]) -> list[OutRecord]:
        good = [event for event in events if event.refusal is None]
        outcomes = halving.handle(cast(Stateless, self._consumer), [event.record for event in good])
        records: list[OutRecord] = []
        for event, outcome in zip(good, outcomes, strict=True):
            if isinstance(outcome, Reject | Retry):
                event.refusal = outcome
            else:
                records += [self._out(event.source.lane, made) for made in outcome]
        return records

    def _stateful(self, events: Sequence[_Event], lanes: Mapping[int, Lane]) -> list[_Move]:
        by_call: dict[tuple[int, str], list[_Event]] = {who: [] for who in self._going_on(lanes)}
        for event in events:
            lane = lanes[event.source.lane]
            if lane.seen(event.call_id, event.source):
                event.refusal = None  # it became a dead letter when it came first
            else:
                by_call.setdefault((lane.number, event.call_id), []).append(event)
        calls = {(number, call_id): lanes[number].calls.get(call_id) or CallMemory() for number, call_id in by_call}
        good = {who: [e for e in its if e.refusal is None] for who, its in by_call.items()}
        slices = {
            who: CallSlice(who[1], [event.record for event in its], calls[who].state, calls[who].memory)
            for who, its in good.items()
            if its or calls[who].unfinished
        }
        results = halving.advance(cast(Stateful, self._consumer), list(slices.values()))
        advanced = dict(zip(slices, results, strict=True))
        return [
            self._moved(lanes[who[0]], who[1], calls[who], its, advanced.get(who, halving.Advanced(None)))
            for who, its in by_call.items()
        ]

    def _going_on(self, lanes: Mapping[int, Lane]) -> list[tuple[int, str]]:
        """The unfinished call whose turn it is, if there is one: it neither stops the live ones nor starves."""
        waiting = [(lane.number, call_id) for lane in lanes.values() for call_id in lane.unfinished]
        self._turn += 1
        return [waiting[self._turn % len(waiting)]] if waiting else []

    def _moved(
        self, lane: Lane, call_id: str, before: CallMemory, its: Sequence[_Event], advanced: halving.Advanced
    ) -> _Move:
        refusals = {id(record): refusal for record, refusal in advanced.refused}
        for event in its:
            event.refusal = event.refusal or refusals.get(id(event.record))
        call, made, result = before, [], advanced.result
        if result is not None:
            arrived = [
                (event.record.event_id, event.source.topic, event.source.offset)
                for event in its
                if event.refusal is None
            ]
            holding = result.holding and result.holding.event_id
            call = before.moved(result.state, result.memory, arrived, holding, result.unfinished)
            made = [self._out(lane.number, record) for record in result.events]
        refused = [(event.source.topic, event.source.offset) for event in its if event.refusal is not None]
        return _Move(lane, call_id, call.refusing(refused), call.state != before.state, bool(made or refused), made)

    def _refuse(self, events: Sequence[_Event], attempt: int, last: bool) -> None:
        """Raise NotNow for a retry; on the last attempt make it a reject."""
        for event in events:
            if isinstance(event.refusal, Retry):
                if not last:
                    raise NotNow(str(event.refusal)) from event.refusal
                event.refusal = Reject(f"given up after {attempt} attempts: {event.refusal}")

    def _move(
        self, batch: Sequence[Input], lanes: Mapping[int, Lane], moves: Sequence[_Move]
    ) -> dict[tuple[str, int], int]:
        touched = {message.lane for message in batch} | {move.lane.number for move in moves}
        for move in moves:
            move.lane.remember(move.call_id, move.call)
        for number in touched:
            lanes[number].handled(message for message in batch if message.lane == number)
            lanes[number].settle()
        return {(topic, number): at for number in touched for topic, at in lanes[number].committable().items()}

    def _state(self, move: _Move, offsets: Mapping[tuple[str, int], int]) -> list[OutRecord]:
        """The call's state for the changelog, if it is new, or if only this record tells a replay what to pass over."""
        number = move.lane.number
        resume = {topic: at for topic, at in move.call.resume.items() if offsets[topic, number] < at}
        refused = [(topic, at) for topic, at in move.call.refused if offsets[topic, number] <= at]
        done = move.call.state is None
        only_here = bool(resume or refused) and (done or move.told)
        if self._state_topic is None or not (move.state_changed or only_here):
            return []
        value = None if done else self._codec.encode(self._state_topic, move.call.state)
        headers = resume_headers(resume, refused)
        return [OutRecord(self._state_topic, number, move.call_id.encode(), value, headers)]

    def _out(self, lane: int, record: Any) -> OutRecord:
        topic = self._outputs[type(record).__name__]
        value = self._codec.encode(topic, record)
        return OutRecord(topic, lane, record.call_id.encode(), value, cloudevents.headers(record, self._group.name))

    def _dead(self, event: _Event, refusal: Reject | Retry, attempts: int) -> list[OutRecord]:
        """The dead letter of a refused input, and word of it to its call."""
        source, name = event.source, self._group.name
        # The reason may name a file or quote what was said: it stands in the letter, never in the log.
        log.warning(
            "rejected",
            group=name,
            lane=source.lane,
            call_id=event.call_id or None,
            topic=source.topic,
            offset=source.offset,
            error=type(refusal).__name__,
        )
        letter = dead_letter(
            group=name,
            topic=source.topic,
            lane=source.lane,
            offset=source.offset,
            timestamp_ms=source.timestamp_ms,
            key=source.key,
            value=source.value,
            headers=source.headers,
            problem=refusal,
            attempts=attempts,
        )
        topic = self._group.dead_letters
        value, headers = self._codec.encode(topic, letter), cloudevents.headers(letter, name)
        records = [OutRecord(topic, source.lane, source.key, value, headers)]
        if event.call_id:
            failed = CallEvent(
                event_id=event_id(event.call_id, name, f"failed:{source.topic}:{source.lane}:{source.offset}"),
                call_id=event.call_id,
                at_ms=letter.at_ms,
                type="failed",
                medium="unknown",
                source=name,
                stage=name,
                reason=str(refusal),
            )
            value, headers = self._codec.encode(FAILURES, failed), cloudevents.headers(failed, name)
            records.append(OutRecord(FAILURES, source.lane, source.key, value, headers))
        return records
