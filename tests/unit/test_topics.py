"""The plan: what would make the broker's topics those of topology.yaml, and what it refuses."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.errors import PlanRefused
from callbus.topics import BrokerState, BrokerTopic, plan
from callbus.topics.order import growing_order
from callbus.topics.plan import duration
from callbus.topology import Topology, derived_topics, load

EMPTY = BrokerState(brokers=1, topics={})


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load(Path(__file__).parents[2] / "topology.yaml")


def applied(topology: Topology, brokers: int = 1) -> BrokerState:
    """The state after a plan for an empty cluster was carried out."""
    made = plan(topology, BrokerState(brokers, {})).create
    topics = {c.topic: BrokerTopic(c.lanes, c.replicas, {**c.config, "flush.ms": "9"}, c.config) for c in made}
    return BrokerState(brokers, topics)


def with_topic(state: BrokerState, name: str, config: Mapping[str, str] | None = None, **fields: int) -> BrokerState:
    """The state with one topic changed."""
    topic = replace(state.topics[name], **fields)  # type: ignore[arg-type]
    topic = replace(topic, config={**topic.config, **(config or {})}, overrides={**topic.overrides, **(config or {})})
    return replace(state, topics={**state.topics, name: topic})


def test_an_empty_broker_gets_every_topic(topology: Topology) -> None:
    """Declared and derived topics are created with the graph's lanes."""
    made = plan(topology, EMPTY)
    assert {c.topic for c in made.create} == {topic.name for topic in topology.all_topics()}
    assert {c.lanes for c in made.create} == {topology.lanes}
    assert made.text().endswith(f"Plan: {len(made.create)} to create.")
    assert "  + call-audio: 8 lanes, 1 replica, retention.ms 2d" in made.text()


@pytest.mark.parametrize(("brokers", "replicas", "min_insync"), [(1, 1, None), (2, 2, None), (3, 3, "2"), (7, 3, "2")])
def test_replicas_follow_the_number_of_brokers(
    topology: Topology, brokers: int, replicas: int, min_insync: str | None
) -> None:
    """Three replicas where there are three brokers, and then two must have an event before it counts."""
    for create in plan(topology, BrokerState(brokers, {})).create:
        assert create.replicas == replicas
        assert create.config.get("min.insync.replicas") == min_insync


def test_a_topic_with_one_replica_is_not_made_unwritable(topology: Topology) -> None:
    """A cluster that grew from one broker to three: min.insync.replicas 2 would block its old topics."""
    grown = replace(applied(topology, brokers=1), brokers=3)
    assert plan(topology, grown).empty


def test_after_apply_there_is_nothing_to_do(topology: Topology) -> None:
    """A broker that is as planned gives an empty plan."""
    again = plan(topology, applied(topology))
    assert again.empty
    assert again.text().startswith("Nothing to do: ")


def test_more_lanes_grow_every_topic(topology: Topology) -> None:
    """Lanes 8 → 12 grows all topics alike, derived ones included."""
    state = applied(topology)
    wider = replace(topology, lanes=12, topics={name: replace(t, partitions=12) for name, t in topology.topics.items()})
    made = plan(wider, state)
    assert {g.topic for g in made.grow} == set(state.topics)
    assert {(g.lanes, g.to) for g in made.grow} == {(8, 12)}
    assert "  ~ call-audio: 8 → 12 lanes" in made.text()


def test_a_lane_grows_towards_the_doors(topology: Topology) -> None:
    """Whatever a lane's owner writes to has the lane before anything that he reads; the doors' topics come last."""
    order = {name: step for step, names in enumerate(growing_order(topology)) for name in names}
    assert order.keys() == {topic.name for topic in topology.all_topics()}
    for group in topology.groups.values():
        written = {*group.outputs, *(topic.name for topic in derived_topics(group, topology.lanes))}
        written |= {"call-events"} if group.name not in ("insights", "restricted") else set()
        assert max(order[name] for name in written) < min(order[name] for name in group.inputs), group.name
    assert growing_order(topology)[-1] == ("call-audio", "call-recordings")


def test_a_plan_grows_in_that_order(topology: Topology) -> None:
    """Also where a growth was broken off: what is left keeps its order, and the numbers of lanes may differ."""
    state = applied(topology)
    wider = replace(topology, lanes=12, topics={name: replace(t, partitions=12) for name, t in topology.topics.items()})
    whole = [(grow.topic, grow.step) for grow in plan(wider, state).grow]
    assert dict(whole) == {name: n for n, names in enumerate(growing_order(topology)) for name in names}
    assert [step for _, step in whole] == sorted(step for _, step in whole)
    for done, (name, _) in enumerate(whole, 1):
        state = with_topic(state, name, lanes=12)
        assert [(grow.topic, grow.step) for grow in plan(wider, state).grow] == whole[done:]


