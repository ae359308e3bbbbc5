"""One batch through a consumer: bytes in, bytes out, and how far its lanes have come.

Everything here runs in the model's thread, never on the event loop, and talks to no broker. The lanes' memories move
only once the whole batch has succeeded, so that a batch that raises can simply come again.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from callbus.clock import now_ms
from callbus.codec import Codec
from callbus.consumer import CallSlice, Stateful, Stateless
from callbus.errors import Reject, Retry
from callbus.topology import Group, Topology
from callbus.worker import halving, patience
from callbus.worker.ages import Ages
from callbus.worker.arrivals import Arrival, Fate, decode, hold_up
from callbus.worker.blame import blame_on
from callbus.worker.lane import Lane
from callbus.worker.memory import CallMemory
from callbus.worker.moving import Move, moved
from callbus.worker.outbox import Outbox, at_once
from callbus.worker.records import Input, OutRecord


@dataclass(frozen=True, slots=True)
class Silent:
    """A call that has fallen silent, and when it was last heard of, in Unix time."""

    lane: int
    call_id: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Finished:
    """What a batch came to. `offsets`, by (topic, lane), are what may be committed together with `records`.

    `loose` are the records of at-least-once topics: no transaction holds them up.
    """

    records: Sequence[OutRecord]
    loose: Sequence[OutRecord]
    offsets: Mapping[tuple[str, int], int]
    inputs: Sequence[Input]
    size_bytes: int  # of `records`
    counts: Counter[str]  # of "worked_on", "rejected", "again", "behind", "interrupted", "reopened"
    dead: Counter[str]  # the rejected ones by the class of the error
    one_of_the_dead: tuple[str, int, int] | None = None  # where it came from, as (topic, lane, offset)


class Stage:
    """A group's consumer between its codec and its topics. `loose` are its outputs that are at-least-once."""

    def __init__(self, topology: Topology, group: Group, consumer: Stateless | Stateful, codec: Codec) -> None:
        self._group = group
        self._consumer = consumer
        self._codec = codec
        self.loose = frozenset(name for name in group.outputs if topology.topic(name).delivery != "exactly-once")
        self._outbox = Outbox(topology, group, codec, self.loose)
        self._room = halving.Room()
        self._ages = Ages()
        self._turn = 0

    def work(
        self,
        batch: Sequence[Input],
        lanes: Mapping[int, Lane],
        silent: Sequence[Silent] = (),
        crowd: patience.Crowd = (),
    ) -> Finished:
        """Decode, consume, encode, and move the lanes on. One unfinished call goes on with every batch.

        In `batch` the inputs that had to wait come before the others of their call. `silent` calls are asked for their
        last word. The inputs of the calls in `crowd`, as (lane, key), wait: others come first. CodecError means that
        the consumer made an event that its topic can't carry.
        """
        arrivals = [self._arrive(message, lanes[message.lane]) for message in batch]
        patience.send_back(arrivals, lanes, crowd)
        if self._group.state is None:
            records, moves = self._stateless(arrivals), []
        else:
            records, moves = [], self._stateful(arrivals, lanes, silent)
        for arrival in arrivals:
            if arrival.dead:
                records += self._outbox.dead(arrival)
            elif arrival.to_work_on and arrival.entry is not None and arrival.entry.replayed:
                records.append(self._outbox.mended(arrival))
        waiting = patience.wait(self._group, arrivals, lanes)
        offsets = self._move(batch, lanes, moves)
        for move in moves:
            records += move.records
            records += self._outbox.state(
                move.lane.number, move.call_id, move.call, offsets, changed=move.changed, told=move.told
            )
        loose, bound = at_once(records, self.loose)
        bound += waiting
        size_bytes = sum(len(record.value or b"") for record in bound)
        gone = [arrival for arrival in arrivals if arrival.dead]
        dead, where = Counter(type(arrival.refusal).__name__ for arrival in gone), gone[0].source if gone else None
        one = (where.topic, where.lane, where.offset) if where else None
        return Finished(bound, loose, offsets, batch, size_bytes, self._counts(arrivals, moves), dead, one)

    def _arrive(self, message: Input, lane: Lane) -> Arrival:
        entry = lane.waiting[message.waiting_id] if message.waiting_id else None
        place = message.topic, message.offset
        if entry is not None and entry.replayed:  # its first place is long past
            place = self._group.retries, lane.waiting.offset_of(entry.id)
        return decode(self._codec, message, entry, place)

    def _stateless(self, arrivals: Sequence[Arrival]) -> list[OutRecord]:
        todo = [arrival for arrival in arrivals if arrival.to_work_on]
        blame = blame_on(self._group.name, todo)
        outcomes = halving.handle(cast(Stateless, self._consumer), [a.record for a in todo], self._room, blame)
        for arrival, outcome in zip(todo, outcomes, strict=True):
            if isinstance(outcome, Reject | Retry):
                arrival.refused(outcome, self._group.retry.attempts)
        hold_up(arrivals)
        records: list[OutRecord] = []
        for arrival, outcome in zip(todo, outcomes, strict=True):
            if arrival.to_work_on and not isinstance(outcome, Reject | Retry):
                try:
                    records += [self._outbox.made(arrival.source.lane, made) for made in outcome]
                except Reject as too_large:
                    arrival.refusal = too_large
        return records

    def _stateful(self, arrivals: Sequence[Arrival], lanes: Mapping[int, Lane], silent: Sequence[Silent]) -> list[Move]:
        by_call: dict[tuple[int, str], list[Arrival]] = {who: [] for who in self._going_on(lanes)}
        since = {(one.lane, one.call_id): one.since_ms for one in silent}
        for who in since:
            by_call[who] = []
        for arrival in arrivals:
            if arrival.fate is Fate.WORKED_ON:
                who = arrival.source.lane, arrival.call_id
                by_call.setdefault(who, []).append(arrival)
                since.pop(who, None)
        calls = {(number, call_id): lanes[number].calls.get(call_id) or CallMemory() for number, call_id in by_call}
        behind_s = {
            who: lag_s for who, its in by_call.items() if (lag_s := self._behind_s(who, its, lanes)) is not None
        }
        furthest_s = max(behind_s.values(), default=0.0)
        slices = {
            who: CallSlice(
                call_id=who[1],
                events=[a.record for a in its if a.to_work_on],
                state=calls[who].state,
                memory=calls[who].memory,
                silent_since_ms=since.get(who),
                behind_s=behind_s.get(who, furthest_s),
            )
            for who, its in by_call.items()
            if any(a.to_work_on for a in its) or calls[who].unfinished or (who in since and not calls[who].interrupted)
        }
        blame = blame_on(self._group.name, arrivals)
        results = halving.advance(cast(Stateful, self._consumer), list(slices.values()), self._room, blame)
        advanced = dict(zip(slices, results, strict=True))
        for who, result in advanced.items():
            self._note(by_call[who], result)
        hold_up(arrivals)
        return [
            moved(self._outbox, lanes[who[0]], who[1], calls[who], its, advanced.get(who), since.get(who))
            for who, its in by_call.items()
        ]

    def _behind_s(self, who: tuple[int, str], its: Sequence[Arrival], lanes: Mapping[int, Lane]) -> float | None:
        """How long a call's oldest input of the first topic has waited; None without one."""
        live, sources = self._group.inputs[0], [arrival.source for arrival in its]
        stamped_ms = [one.timestamp_ms for one in sources if one.topic == live and not one.waiting_id]
        caught_up = not lanes[who[0]].queued(live)
        return self._ages.behind_s(who, stamped_ms, now_ms(), caught_up=caught_up) if stamped_ms else None

    def _going_on(self, lanes: Mapping[int, Lane]) -> list[tuple[int, str]]:
        """The unfinished call whose turn it is, if there is one: it neither stops the live ones nor starves."""
        waiting = [(lane.number, call_id) for lane in lanes.values() for call_id in lane.unfinished]
        self._turn += 1
        return [waiting[self._turn % len(waiting)]] if waiting else []

    def _note(self, its: Sequence[Arrival], advanced: halving.Advanced) -> None:
        """What the consumer refused of a call's inputs, and what had to be left for that."""
        refused = {id(record): problem for record, problem in advanced.refused}
        left = {id(record) for record in advanced.left}
        for arrival in its:
            if id(arrival.record) in left and arrival.refusal is None:
                arrival.fate = Fate.BEHIND
            elif problem := refused.get(id(arrival.record)):
                arrival.refused(problem, self._group.retry.attempts)

    def _move(
        self, batch: Sequence[Input], lanes: Mapping[int, Lane], moves: Sequence[Move]
    ) -> dict[tuple[str, int], int]:
        touched = {message.lane for message in batch} | {move.lane.number for move in moves}
        now_s = time.monotonic()
        for move in moves:
            move.lane.remember(move.call_id, move.call, now_s if move.heard else None)
        for number in touched:
            lanes[number].handled(message for message in batch if message.lane == number)
            lanes[number].settle()
        return {(topic, number): at for number in touched for topic, at in lanes[number].committable().items()}

    def _counts(self, arrivals: Sequence[Arrival], moves: Sequence[Move]) -> Counter[str]:
        counts = Counter(
            "rejected" if arrival.dead else arrival.fate.name.lower()
            for arrival in arrivals
            if arrival.fate is not Fate.SEEN
        )
        return counts + Counter(move.word for move in moves if move.word)
