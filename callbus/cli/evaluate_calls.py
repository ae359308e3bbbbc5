"""Calls with truth, put through the graph: what their doors would publish, and what comes out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from callbus.errors import InputError
from callbus.evaluate.heard import Heard, heard
from callbus.evaluate.truth import TrueCall
from callbus.offline import Events, Offline
from callbus.topology import Topology
from producers.player import Play, PlayedEvent, WrittenCall, WrittenTurn, events, read
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


def hear(
    calls: Sequence[TrueCall], topology: Topology, on_step: OnStep, trial: Trial | None = None
) -> tuple[list[Heard], list[Heard], list[InputError]]:
    """What the graph makes of the calls, in their order; what the groups on trial make of the same words (nothing
    without a trial); an error for each call whose audio can't be used."""
    graph = Offline(topology)
    second = Offline(trial.topology) if trial else None
    known: dict[str, Heard] = {}
    tried: dict[str, Heard] = {}
    errors: list[InputError] = []
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
                errors.append(error)

        def on_fed(group: str, fed: int, total: int, what: str = what) -> None:
            on_step(f"{what}: {group}", fed, total)

        outcomes = graph.run({call_id: one.events for call_id, one in played.items()}, on_fed)
        again = {}
        if second and trial:
            again = second.run({call_id: trial.inputs(one.events) for call_id, one in outcomes.items()}, on_fed)
        for call in part:
            for its, found in ((known, outcomes), (tried, again)):
                if call.id in found:
                    its[call.id] = heard(call, played[call.id].turn_of, found[call.id], topology)
    return [known[c.id] for c in calls if c.id in known], [tried[c.id] for c in calls if c.id in tried], errors


def play(call: TrueCall) -> _Played:
    """Live audio, or the turns as utterances: messages of a chat, and of any other call what was spoken."""
    if call.audio is not None:
        timeline = events(Play(path=call.audio, call_id=call.id, mode="realtime"), read(call.audio))
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