def test_a_group_that_reads_what_failed_is_no_knot(topology: Topology) -> None:
    """Every group writes call-events when an input fails; one that reads them, at a distance, still gets an order."""
    watcher = replace(topology.groups["translation"], name="watcher", inputs=("call-events",), outputs=("noticed",))
    noticed = replace(topology.topics["transcripts"], name="noticed")
    reader = replace(watcher, name="reader", inputs=("noticed",), outputs=())
    graph = replace(
        topology,
        topics={**topology.topics, "noticed": noticed},
        groups={**topology.groups, "watcher": watcher, "reader": reader},
    )
    order = {name: step for step, names in enumerate(growing_order(graph)) for name in names}
    assert order["noticed"] < order["call-events"]
    assert order["reader-dead-letters"] < order["noticed"]
    assert order["call-events"] < order["transcripts"], "the others' order stays as it is"


def test_fewer_lanes_are_refused(topology: Topology) -> None:
    """Kafka can't take lanes away; the mend is named and nothing is planned for the topic."""
    made = plan(topology, with_topic(applied(topology), "transcripts", lanes=12))
    assert [r.topic for r in made.refused] == ["transcripts"]
    with pytest.raises(PlanRefused, match=r"transcripts: it has 12 lanes .* set `lanes: 12`"):
        made.accepted()


@pytest.mark.parametrize(
    ("topic", "policy", "lost"),
    [("transcripts", "compact", "what it remembers"), ("call-documents", "delete", "older events")],
)
def test_a_change_of_compaction_is_refused(topology: Topology, topic: str, policy: str, lost: str) -> None:
    """compact → delete and delete → compact both lose something: each says what."""
    made = plan(topology, with_topic(applied(topology), topic, {"cleanup.policy": policy}))
    assert [r.topic for r in made.refused] == [topic]
    assert lost in made.refused[0].reason
    assert topic not in {c.topic for c in made.change}


@pytest.mark.parametrize("kept", ["-1", str(90 * 86_400_000)])
def test_shorter_retention_is_refused_until_allowed(topology: Topology, kept: str) -> None:
    """Events that are still there would go: only with --allow-shorter-retention."""
    state = with_topic(applied(topology), "transcripts", {"retention.ms": kept})
    made = plan(topology, state)
    assert "--allow-shorter-retention" in made.refused[0].reason
    allowed = plan(topology, state, allow_shorter_retention=True)
    assert not allowed.refused
    assert allowed.change[0].settings == (("retention.ms", kept, str(30 * 86_400_000)),)


def test_longer_retention_is_a_change(topology: Topology) -> None:
    """7d → 30d loses nothing, and is shown in the file's words."""
    made = plan(topology, with_topic(applied(topology), "transcripts", {"retention.ms": str(7 * 86_400_000)}))
    assert not made.refused
    assert "  ~ transcripts: retention.ms 7d → 30d" in made.text()
    assert made.text().endswith(f"Plan: 1 to change, {len(topology.all_topics()) - 1} unchanged.")


def test_a_change_keeps_foreign_overrides(topology: Topology) -> None:
    """What an operator set on a topic by hand stays; what he did not set is not frozen at its default."""
    state = with_topic(applied(topology), "transcripts", {"retention.ms": "1000", "compression.type": "zstd"})
    change = plan(topology, state).change[0]
    assert change.config["compression.type"] == "zstd"
    assert "flush.ms" not in change.config


def test_foreign_topics_are_shown_and_left_alone(topology: Topology) -> None:
    """A topic that is not in topology.yaml is listed as unmanaged and is no reason to do anything."""
    state = applied(topology)
    made = plan(topology, replace(state, topics={**state.topics, "payroll": BrokerTopic(1, 1, {}, {})}))
    assert made.unmanaged == ("payroll",)
    assert made.empty
    assert "  ? payroll: unmanaged" in made.text()


def test_the_plan_is_json(topology: Topology) -> None:
    """--json has every part of the plan."""
    state = with_topic(applied(topology), "transcripts", {"retention.ms": "1000"}, lanes=4)
    written = json.loads(json.dumps(plan(topology, state).to_json()))
    assert written["grow"] == [{"topic": "transcripts", "lanes": 4, "to": 8}]
    assert written["change"][0]["settings"] == {"retention.ms": {"from": "1000", "to": "2592000000"}}
    assert len(written["create"]) + written["unchanged"] == len(topology.all_topics()) - 1


@pytest.mark.parametrize(
    ("ms", "text"), [(-1, "for ever"), (86_400_000, "1d"), (5_400_000, "90m"), (1, "1ms"), (0, "0ms")]
)
def test_durations_are_shown_in_the_files_words(ms: int, text: str) -> None:
    """The largest unit that divides evenly."""
    assert duration(ms) == text
