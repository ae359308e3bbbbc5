"""A small graph, its consumers and their troubles, for the model of a worker (test_worker_machine.py).

Events are Utterances with re-purposed fields: `speaker` is the channel, `start_ms` the number there, `text` a word that
says what the consumer thinks of it. What becomes of a call's events follows from the first word of its name:

* chat: each is passed on at once, and nothing is remembered;
* count: each is numbered; that number, and a digest of all before, is the call's state;
* talk, both, solo: so many of a channel together are said as one, and the open ones hold the offset back;
* tape: each is said in two parts, the second without a further input.

A stateless group says each event again, whatever the call; one whose state is what it publishes, a batch's together.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Literal

from callbus.consumer import CallResult, CallSlice, Outcome, Reject, Retry
from callbus.topology import Batch, Group, Retrying, Topic, Topology
from schemas.records import Speaker, Utterance
from tests.builders import utterance
from tests.chaos.events import derived, digest

Kind = Literal["stateless", "stateful", "published"]

TOGETHER = 3
REFUSED, REFUSED_LOUDLY, DOOMED = "never", "never, nor what is with it", "not now, not ever"
INPUTS = ("live", "backlog")
CHANNELS: tuple[Speaker, ...] = ("caller", "agent")
ATTEMPTS = 4
IDLE_MS = 600_000


def small_graph(lanes: int, kind: Kind) -> tuple[Topology, Group]:
    """A graph of one group. It asks for little: a batch is four, so that a queue of seventeen is a long one."""
    changelog = {"stateless": None, "stateful": "gather-progress", "published": "said"}[kind]
    group = Group(
        name="gather",
        inputs=INPUTS,
        outputs=("said",),
        state="Utterance" if changelog else None,
        changelog=changelog,
        batch=Batch(size=4),
        retry=Retrying(attempts=ATTEMPTS, first_ms=1_000, most_ms=8_000),
        idle_after_ms=IDLE_MS if kind == "stateful" else None,
    )
    schemas = {"live": "Utterance", "backlog": "Utterance", "said": "Utterance", "call-events": "CallEvent"}
    topics = {
        name: Topic(name=name, schema=schema, partitions=lanes, compacted=name == changelog)
        for name, schema in schemas.items()
    }
    topology = Topology(
        path=Path("topology.yaml"),
        root=Path(),
        lanes=lanes,
        topics=topics,
        groups={group.name: group},
        producers={},
        models={},
        lines={},
    )
    return topology, group


@dataclass(slots=True)
class Trouble:
    """What befalls the consumer in its next batch."""

    again: set[str] = field(default_factory=set)  # events (ids) that ask for a retry
    breaks: set[str] = field(default_factory=set)  # those that no batch works with, until they are alone
    room: int | None = None  # for more events at once there is no memory
    quietly: bool = False  # a stateless consumer gives its refusals as values, and raises none
    meanwhile: Callable[[], None] | None = None  # what goes on while the model works
    mended: set[str] = field(default_factory=set)  # events that were refused once, and are not any more

    def befall(self, events: Sequence[Utterance], quietly: bool = False) -> None:
        """Raise, or don't, before these events are worked on."""
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        if self.room and len(events) > self.room:
            raise MemoryError
        if len(events) > 1 and any(event.event_id in self.breaks for event in events):
            raise RuntimeError("this batch is too much")
        for event in () if quietly else events:
            problem = self.verdict(event)
            if isinstance(problem, Retry) or (problem and event.text == REFUSED_LOUDLY):
                raise problem

    def verdict(self, event: Utterance) -> Reject | Retry | None:
        """What a consumer has against the event."""
        if event.event_id in self.mended:
            return Retry("not now") if event.event_id in self.again else None
        if event.text in (REFUSED, REFUSED_LOUDLY):
            return Reject("never")
        return Retry("not now") if event.text == DOOMED or event.event_id in self.again else None

    def sorted_out(self, events: Sequence[Utterance]) -> tuple[list[Utterance], list[tuple[Utterance, Reject]]]:
        """Those that a consumer can work on, and those that it refuses."""
        refused = [(event, problem) for event in events if isinstance(problem := self.verdict(event), Reject)]
        ids = {event.event_id for event, _ in refused}
        return [event for event in events if event.event_id not in ids], refused


