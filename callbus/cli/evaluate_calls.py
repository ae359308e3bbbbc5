"""Calls with truth, put through the graph: what their doors would publish, and what comes out."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from callbus.cli.shell import say
from callbus.errors import CallbusError, InputError
from callbus.evaluate.heard import Heard, heard
from callbus.evaluate.reading import TrueCall
from callbus.loading import consumer_of
from callbus.offline import Events, Load, Offline, Outcome
from callbus.topology import Topology
from producers.player import AudioCall, Play, PlayedEvent, WrittenCall, WrittenTurn, events, read
from schemas.records import Kind, Utterance

T = TypeVar("T")

AUDIO_AT_ONCE = 4
"""Calls of sound: each is in memory whole. Those of text go all together."""

_BEGAN_MS = 1_700_000_000_000  # any time: events carry it, and nothing depends on it


@dataclass(frozen=True, slots=True)
class Trial:
    """Some groups with other heads, to run over what the rest of the graph has made already."""

    topology: Topology  # of these groups alone

    @classmethod
    def of(cls, variant: Topology, groups: Sequence[str]) -> "Trial":
        return cls(replace(variant, groups={name: variant.groups[name] for name in groups}))

    def inputs(self, events: Events) -> Events:
        """What is known of a call, without what these groups have made of it."""
        made = {name for group in self.topology.groups.values() for name in group.outputs}
        return {name: its for name, its in events.items() if name not in made}


OnStep = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class _Played:
    """What the doors publish of a call, and which turn each written utterance is."""

    events: Events
    turn_of: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the graph made of the calls, in their order; what the groups on trial made of the same words (nothing
    without a trial); and which calls could not be measured."""

    heard: list[Heard]
    tried: list[Heard]
    unusable: list["NotMeasured"]


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A call that nothing is known of, and why. `is_fault`: of callbus, not of the file."""

    call: str
    why: str
    is_fault: bool


class _Graph:
    """The graph, and the groups on trial over what it made."""

    def __init__(self, topology: Topology, trial: Trial | None, load: Load) -> None:
        self._first = Offline(topology, load)
        self._second = Offline(trial.topology, load) if trial else None
        self._trial = trial

    def run(self, calls: Mapping[str, Events], on_fed: OnStep) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
        outcomes = self._first.run(calls, on_fed)
        if not self._second or not self._trial:
            return outcomes, {}
        inputs = {call_id: self._trial.inputs(one.events) for call_id, one in outcomes.items()}
        return outcomes, self._second.run(inputs, on_fed)


def hear(
    calls: Sequence[TrueCall],
    topology: Topology,
    on_step: OnStep,
    trial: Trial | None = None,
    load: Load = consumer_of,
) -> Hearing:
    """Every call through the graph. A call that breaks a consumer costs no other call its figures: where one of those
    that go together does, they go one by one. Raises what can be mended, such as a model that is missing."""
    graph = _Graph(topology, trial, load)
    known: dict[str, Heard] = {}
    tried: dict[str, Heard] = {}
    unusable: list[NotMeasured] = []
    written = [call for call in calls if call.audio is None]
    sound = [call for call in calls if call.audio is not None]
    done = 0
    for part in [*([written] if written else []), *_parts(sound, AUDIO_AT_ONCE)]:
        what = f"{len(part)} of text" if part is written else f"audio {done + 1}–{done + len(part)} of {len(sound)}"  # noqa: RUF001
        done += 0 if part is written else len(part)
        played: dict[str, _Played] = {}
        for call in part:
            try:
                played[call.id] = play(call)
            except InputError as error:
                unusable.append(NotMeasured(call.id, str(error), is_fault=False))
            except Exception as error:  # of one file among many
                unusable.append(_fault(call.id, error))

        def on_fed(group: str, fed: int, total: int, what: str = what) -> None:
            on_step(f"{what}: {group}", fed, total)

        outcomes, again, faults = _run(graph, {call_id: one.events for call_id, one in played.items()}, on_fed)
        unusable += faults
        for call in part:
            for its, found in ((known, outcomes), (tried, again)):
                if call.id in found:
                    its[call.id] = heard(call, played[call.id].turn_of, found[call.id], topology)
    return Hearing(
        [known[c.id] for c in calls if c.id in known], [tried[c.id] for c in calls if c.id in tried], unusable
    )


def _run(
    graph: _Graph, calls: Mapping[str, Events], on_fed: OnStep
) -> tuple[dict[str, Outcome], dict[str, Outcome], list[NotMeasured]]:
    """Together, or where that breaks, each on its own."""
    try:
        return *graph.run(calls, on_fed), []
    except CallbusError:
        raise
    except Exception as error:  # whatever a model may raise
        if len(calls) == 1:
            return {}, {}, [_fault(next(iter(calls)), error)]
    outcomes: dict[str, Outcome] = {}
    again: dict[str, Outcome] = {}
    faults: list[NotMeasured] = []
    for call_id, events_ in calls.items():
        its, others, broken = _run(graph, {call_id: events_}, on_fed)
        outcomes |= its
        again |= others
        faults += broken
    return outcomes, again, faults


def _fault(call_id: str, error: Exception) -> NotMeasured:
    """Names the place, the last that is no library's, and not the message, which may quote the call."""
    frames = traceback.extract_tb(error.__traceback__)
    last = [*frames[:1], *(frame for frame in frames if "site-packages" not in frame.filename)][-1]
    place = f"{'/'.join(Path(last.filename).parts[-3:])}:{last.lineno}"
    return NotMeasured(
        call_id, f"call {call_id}: not measured: {type(error).__name__} in {place}; a fault in callbus", is_fault=True
    )


