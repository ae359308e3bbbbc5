"""The checker and what it stands on, without a broker: each kind of violation is seen, and nothing else is."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from callbus.codec import Codec
from callbus.process import codec_of
from callbus.topology import Topology
from callbus.worker.lane import Input, Lane
from callbus.worker.stage import Stage
from tests.chaos.checker import check
from tests.chaos.graph import PURE, graph
from tests.chaos.schedule import schedule
from tests.chaos.traffic import Traffic, value_of

Topics = dict[tuple[str, int], list[Any]]


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a reader finds it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Topology:
    return graph(tmp_path_factory.mktemp("graph"))


@pytest.fixture
def topics(topology: Topology) -> Topics:
    """All topics after 600 messages of the door went through all stages, without a broker and without a fault."""
    codec, found = codec_of(topology), defaultdict[tuple[str, int], list[Any]](list)

    def put(topic: str, lane: int, key: bytes | None, value: bytes | None, headers: Any = ()) -> None:
        here = found[topic, lane]
        here.append(Message(topic, lane, len(here), key, value, tuple(headers)))

    traffic = Traffic(1, topology.lanes)
    for published in [*islice(traffic, 600), *traffic.ending()]:
        put(published.topic, published.lane, published.key, value_of(published, codec.encode))
    for name, group in topology.groups.items():
        stage = Stage(topology, group, PURE[name], codec)
        for number in range(topology.lanes):
            lane = Lane(number, dict.fromkeys(group.inputs, 0))
            for topic in group.inputs:
                lane.add(Input(m.topic, number, m.offset, m.key, m.value, m.headers, 0) for m in found[topic, number])
                for record in stage.work(lane.take(topic, 10_000), {number: lane}).records:
                    put(record.topic, record.partition, record.key, record.value, record.headers)
    return found


def spoil(topics: Topics, topic: str, change: Callable[[list[Any]], None]) -> None:
    """Change what stands on the fullest lane of a topic."""
    change(max((messages for (name, _), messages in topics.items() if name == topic), key=len))


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
        ("hold-progress", lambda messages: messages.remove(next(m for m in messages if m.value)), "state"),
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
    assert schedule(3, 50) == schedule(3, 50) != schedule(4, 50)
    assert list(islice(Traffic(3, 4), 500)) == list(islice(Traffic(3, 4), 500)) != list(islice(Traffic(4, 4), 500))


def test_a_schedule_has_its_kills_and_every_kind_of_fault() -> None:
    """What is frozen is thawed, what is killed comes back, and nothing starts that is there already."""
    steps = schedule(1, 200)
    assert sum(step.verb == "kill" for step in steps) in range(200, 203)
    assert {step.fault for step in steps} >= {"broker", "zombie-alone", "zombie-replaced", "kill-away", "term-twice"}
    assert sum(s.verb == "freeze" for s in steps) == sum(s.verb == "thaw" for s in steps)
    assert steps == sorted(steps)
