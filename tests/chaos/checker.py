"""Compares what is with what should be, and says each difference with its evidence. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from callbus.codec import Codec
from callbus.dead_letters.ledger import settlement_in
from callbus.lanes import CALL_EVENTS
from callbus.topology import Group, Topology
from tests.chaos.expected import Expected, Said, Spot, Thread, expected, said
from tests.chaos.reading import Place

Records = Mapping[Place, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is not as it was promised."""

    group: str
    what: str  # "missing", "twice", "order", "stranger", "content", "dead letter", "failure", "state", "offset", …
    evidence: str

    def __str__(self) -> str:
        return f"{self.group}: {self.what}: {self.evidence}"


def check(topology: Topology, codec: Codec, consumers: Mapping[str, Any], records: Records) -> list[Violation]:
    """Every group against a replay of its inputs from scratch by `consumers`, the groups' pure ones."""
    return [
        violation
        for name, group in topology.groups.items()
        for violation in _check_group(group, topology.lanes, codec, consumers[name], records)
    ]


def uncommitted(topology: Topology, records: Records, offsets: Mapping[str, Mapping[Place, int]]) -> list[Violation]:
    """Inputs at or after their group's committed offset."""
    return [
        Violation(
            name,
            "offset",
            f"{topic}[{lane}] is committed to {at}, its last message is {records[topic, lane][-1].offset}",
        )
        for name in topology.groups
        for (topic, lane), at in offsets[name].items()
        if records.get((topic, lane)) and records[topic, lane][-1].offset >= at
    ]


def _check_group(group: Group, lanes: int, codec: Codec, consumer: Any, records: Records) -> Iterator[Violation]:
    inputs = {(topic, lane): records.get((topic, lane), ()) for topic in group.inputs for lane in range(lanes)}
    archive = Archive(group, codec, records)
    due = expected(group, consumer, codec, inputs, archive.sent_back)
    [output] = group.outputs
    yield from _outputs(group.name, codec, output, due, records)
    yield from _dead_letters(group, due, archive)
    yield from _words(group.name, codec, due, records)
    if group.changelog is not None:
        yield from _states(group.name, group.changelog, codec, due, records)


def _outputs(group: str, codec: Codec, topic: str, due: Expected, records: Records) -> Iterator[Violation]:
    found: dict[Thread, list[Said]] = defaultdict(list)
    where: dict[str, list[str]] = defaultdict(list)
    for (name, lane), messages in records.items():
        if name != topic:
            continue
        for message in messages:
            if message.value.startswith(b"\xde\xad"):
                continue  # the stranger's
            event = codec.decode(topic, message.value)
            found[lane, event.call_id, event.speaker].append(said(event))
            maker = event.provenance.model_version
            where[event.event_id].append(f"{topic}[{lane}]@{message.offset} by process {maker} at {message.timestamp}")
    for thread in sorted(due.said.keys() | found.keys()):
        yield from _thread(group, thread, due.said.get(thread, []), found.get(thread, []), due.late, where)


def _thread(
    group: str,
    thread: Thread,
    due: Sequence[Said],
    found: Sequence[Said],
    late: Set[str],
    where: Mapping[str, list[str]],
) -> Iterator[Violation]:
    if list(due) == list(found):
        return
    lane, call_id, channel = thread
    who = f"{call_id} {channel} on lane {lane}"
    times, wanted = Counter(one[0] for one in found), Counter(one[0] for one in due)
    texts = {one[0]: one for one in due}
    for event_id, sequence, _, text in {one[0]: one for one in (*due, *found)}.values():
        places = "; ".join(where[event_id]) or "nowhere"
        if times[event_id] < wanted[event_id]:
            yield Violation(group, "missing", f"{who}, number {sequence} ({text}): {places}")
        elif not wanted[event_id]:
            yield Violation(group, "stranger", f"{who}, number {sequence} ({text}): {places}")
        elif times[event_id] > wanted[event_id]:
            yield Violation(group, "twice", f"{who}, number {sequence}: {places}")
        elif (got := next(one for one in found if one[0] == event_id)) != texts[event_id]:
            yield Violation(
                group, "content", f"{who}, number {sequence}: {got[3]} instead of {texts[event_id][3]}: {places}"
            )
    due, found = ([one for one in those if one[0] not in late] for those in (due, found))
    if times == wanted and [one[0] for one in due] != [one[0] for one in found]:
        at = next(i for i, (a, b) in enumerate(zip(due, found, strict=True)) if a[0] != b[0])
        yield Violation(
            group, "order", f"{who}: number {found[at][1]} where {due[at][1]} was due: {where[found[at][0]][0]}"
        )