def play(call: TrueCall) -> _Played:
    """Live audio, or the turns as utterances: messages of a chat, and of any other call what was spoken."""
    if call.audio is not None:
        timeline = events(Play(path=call.audio, call_id=call.id, mode="realtime"), _recorded(call, call.audio))
        return _Played(_by_topic((due.topic, due.due_ms, due.record) for due in timeline), {})
    written, numbers = _written(call)
    kind: Kind = "message" if written.medium == "chat" else "speech"
    timed: list[tuple[str, float, PlayedEvent]] = []
    turn_of: dict[str, int] = {}
    in_time = iter(sorted(range(len(numbers)), key=lambda number: written.turns[number].end_ms))
    for due in events(Play(path=call.path, call_id=call.id), written):
        record = due.record
        if isinstance(record, Utterance) and record.kind == "message":
            record = replace(record, kind=kind)
            turn_of[record.event_id] = numbers[next(in_time)]
        timed.append((due.topic, due.due_ms, record))
    return _Played(_by_topic(timed), turn_of)


def _recorded(call: TrueCall, audio: Path) -> AudioCall | WrittenCall:
    """The sound, with the channels that the truth names; those of any call where it names none that fit."""
    its, named = read(audio, beside=False), call.truth.channels
    if isinstance(its, WrittenCall) or not named:
        return its
    if len(named) == len(its.channels) == len(set(named)):
        return replace(its, channels=named)
    say(f"warning: {call.path}: channels: do not fit the {len(its.channels)} of {audio.name}; left out")
    return its


def _written(call: TrueCall) -> tuple[WrittenCall, list[int]]:
    """The call as the player knows one, and of each of its turns which it is in the truth."""
    turns, numbers = [], []
    for number, (turn, (start_ms, end_ms)) in enumerate(zip(call.truth.turns, call.truth.times(), strict=True)):
        if speaker := turn.spoken_by:
            said = {"start_ms": start_ms, "end_ms": end_ms, "text": turn.text, "language": turn.language}
            turns.append(WrittenTurn.model_validate({"speaker": speaker, **said}))
            numbers.append(number)
    return WrittenCall(
        language=call.truth.language or "en",
        medium="chat" if call.truth.medium == "chat" else "phone",
        turns=tuple(turns),
    ), numbers


def _by_topic(timed: Iterable[tuple[str, float, PlayedEvent]]) -> Events:
    topics: dict[str, list[PlayedEvent]] = {}
    for topic, due_ms, record in timed:
        topics.setdefault(topic, []).append(replace(record, at_ms=_BEGAN_MS + round(due_ms)))
    return topics


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
