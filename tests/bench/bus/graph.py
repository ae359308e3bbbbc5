"""The benchmark's graph, as one heat has it: its own topics and groups, so that no heat finds what another left."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from callbus.topology import Topology, load
from callbus.topology.graph import Batch, Delivery
from callbus.topology.loading import AVRO

FILE = Path(__file__).parent / "topology.yaml"
SOURCES = ("utterances", "chunks")  # what is put there before a heat, or while it runs
HOPS = ("first", "second", "third", "fourth")

_SHARED = "call-events"  # the worker knows it by this name
_SCHEMAS = (
    *("Utterance", "Word", "Provenance", "Kind", "Speaker", "AudioChunk"),
    *("CallEvent", "CallEventType", "Medium", "DeadLetter", "Header"),
)
_AS_FAST_AS_IT_CAN = 100_000  # commits a second


@dataclass(frozen=True, slots=True)
class Shape:
    """What a heat makes of the graph. `source` names a set of input topics, `heat` all other topics and the groups."""

    source: str
    heat: str
    lanes: int = 8
    delivery: Delivery = "exactly-once"
    per_commit: int = 0  # so many events in each transaction or commit; 0: as the worker sees fit

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Shape":
        return cls(**json.loads(text))


def prepare(folder: Path) -> Path:
    """Copy the schemas that the graph uses: one that no topic uses would be an error. Their folder."""
    avro = folder / "avro"
    avro.mkdir(parents=True, exist_ok=True)
    for name in _SCHEMAS:
        shutil.copy(AVRO / f"{name}.avsc", avro)
    return avro


def graph(avro: Path, shape: Shape) -> Topology:
    """The topology of a heat. `avro` is the folder that `prepare` made."""
    whole = load(FILE, avro=avro)
    names = {name: topic_name(name, shape) for name in whole.topics}
    topics = {
        names[name]: replace(topic, name=names[name], partitions=shape.lanes) for name, topic in whole.topics.items()
    }
    groups = {
        group_name(name, shape): replace(
            group,
            name=group_name(name, shape),
            inputs=tuple(names[topic] for topic in group.inputs),
            outputs=tuple(names[topic] for topic in group.outputs),
            delivery=shape.delivery,
            batch=Batch(size=shape.per_commit) if shape.per_commit else group.batch,
            commits_per_second=_AS_FAST_AS_IT_CAN if shape.per_commit else group.commits_per_second,
        )
        for name, group in whole.groups.items()
    }
    return replace(whole, lanes=shape.lanes, topics=topics, groups=groups, producers={})


def topic_name(name: str, shape: Shape) -> str:
    """What a topic of topology.yaml is called in this heat."""
    if name == _SHARED:
        return name
    return f"{name}-{shape.source if name in SOURCES else shape.heat}"


def group_name(name: str, shape: Shape) -> str:
    """What a group of topology.yaml is called in this heat."""
    return f"{name}_{shape.heat}"
