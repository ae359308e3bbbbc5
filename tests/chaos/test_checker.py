"""The checker and what it stands on, without a broker: each kind of violation is seen, and nothing else is."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from callbus.codec import Codec, codec_of
from callbus.dead_letters.ledger import Ledger, settlement_record
from callbus.lanes import CALL_EVENTS
from callbus.topology import Topology
from callbus.worker import retry_log
from callbus.worker.lane import Lane
from callbus.worker.records import as_input
from callbus.worker.retry_log import Attempt, Settled
from callbus.worker.stage import Stage
from schemas.records import CallEvent, CallEventType
from tests.builders import Message
from tests.chaos.checker import check
from tests.chaos.flaky import Tries, flaky
from tests.chaos.graph import PURE, graph
from tests.chaos.retries import check_retries, unsettled
from tests.chaos.schedule import GROWTH, schedule
from tests.chaos.traffic import Traffic, value_of
from tests.chaos.verdict import given_up

Topics = dict[tuple[str, int], list[Any]]
FAR_AWAY_MS = 1 << 60


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Topology:
    return graph(tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="module")
def whole(topology: Topology, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    """All topics after 600 messages of the door went through all stages, without a broker and without a fault."""
    tries = Tries(tmp_path_factory.mktemp("tries"))
    codec, found = codec_of(topology), defaultdict[tuple[str, int], list[Any]](list)

    def put(topic: str, lane: int, key: bytes | None, value: bytes | None, headers: Any = ()) -> None:
        here = found[topic, lane]
        here.append(Message(topic, lane, len(here), key, value, tuple(headers)))

    traffic = Traffic(1, topology.lanes)
    for published in [*islice(traffic, 600), *traffic.ending()]:
        put(published.topic, published.lane, published.key, value_of(published, codec.encode))
    for name, group in topology.groups.items():
        stage = Stage(topology, group, flaky(PURE[name], name, tries, rate=0), codec)
        for number in range(topology.lanes):
            lane = Lane(number, dict.fromkeys(group.inputs, 0), retries=group.retries)
            for topic in group.inputs:
                lane.add(map(as_input, found[topic, number]))
                batch = lane.take(topic, 10_000)
                while batch:
                    for record in stage.work(batch, {number: lane}).records:
                        put(record.topic, record.partition, record.key, record.value, record.headers)
                    for message in found[group.retries, number][lane.waiting.position :]:
                        lane.waiting.fetched(message.offset, retry_log.read(as_input(message)))
                    batch = lane.take_due(10_000, 10_000, FAR_AWAY_MS)
    return found


@pytest.fixture
def topics(whole: Topics) -> Topics:
    """The same, to be spoilt."""
    return defaultdict(list, {place: list(messages) for place, messages in whole.items()})


def spoil(topics: Topics, topic: str, change: Callable[[list[Any]], None]) -> None:
    """Change what stands on the fullest lane of a topic."""
    change(max((messages for (name, _), messages in topics.items() if name == topic), key=len))


def says(message: Any, kind: type[Any]) -> bool:
    return isinstance(retry_log.read(as_input(message)), kind)


def word(codec: Codec, lane: int, event: Any, what: CallEventType) -> Message:
    said = CallEvent(
        event_id=event.event_id,
        call_id=event.call_id,
        at_ms=0,
        type=what,
        medium="unknown",
        source="slow",
        stage="slow",
    )
    return Message(CALL_EVENTS, lane, 10_000, event.call_id.encode(), codec.encode(CALL_EVENTS, said))


def swap_of_one_call(messages: list[Any]) -> None:
    key = messages[0].key
    first, second = [i for i, message in enumerate(messages) if message.key == key][:2]
    messages[first], messages[second] = messages[second], messages[first]


def test_without_a_fault_there_is_no_violation(topology: Topology, topics: Topics) -> None:
    """Poison among the messages is none either: it became dead letters."""
    assert any(name.endswith("-dead-letters") for name, _ in topics)
    assert check(topology, codec_of(topology), PURE, topics) == []


@pytest.mark.parametrize(
    ("topic", "change", "what"),
    [
        ("finished", lambda messages: messages.pop(), "missing"),
        ("finished", lambda messages: messages.append(messages[3]), "twice"),
        ("relayed", swap_of_one_call, "order"),
        ("counted", lambda messages: messages.pop(0), "missing"),
        ("hold-progress", lambda messages: messages.pop(), "state"),
        ("hold-dead-letters", lambda messages: messages.pop(), "dead letter"),
        ("count-dead-letters", lambda messages: messages.append(messages[0]), "dead letter"),
        ("call-events", lambda messages: messages.pop(), "failure"),
    ],
)
def test_each_fault_is_seen(topology: Topology, topics: Topics, topic: str, change: Any, what: str) -> None:
    """One message less, more, or at another place."""
    spoil(topics, topic, change)
    violations = check(topology, codec_of(topology), PURE, topics)
    assert what in {violation.what for violation in violations}


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.append(log[-1]),
        lambda log: log.append(log[0]),
        lambda log: log.insert(0, log[-1]),
        lambda log: log.remove(next(message for message in log if says(message, Attempt))),
    ],
)
def test_what_waits_twice_or_is_settled_twice_is_seen(
    topology: Topology, topics: Topics, change: Callable[[list[Any]], None]
) -> None:
    """A second end, a second beginning, an end without a beginning, a try that is not in the log."""
    assert check_retries(topology, topics) == unsettled(topology, topics) == []
    spoil(topics, "count-retry", change)
    assert {violation.what for violation in check_retries(topology, topics) + unsettled(topology, topics)} == {
        "waiting"
    }


def test_what_still_waits_is_seen(topology: Topology, topics: Topics) -> None:
    """The last entry's end is missing."""
    spoil(topics, "slow-retry", lambda log: log.remove([message for message in log if says(message, Settled)][-1]))
    assert len(unsettled(topology, topics)) == 1
    assert check_retries(topology, topics) == []


