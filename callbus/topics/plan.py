"""What would make the broker's topics those of topology.yaml. Pure: nothing here talks to Kafka."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from callbus.errors import PlanRefused
from callbus.topics.order import growing_order
from callbus.topology import Topic, Topology

_MOST_REPLICAS = 3
_MIN_INSYNC = {"min.insync.replicas": "2"}  # with three replicas: one broker may be away and nothing is lost
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


@dataclass(frozen=True, slots=True)
class BrokerTopic:
    """A topic as it stands on the broker."""

    lanes: int
    replicas: int
    config: Mapping[str, str]  # every setting in force
    overrides: Mapping[str, str]  # those that were set on the topic itself


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The broker's topics (Kafka's own left out) and how many brokers there are to hold them."""

    brokers: int
    topics: Mapping[str, BrokerTopic]


@dataclass(frozen=True, slots=True)
class Create:
    """A topic that is missing."""

    topic: str
    lanes: int
    replicas: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Grow:
    """A topic that gets more lanes, together with the others of its step and after all of the steps before."""

    topic: str
    lanes: int
    to: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A topic whose settings differ."""

    topic: str
    settings: tuple[tuple[str, str, str], ...]  # key, what it is, what it becomes
    config: Mapping[str, str]  # every override of the topic afterwards, foreign ones included


@dataclass(frozen=True, slots=True)
class Refusal:
    """A difference that can't be made without losing something."""

    topic: str
    reason: str  # what would be lost, and what to do instead


@dataclass(frozen=True, slots=True)
class Plan:
    """All the differences. With a refusal among them nothing is carried out."""

    create: tuple[Create, ...]
    grow: tuple[Grow, ...]  # in the order of growing
    change: tuple[Change, ...]
    refused: tuple[Refusal, ...]
    unmanaged: tuple[str, ...]  # on the broker but not in topology.yaml: shown, never touched
    unchanged: int

    @property
    def empty(self) -> bool:
        """Whether there is nothing to carry out."""
        return not (self.create or self.grow or self.change or self.refused)

    def accepted(self) -> "Plan":
        """The plan itself. Raises `PlanRefused`, naming each topic, when it would lose data."""
        if self.refused:
            raise PlanRefused("\n".join(f"{refusal.topic}: {refusal.reason}" for refusal in self.refused))
        return self

    def text(self) -> str:
        """A line per difference (+ create, ~ grow or change, ! refused, ? unmanaged) and a summary."""
        return "\n".join((*_lines(self), _summary(self)))

    def to_json(self) -> dict[str, object]:
        """The plan as plain data for `--json`."""
        return {
            "create": [
                {"topic": c.topic, "lanes": c.lanes, "replicas": c.replicas, "config": dict(c.config)}
                for c in self.create
            ],
            "grow": [{"topic": g.topic, "lanes": g.lanes, "to": g.to} for g in self.grow],
            "change": [
                {"topic": c.topic, "settings": {key: {"from": old, "to": new} for key, old, new in c.settings}}
                for c in self.change
            ],
            "refused": [{"topic": r.topic, "reason": r.reason} for r in self.refused],
            "unmanaged": list(self.unmanaged),
            "unchanged": self.unchanged,
        }


def plan(topology: Topology, state: BrokerState, *, allow_shorter_retention: bool = False) -> Plan:
    """Compare the topology's topics, derived ones included, with the broker's."""
    wanted = {topic.name: topic for topic in topology.all_topics()}
    missing = [topic for name, topic in wanted.items() if name not in state.topics]
    present = [(topic, state.topics[name]) for name, topic in wanted.items() if name in state.topics]
    step = {name: number for number, names in enumerate(growing_order(topology)) for name in names}
    grow = [Grow(t.name, had.lanes, t.partitions, step[t.name]) for t, had in present if had.lanes < t.partitions]
    refused = tuple(
        Refusal(topic.name, reason)
        for topic, found in present
        for reason in _refusals(topic, found, allow_shorter_retention=allow_shorter_retention)
    )
    left_alone = {refusal.topic for refusal in refused}
    changes = (_change(topic, found) for topic, found in present if topic.name not in left_alone)
    change = tuple(difference for difference in changes if difference is not None)
    touched = left_alone | {difference.topic for difference in grow} | {difference.topic for difference in change}
    return Plan(
        create=tuple(_create(topic, state.brokers) for topic in missing),
        grow=tuple(sorted(grow, key=lambda growing: growing.step)),
        change=change,
        refused=refused,
        unmanaged=tuple(sorted(set(state.topics) - set(wanted))),
        unchanged=len(present) - len(touched),
    )