class Repeat:
    """Stateless: says each event again."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble

    def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
        self._trouble.befall(events, self._trouble.quietly)
        return [self._trouble.verdict(event) or [say("gather", [event])] for event in events]


Step = Callable[
    [CallSlice[Utterance, Utterance], Sequence[Utterance]],  # of these events of the slice none is refused
    CallResult[Utterance, Utterance],
]


class Advance:
    """Stateful: goes on with each call by this step."""

    def __init__(self, trouble: Trouble, step: Step) -> None:
        self._trouble = trouble
        self._step = step

    def advance(self, slices: Sequence[CallSlice[Utterance, Utterance]]) -> list[CallResult[Utterance, Utterance]]:
        self._trouble.befall([event for one in slices for event in one.events])
        return [self._one(one) for one in slices]

    def _one(self, one: CallSlice[Utterance, Utterance]) -> CallResult[Utterance, Utterance]:
        events, refused = self._trouble.sorted_out(one.events)
        return replace(self._step(one, events), rejected=refused)


def publish(one: CallSlice[Utterance, Utterance], events: Sequence[Utterance]) -> CallResult[Utterance, Utterance]:
    """What is published of a call is what is remembered of it: all its events, numbered and digested."""
    if not events:
        return CallResult([], one.state)
    before = json.loads(one.state.text) if one.state else {"number": 0, "digest": 0}
    so_far = reduce(digest, events, before["digest"])
    new = say("gather", events, number=before["number"] + 1, digest=so_far)
    return CallResult([new], new)


def gather(one: CallSlice[Utterance, Utterance], events: Sequence[Utterance]) -> CallResult[Utterance, Utterance]:
    """By the call's name: see above. The state is an Utterance whose text holds what is remembered, as JSON."""
    if one.call_id.startswith("chat"):
        return CallResult([say("gather", [event]) for event in events], one.state)
    return (_tape if one.call_id.startswith("tape") else _together)(one, events)


@dataclass(slots=True)
class _Remembered:
    """What the state of `gather` holds."""

    number: int = 0
    digest: int = 0
    begun: list[str] = field(default_factory=list)  # tape: events of which the first part was said
    said: list[str] = field(default_factory=list)  # events that are done with: held back, they come again

    @classmethod
    def of(cls, state: Utterance | None) -> "_Remembered":
        return cls(**json.loads(state.text)) if state else cls()

    def as_state(self, call_id: str) -> Utterance | None:
        return utterance(call_id, json.dumps(asdict(self))) if self != _Remembered() else None


def _together(one: CallSlice[Utterance, Utterance], events: Sequence[Utterance]) -> CallResult[Utterance, Utterance]:
    """So many of a channel at once; the others when the call ends, or falls silent."""
    mine, open_ones, made = _Remembered.of(one.state), list(one.memory or ()), []
    together = 1 if one.call_id.startswith("count") else TOGETHER

    def close(channel: str) -> None:
        nonlocal open_ones
        its = [event for event in open_ones if event.speaker == channel]
        open_ones = [event for event in open_ones if event.speaker != channel]
        mine.number += 1
        mine.digest = reduce(digest, its, mine.digest)
        if together > 1:
            mine.said += [event.event_id for event in its]
        made.append(say("gather", its, number=mine.number, digest=mine.digest))

    for event in events:
        if event.event_id in mine.said:
            continue
        open_ones.append(event)
        over = event.kind == "end"
        for channel in sorted({e.speaker for e in open_ones}):
            if over or sum(e.speaker == channel for e in open_ones) == together:
                close(channel)
        if over:
            mine = _Remembered()
    if one.silent_since_ms is not None and not events:
        for channel in sorted({event.speaker for event in open_ones}):
            close(channel)
    return CallResult(made, mine.as_state(one.call_id), tuple(open_ones), open_ones[0] if open_ones else None)


def _tape(one: CallSlice[Utterance, Utterance], events: Sequence[Utterance]) -> CallResult[Utterance, Utterance]:
    """One part of the oldest event; there is more to do as long as one is left."""
    mine, made = _Remembered.of(one.state), []
    open_ones = [*(one.memory or ()), *(event for event in events if event.event_id not in mine.said)]
    if open_ones:
        first = open_ones[0]
        if first.event_id in mine.begun:
            made = [say("gather:2", [first])]
            mine.begun.remove(first.event_id)
            mine.said.append(first.event_id)
            del open_ones[0]
        else:
            made = [say("gather:1", [first])]
            mine.begun.append(first.event_id)
    holding = open_ones[0] if open_ones else None
    return CallResult(made, mine.as_state(one.call_id), tuple(open_ones), holding, unfinished=bool(open_ones))


def say(stage: str, events: Sequence[Utterance], **more: int) -> Utterance:
    """The output that is the effect of these events."""
    return derived(stage, events[-1], json.dumps({"of": [event.event_id for event in events], **more}))