def test_more_tries_than_may_be_are_seen(topology: Topology, topics: Topics) -> None:
    """A group whose limit is lower than what its log says."""
    strict = {name: replace(group, retry=replace(group.retry, attempts=7)) for name, group in topology.groups.items()}
    found = check_retries(replace(topology, groups=strict), topics)
    assert found
    assert all("would make a dead letter" in violation.evidence for violation in found)


def test_what_is_given_up_was_tried_as_often_as_may_be(topology: Topology, topics: Topics) -> None:
    """A letter that says less is seen."""
    codec = codec_of(topology)
    assert given_up(codec, topics) > 3

    def change(messages: list[Any]) -> None:
        letters = [codec.decode("slow-dead-letters", message.value) for message in messages]
        at = next(n for n, letter in enumerate(letters) if letter.attempts == 8)
        messages[at] = replace(messages[at], value=codec.encode("slow-dead-letters", replace(letters[at], attempts=7)))

    spoil(topics, "slow-dead-letters", change)
    assert [violation.what for violation in check(topology, codec, PURE, topics)] == ["dead letter"]


def test_what_is_sent_back_comes_out_once(topology: Topology, topics: Topics) -> None:
    """Its effect is due then, at any place in its call; not twice, and not if nobody has sent it back."""
    codec = codec_of(topology)
    [(place, letter)] = [
        (place, message)
        for place, messages in topics.items()
        if place[0] == "slow-dead-letters"
        for message in messages
        if codec.decode(place[0], message.value).attempts == 8
    ][:1]
    said = codec.decode(place[0], letter.value)
    event = codec.decode(said.topic, said.value)
    [[made]] = PURE["slow"].handle([event])
    output = Message("finished", place[1], 10_000, letter.key, codec.encode("finished", made))

    topics["finished", place[1]].append(output)
    assert {violation.what for violation in check(topology, codec, PURE, topics)} == {"stranger"}
    ledger = Ledger("slow", place[0])
    ledger.given_up(place[1], letter.offset, said)
    record = settlement_record(place[0], ledger.letters[0], "replayed", 0, "an operator")
    settled = Message(place[0], place[1], 10_000, record.key, None, tuple(record.headers))
    topics[place].append(settled)
    assert [str(violation) for violation in check(topology, codec, PURE, topics)] == [
        f"slow: failure: {event.call_id} on lane {place[1]} was told 'mended' 0 times instead of 1"
    ]
    topics[CALL_EVENTS, place[1]].append(word(codec, place[1], event, "mended"))
    assert check(topology, codec, PURE, topics) == []
    topics["finished", place[1]].append(output)
    assert {violation.what for violation in check(topology, codec, PURE, topics)} == {"twice"}
    topics["finished", place[1]].pop()
    topics[place].append(replace(settled, offset=10_001))
    assert {violation.what for violation in check(topology, codec, PURE, topics)} == {"dead letter"}


def test_a_wrong_content_is_seen(topology: Topology, topics: Topics) -> None:
    """An output with the right id that was made from the wrong state."""
    codec: Codec = codec_of(topology)

    def change(messages: list[Any]) -> None:
        event = codec.decode("counted", messages[2].value)
        messages[2] = replace(messages[2], value=codec.encode("counted", replace(event, text="0:0")))

    spoil(topics, "counted", change)
    assert "content" in {violation.what for violation in check(topology, codec, PURE, topics)}


def test_a_seed_says_all(tmp_path: Path) -> None:
    """The same seed plays the same schedule and the same traffic again, another seed another one."""
    assert schedule(3, 50, growth=GROWTH) == schedule(3, 50, growth=GROWTH) != schedule(4, 50, growth=GROWTH)
    assert list(islice(Traffic(3, 4), 500)) == list(islice(Traffic(3, 4), 500)) != list(islice(Traffic(4, 4), 500))


def test_a_schedule_has_its_kills_and_every_kind_of_fault() -> None:
    """What is frozen is thawed, what is killed comes back, and nothing starts that is there already."""
    steps = schedule(1, 200, growth=GROWTH)
    assert sum(step.verb == "kill" for step in steps) in range(200, 203)
    faults = {"broker", "zombie-alone", "zombie-replaced", "kill-away", "term-twice", "lanes-grow", "replay"}
    assert {step.fault for step in steps} >= faults
    assert [step.lanes for step in steps if step.verb == "grow" and step.opens] == list(GROWTH)
    assert any(step.verb == "operator-kill" for step in steps)
    assert sum(s.verb == "freeze" for s in steps) == sum(s.verb == "thaw" for s in steps)
    assert steps == sorted(steps)