class Archive:
    """A group's dead letters by the input that each is of, as (lane, offset, letter), and what was done with them."""

    def __init__(self, group: Group, codec: Codec, records: Records) -> None:
        self.letters: dict[Spot, list[tuple[int, int, Any]]] = defaultdict(list)
        self.sent_back: Counter[Spot] = Counter()
        self.wrong: list[str] = []
        spots: dict[tuple[int, int], Spot] = {}
        for (name, lane), messages in records.items():
            for message in messages if name == group.dead_letters else ():
                if message.value is not None:
                    letter = codec.decode(name, message.value)
                    spots[lane, message.offset] = spot = letter.topic, letter.lane, letter.offset
                    self.letters[spot].append((lane, message.offset, letter))
                elif (settled := settlement_in(message.headers)) and (lane, settled.offset) in spots:
                    self.sent_back[spots.pop((lane, settled.offset))] += 1
                else:
                    self.wrong.append(f"{name}[{lane}]@{message.offset} settles no letter, or one that was settled")


def _dead_letters(group: Group, due: Expected, archive: Archive) -> Iterator[Violation]:
    for place in sorted(due.dead.keys() | archive.letters.keys()):
        letters, original = archive.letters.get(place, []), due.dead.get(place)
        at = f"{place[0]}[{place[1]}]@{place[2]}"
        written = ", ".join(f"{group.dead_letters}[{lane}]@{offset}: {x.message}" for lane, offset, x in letters)
        if original is None:
            yield Violation(group.name, "dead letter", f"of {at}, which is no poison: {written}")
            continue
        if len(letters) != due.letters[place]:
            many = f"{len(letters)} instead of {due.letters[place]} of the poison {at}: {written}"
            yield Violation(group.name, "dead letter", many)
        for lane, _, letter in letters:
            headers = tuple((h.name, h.value) for h in letter.headers)
            same = place[1], original.key, original.value, tuple(original.headers)
            if (lane, letter.key, letter.value, headers) != same:
                yield Violation(group.name, "dead letter", f"of {at} differs from its original")
            tries = group.retry.attempts
            given_up = letter.message.startswith(f"given up after {tries} attempts") and letter.attempts == tries
            if given_up != (place in due.given_up):
                yield Violation(group.name, "dead letter", f"of {at} after {letter.attempts} attempts: {written}")
    yield from (Violation(group.name, "dead letter", wrong) for wrong in archive.wrong)


def _words(group: str, codec: Codec, due: Expected, records: Records) -> Iterator[Violation]:
    found: Counter[tuple[int, str, str]] = Counter()
    for (name, lane), messages in records.items():
        if name == CALL_EVENTS:
            events = (codec.decode(name, message.value) for message in messages)
            found.update((lane, event.call_id, event.type) for event in events if event.stage == group)
    for who in sorted(due.told.keys() | found.keys()):
        if found[who] != due.told[who]:
            lane, call_id, word = who
            evidence = f"{call_id} on lane {lane} was told {word!r} {found[who]} times instead of {due.told[who]}"
            yield Violation(group, "failure", evidence)


def _states(group: str, changelog: str, codec: Codec, due: Expected, records: Records) -> Iterator[Violation]:
    newest: dict[tuple[int, str], Any] = {}
    for (name, lane), messages in records.items():
        if name == changelog:
            newest |= {(lane, message.key.decode()): message for message in messages}
    states = {who: m.value and codec.decode(changelog, m.value) for who, m in newest.items()}
    for who in sorted(due.states.keys() | states.keys()):
        if states.get(who) != due.states.get(who):
            offset = f"@{newest[who].offset}" if who in newest else ""
            found = f"{changelog}[{who[0]}]{offset} says {states.get(who)}"
            yield Violation(group, "state", f"{who[1]}: {found}; a replay from scratch says {due.states.get(who)}")