def _create(topic: Topic, brokers: int) -> Create:
    replicas = max(1, min(_MOST_REPLICAS, brokers))
    return Create(topic.name, topic.partitions, replicas, _wanted(topic, replicas))


def _wanted(topic: Topic, replicas: int) -> dict[str, str]:
    return topic.config() | (_MIN_INSYNC if replicas >= _MOST_REPLICAS else {})


def _change(topic: Topic, found: BrokerTopic) -> Change | None:
    # A topic that was made with fewer replicas keeps them: moving replicas is the operator's work, not ours.
    wanted = _wanted(topic, found.replicas)
    settings = tuple(
        (key, found.config.get(key, ""), value) for key, value in wanted.items() if found.config.get(key) != value
    )
    return Change(topic.name, settings, {**found.overrides, **wanted}) if settings else None


def _refusals(topic: Topic, found: BrokerTopic, *, allow_shorter_retention: bool) -> Iterator[str]:
    if found.lanes > topic.partitions:
        yield (
            f"it has {found.lanes} lanes and Kafka can't take lanes away; "
            f"set `lanes: {found.lanes}` in topology.yaml, or begin a new topic under another name"
        )
    config = topic.config()
    policy, wanted_policy = found.config.get("cleanup.policy", "delete"), config["cleanup.policy"]
    if policy != wanted_policy:
        lost = "every call's older events" if wanted_policy == "compact" else "what it remembers of older calls"
        yield (
            f"cleanup.policy {policy} → {wanted_policy} would delete {lost}; "
            "begin a new topic under another name, or change it by hand with kafka-configs"
        )
    elif "retention.ms" in config and not allow_shorter_retention:
        kept, wanted = int(found.config.get("retention.ms", "-1")), int(config["retention.ms"])
        if kept < 0 or wanted < kept:
            yield (
                f"retention {duration(kept)} → {duration(wanted)} would delete the events between; "
                f"set `retention: {duration(kept)}`, or apply with --allow-shorter-retention"
                if kept >= 0
                else f"it keeps events for ever and {duration(wanted)} would delete the older ones; "
                "apply with --allow-shorter-retention if that is meant"
            )


def duration(ms: int) -> str:
    """Milliseconds in topology.yaml's words: "30d"; -1 is "for ever"."""
    if ms < 0:
        return "for ever"
    return next((f"{ms // size}{unit}" for unit, size in _UNITS if ms >= size and ms % size == 0), f"{ms}ms")


def _lines(plan: Plan) -> Iterator[str]:
    for create in plan.create:
        kept = "compacted" if create.config["cleanup.policy"] == "compact" else _shown("retention.ms", create.config)
        yield f"  + {create.topic}: {create.lanes} lanes, {_count(create.replicas, 'replica')}, {kept}"
    for grow in plan.grow:
        yield f"  ~ {grow.topic}: {grow.lanes} → {grow.to} lanes"
    for change in plan.change:
        for key, old, new in change.settings:
            yield f"  ~ {change.topic}: {_shown(key, {key: old})} → {_shown(key, {key: new}).partition(' ')[2]}"
    for refusal in plan.refused:
        yield f"  ! {refusal.topic}: refused: {refusal.reason}"
    for name in plan.unmanaged:
        yield f"  ? {name}: unmanaged: not in topology.yaml, left as it is"


def _shown(key: str, config: Mapping[str, str]) -> str:
    value = config[key] or "unset"
    if key.endswith(".ms") and value.lstrip("-").isdigit():
        value = duration(int(value))
    return f"{key} {value}"


def _summary(plan: Plan) -> str:
    if plan.empty:
        return f"Nothing to do: {_count(plan.unchanged, 'topic')} as in topology.yaml."
    parts = (
        (len(plan.create), "to create"),
        (len(plan.grow), "to grow"),
        (len(plan.change), "to change"),
        (len(plan.refused), "refused"),
        (plan.unchanged, "unchanged"),
        (len(plan.unmanaged), "unmanaged"),
    )
    return "Plan: " + ", ".join(f"{count} {what}" for count, what in parts if count) + "."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
