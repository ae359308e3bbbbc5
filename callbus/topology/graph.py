"""The graph's types: what topology.yaml says, validated, and what follows from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from callbus.consumer import Settings
from callbus.errors import TopologyError
from callbus.kafka import MAX_DOCUMENT_BYTES, MAX_MESSAGE_BYTES
from callbus.models import ModelSpec, resolve
from callbus.modes import Rule
from callbus.topology.source import Where, line_of, nearest

_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DAY_MS = _MS["d"]


_DEAD_LETTER_RETENTION_MS = 90 * _DAY_MS
_RETRY_RETENTION_MS = 30 * _DAY_MS
_TOMBSTONE_RETENTION_MS = 7 * _DAY_MS  # longer than any worker or subscriber takes to read a lane from its start


def duration_ms(text: object) -> int:
    """Milliseconds of "30d", "12h", "15m", "10s" or "500ms"."""
    found = re.fullmatch(r"([1-9]\d*)(ms|s|m|h|d)", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('should be a duration like "30d", "12h" or "15m"')
    return int(found[1]) * _MS[found[2]]


Names = tuple[str, ...]
Delivery = Literal["exactly-once", "at-least-once"]
Duration = Annotated[int, BeforeValidator(duration_ms)]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of the graph, keyed by call_id."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    schema: str  # the Avro record; "" where there is not one (a Faust table's changelog, inputs that wait)
    partitions: StrictInt  # the graph's lanes
    retention_ms: Annotated[Duration | None, Field(alias="retention")] = None  # None: compacted
    compacted: StrictBool = False  # the newest event of a call replaces the ones before
    public: StrictBool = False  # read by subscribers outside the graph
    restricted: StrictBool = False  # likewise, but only by those who may read what is personal in clear
    delivery: Delivery = "exactly-once"  # at-least-once: published at once, outside the transaction
    derived: StrictBool = False  # follows from a group; never written in topology.yaml

    def config(self) -> dict[str, str]:
        """The topic's Kafka configuration."""
        if self.retention_ms is None:
            return {
                "cleanup.policy": "compact",
                "delete.retention.ms": str(_TOMBSTONE_RETENTION_MS),
                "max.message.bytes": str(MAX_DOCUMENT_BYTES),
                "min.cleanable.dirty.ratio": "0.1",  # restoring reads the whole topic: keep it short
            }
        config = {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            # Only whole segments are deleted: without this a quiet lane keeps calls a week longer than promised.
            "segment.ms": str(min(self.retention_ms, _DAY_MS)),
        }
        if self.derived:  # holds an input whole, and more
            config["max.message.bytes"] = str(MAX_MESSAGE_BYTES)
        return config


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How many events one model call may serve, and how long it may wait for them."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    size: Annotated[StrictInt, Field(ge=1)] = 1
    max_wait_ms: Annotated[StrictInt, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """How an input that asked for a retry comes again: after `first`, doubling up to `most`, each time with jitter."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    attempts: Annotated[StrictInt, Field(ge=1)] = 8  # the first one included; then it is a dead letter
    first_ms: Annotated[Duration, Field(alias="first")] = 500
    most_ms: Annotated[Duration, Field(alias="most")] = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Giving:
    """How many inputs a group may give up within a minute: beyond, it stops rather than empty a topic into the bin."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    per_minute: Annotated[StrictInt, Field(ge=1)] = 600
    percent: Annotated[StrictInt, Field(ge=1, le=100)] = 50  # of the last minute's inputs, once they are 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A consumer group: its name is its module in consumers/, its group.id, its log field and its metric label."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    inputs: Annotated[Names, Field(min_length=1)]  # in priority order
    outputs: Names = ()
    state: str | None = None  # the Avro record remembered per call
    models: Names = ()
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    batch: Batch = Batch()
    options: Mapping[str, Any] = field(default_factory=dict)
    delivery: Delivery = "exactly-once"
    commits_per_second: Annotated[StrictInt, Field(ge=1)] = 10  # while more work waits; an idle group commits at once
    retry: Retrying = Retrying()
    dead_letters_limit: Giving = Giving()
    idle_after_ms: Annotated[Duration | None, Field(alias="idle_after")] = None  # a call so long silent is ended
    runtime: Literal["worker", "faust"] = "worker"
    changelog: str | None = None  # the compacted topic that holds `state`; follows from the graph

    @property
    def dead_letters(self) -> str:
        """The topic of the inputs that this group gave up."""
        return f"{self.name}-dead-letters"

    @property
    def keeps_states(self) -> bool:
        """Whether its calls' states are written beside its outputs; a compacted output may be the state itself."""
        return self.changelog is not None and self.changelog not in self.outputs

    @property
    def retries(self) -> str:
        """The topic of the inputs that wait for another attempt, or behind one that does."""
        return f"{self.name}-retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """A door: something outside the graph that publishes calls."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    outputs: Annotated[Names, Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The whole graph."""

    path: Path
    root: Path  # the file's folder; paths in it are relative to this
    lanes: int
    topics: Mapping[str, Topic]  # the declared ones
    groups: Mapping[str, Group]
    producers: Mapping[str, Producer]
    models: Mapping[str, ModelSpec]
    modes: tuple[Rule, ...] = ()  # in order: the first that fits a call decides how it is heard
    lines: Mapping[Where, int] = field(repr=False, compare=False)

    def all_topics(self) -> tuple[Topic, ...]:
        """The declared topics and the derived ones: dead letters, progress, a Faust group's table."""
        derived = (topic for group in self.groups.values() for topic in derived_topics(group, self.lanes))
        return (*self.topics.values(), *(topic for topic in derived if topic.name not in self.topics))

    def topic(self, name: str) -> Topic:
        """A declared or derived topic by its name. Raises `TopologyError` for one that is in neither."""
        known = {topic.name: topic for topic in self.all_topics()}
        if name not in known:
            raise TopologyError(f"{self.place('topics')} no topic {name}; {nearest(name, known)}")
        return known[name]

    def group(self, name: str) -> Group:
        """A group by its name. Raises `TopologyError` for one that is not in the file."""
        if name not in self.groups:
            raise TopologyError(f"{self.place('groups')} no group {name}; {nearest(name, self.groups)}")
        return self.groups[name]

    def settings(self, name: str) -> Settings:
        """What the group's consumer is loaded with. Raises `ModelError` when one of its models is missing."""
        group = self.group(name)
        models = tuple(resolve(self.models[model], self.root) for model in group.models)
        return Settings(group.name, models, group.device, group.options, self.root)

    def place(self, *where: str | int) -> str:
        """`topology.yaml:LINE:` of a thing in the file, or of what is around it."""
        return f"{self.path.name}:{line_of(self.lines, where)}:"


def derived_topics(group: Group, lanes: int) -> tuple[Topic, ...]:
    """The topics that follow from a group. Its changelog is among them even where an output topic serves as that."""
    letters = Topic(
        name=group.dead_letters,
        schema="DeadLetter",
        partitions=lanes,
        retention_ms=_DEAD_LETTER_RETENTION_MS,
        derived=True,
    )
    retries = Topic(name=group.retries, schema="", partitions=lanes, retention_ms=_RETRY_RETENTION_MS, derived=True)
    kept: tuple[tuple[str, str], ...] = ()
    if group.state is not None and group.changelog is not None:
        kept = ((group.changelog, group.state),)
    elif group.runtime == "faust":
        kept = ((f"{group.name}-calls-changelog", ""),)  # Faust's own name for the table `calls`
    return (
        letters,
        *([retries] if group.runtime == "worker" else []),
        *(Topic(name=n, schema=s, partitions=lanes, compacted=True, derived=True) for n, s in kept),
    )
