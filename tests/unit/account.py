"""What must hold of a group's topics whatever befell its worker: every input's effect once, and in its call's order.

Follows a Logbook record by record. It knows the consumers of gathering.py, and nothing of how a worker works.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from callbus.codec import Codec
from callbus.dead_letters import call_of
from callbus.errors import CodecError
from callbus.topology import Group
from callbus.worker import retry_log
from callbus.worker.records import Input, as_input
from callbus.worker.waiting import Waiting
from schemas.records import DeadLetter, Utterance
from tests.builders import Message
from tests.chaos.events import digest
from tests.unit.gathering import ATTEMPTS, CHANNELS, DOOMED, REFUSED, REFUSED_LOUDLY, TOGETHER
from tests.unit.logbook import Logbook

Spot = tuple[str, int, int]  # (topic, lane, offset)
Call = tuple[int, str]  # (lane, call)


@dataclass(frozen=True, slots=True)
class _Told:
    """An output: the events whose effect it is."""

    of: tuple[str, ...]
    part: str
    number: int
    digest: int


class Account:
    """The group's books. `mended` are the events that are not refused any more once they are sent back."""

    def __init__(self, log: Logbook, group: Group, codec: Codec, mended: set[str]) -> None:
        self.letters: dict[Spot, list[DeadLetter]] = defaultdict(list)
        self.forgotten = False  # so much time has passed that silent calls are forgotten
        self._log = log
        self._group = group
        self._codec = codec
        self._mended = mended
        self._read: Counter[tuple[str, int]] = Counter()
        self._inputs: dict[Spot, tuple[Message, Utterance | None]] = {}
        self._open: set[Spot] = set()  # no effect of these is known yet
        self._events: dict[str, Utterance] = {}
        self._told: dict[Call, list[_Told]] = defaultdict(list)
        self._times: Counter[str] = Counter()  # how often something was told of an event
        self._words: dict[Call, list[Any]] = defaultdict(list)
        self._replays: Counter[Spot] = Counter()
        self._ids: Counter[str] = Counter()

    def follow(self) -> None:
        """Take in what was written since."""
        group = self._group
        for place in [(t, n) for t in self._topics for n in range(8) if self._log.end((t, n))]:
            for message in self._log.read(place, self._read[place]):
                self._read[place] = message.offset + 1
                if place[0] in group.inputs:
                    self._take_input(message)
                elif place[0] == group.retries:
                    entry = retry_log.read(as_input(message))
                    if isinstance(entry, retry_log.Entry) and entry.replayed:
                        self._replays[entry.input.topic, entry.input.lane, entry.input.offset] += 1
                elif place[0] == group.dead_letters:
                    letter = self._codec.decode(*_of(message))
                    self.letters[letter.topic, letter.lane, letter.offset].append(letter)
                else:
                    self._take_event(place[0], message)

    def unaccounted(self) -> Iterator[str]:
        """Inputs before a committed offset of which there is no effect, and which do not wait."""
        for lane in range(8):
            place = self._group.retries, lane
            waiting = Waiting()
            log = self._log.read(place, self._log.committed.get(place, 0))
            waiting.restore([(message.offset, retry_log.read(as_input(message))) for message in log], 0)
            for spot in [spot for spot in self._open if spot[:2] in self._log.committed and spot[1] == lane]:
                _, event = self._inputs[spot]
                if spot in self.letters or (event is not None and self._times[event.event_id]):
                    self._open.remove(spot)
                elif spot[2] < self._log.committed[spot[:2]] and not waiting.holds(spot[0], spot[2]):
                    yield f"{spot} is committed past, and nothing came of it"

    def problems(self) -> Iterator[str]:
        """What is not as it should be, once nothing is left to do."""
        yield from self._dead()
        yield from self._effects()
        for call in self._told:
            yield from self._order(call)
            if self._group.state and (together := _together(self._group, call[1])):
                yield from self._chain(call, together)
        for call, words in self._words.items():
            yield from self._word(call, words)
        for place, at in self._log.committed.items():
            if place[0] in self._group.inputs and self._log.read(place, at):
                yield f"{place} is committed only to {at}"

    def event_id_at(self, *spot: Any) -> str:
        """The id of the event that stands there; "" for poison."""
        _, event = self._inputs[spot]
        return event.event_id if event else ""

    def input_at(self, *spot: Any) -> Input:
        """What stands there, as it was fetched."""
        return as_input(self._inputs[spot][0])

    @property
    def said(self) -> dict[str, int]:
        """How often each output was published, by its id."""
        return dict(self._ids)

    @property
    def _topics(self) -> Sequence[str]:
        group = self._group
        return *group.inputs, *group.outputs, group.retries, group.dead_letters, "call-events"

    def _take_input(self, message: Message) -> None:
        event: Utterance | None
        try:
            event = self._codec.decode(*_of(message))
        except CodecError:
            event = None
        if event is None or call_of(message.key) != event.call_id:
            event = None
        else:
            self._events[event.event_id] = event
        spot = message.topic, message.partition, message.offset
        self._inputs[spot] = message, event
        self._open.add(spot)

    def _take_event(self, topic: str, message: Message) -> None:
        event = self._codec.decode(*_of(message))
        call = message.partition, event.call_id
        if topic == "call-events":
            self._words[call].append(event)
            return
        said = json.loads(event.text)
        one = _Told(tuple(said["of"]), event.provenance.stage, said.get("number", 0), said.get("digest", 0))
        self._told[call].append(one)
        self._times.update(one.of)
        self._ids[event.event_id] += 1

    def _dead(self) -> Iterator[str]:
        for spot, (message, event) in self._inputs.items():
            letters, due = self.letters.get(spot, []), self._replays[spot]
            if event is None or (_guilty(event) and event.event_id not in self._mended):
                due += 1
            if len(letters) != due:
                yield f"{len(letters)} dead letters of {spot}, where {due} are due"
            for letter in letters:
                if (letter.key, letter.value) != (message.key, message.value):
                    yield f"a letter of {spot} differs from its original"
                if event is None and letter.attempts != 1:
                    yield f"poison {spot} was tried {letter.attempts} times"
                if event is not None and event.text == DOOMED and letter.attempts != ATTEMPTS:
                    yield f"{spot} was given up after {letter.attempts} attempts"

    def _effects(self) -> Iterator[str]:
        for spot, (_, event) in self._inputs.items():
            if event is not None:
                parts = 2 if event.call_id.startswith("tape") and self._group.idle_after_ms else 1
                due = 0 if _guilty(event) and event.event_id not in self._mended else parts
                if self._times[event.event_id] != due:
                    yield f"{spot}, {_name(event)}: {self._times[event.event_id]} effects, where {due} are due"

    def _order(self, call: Call) -> Iterator[str]:
        """By channel: channels of a call may be on different topics, between which no order is promised."""
        last: dict[tuple[str, str], int] = {}
        for one in self._told[call]:
            for event in map(self._events.__getitem__, one.of):
                if event.event_id in self._mended:
                    continue
                which = one.part, event.speaker
                if event.start_ms <= last.get(which, -1):
                    yield f"{call}: {_name(event)} came after number {last[which]}"
                last[which] = event.start_ms

    def _chain(self, call: Call, together: int) -> Iterator[str]:
        """Each output's number and digest follow from those before: the state was neither lost nor moved on twice."""
        number, so_far, short, over = 0, 0, 0, False
        for one in self._told[call]:
            events = [self._events[event_id] for event_id in one.of]
            if one.number == 1 and (over or self.forgotten):
                number, so_far, over = 0, 0, False
            number += 1
            so_far = reduce(digest, events, so_far)
            if (one.number, one.digest) != (number, so_far):
                yield f"{call}: output {number}, {[_name(event) for event in events]}, is not what follows"
                return
            over = over or (events[-1].kind == "end" and self._group.changelog not in self._group.outputs)
            short += len(events) < together
        cuts = sum(word.type == "interrupted" for word in self._words[call])
        cuts += sum(event.kind == "end" for event in self._events.values() if event.call_id == call[1])
        if short > cuts * len(CHANNELS):
            yield f"{call}: {short} outputs of fewer than {together} events, with {cuts} reasons"
        state = self._state(call)
        if (state is None) != over and not self.forgotten:
            yield f"{call}: its state is {state}"
        elif state is not None and (state["number"], state["digest"]) != (number, so_far):
            yield f"{call}: its state is {state}, where {number} outputs make {so_far}"

    def _state(self, call: Call) -> Any:
        changelog = self._group.changelog or ""
        ours = [m for m in self._log.read((changelog, call[0])) if m.key == call[1].encode()]
        return json.loads(self._codec.decode(*_of(ours[-1])).text) if ours and ours[-1].value else None

    def _is_mended(self, source: tuple[Message, Utterance | None]) -> bool:
        return source[1] is not None and source[1].event_id in self._mended

    def _word(self, call: Call, words: Sequence[Any]) -> Iterator[str]:
        letters = sum(len(its) for spot, its in self.letters.items() if (spot[1], its[0].call_id) == call)
        if (failed := sum(word.type == "failed" for word in words)) != letters:
            yield f"{call} was told {failed} times of {letters} failures"
        twice = Counter(word.event_id for word in words if word.type in ("interrupted", "reopened"))
        if any(times > 1 for times in twice.values()):
            yield f"{call} was told something twice: {[word.type for word in words]}"
        mended = sum(
            spot[1] == call[0] and _call(inp) == call[1] for spot, inp in self._inputs.items() if self._is_mended(inp)
        )
        # One that its call holds open comes again after a crash, and is told of again under the same id.
        if (told := len({word.event_id for word in words if word.type == "mended"})) != mended:
            yield f"{call} was told {told} times of {mended} failures that were mended"
        ups = [word.type for word in words if word.type in ("interrupted", "reopened")]
        due = ["interrupted", "reopened"] * len(ups)
        if not self.forgotten and ups != due[: len(ups)]:
            yield f"{call} was told {ups}"


def _together(group: Group, call_id: str) -> int:
    """How many events one output of the call is the effect of, if nothing cuts it short; 0: its outputs are not
    numbered."""
    if group.changelog in group.outputs:
        return 1
    return {"count": 1, "talk": TOGETHER, "both": TOGETHER, "solo": TOGETHER}.get(call_id.split("-", 1)[0], 0)


def _call(source: tuple[Message, Utterance | None]) -> str | None:
    return call_of(source[0].key)


def _guilty(event: Utterance) -> bool:
    return event.text in (REFUSED, REFUSED_LOUDLY, DOOMED)


def _name(event: Utterance) -> str:
    return f"{event.call_id}/{event.speaker}:{event.start_ms}"


def _of(message: Message) -> tuple[str, bytes | None]:
    return message.topic, message.value
