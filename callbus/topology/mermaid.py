"""The graph as a picture that GitHub draws: doors and groups as boxes, topics as stadiums."""

from collections.abc import Iterator

from callbus.topology.graph import Topic, Topology


def mermaid(topology: Topology) -> str:
    """A Mermaid `graph LR` of the declared topics; what is derived is left out."""
    return "\n".join(_lines(topology)) + "\n"


def _lines(topology: Topology) -> Iterator[str]:
    yield "graph LR"
    for name in topology.producers:
        yield f'  producer_{name}[/"{name}"/]:::producer'
    for name, topic in topology.topics.items():
        yield f'  {_id(name)}(["{name}"]):::{_kind(topic)}'
    for name in topology.groups:
        yield f'  group_{name}["{name}"]:::group'
    for name, producer in topology.producers.items():
        for topic_name in producer.outputs:
            yield f"  producer_{name} --> {_id(topic_name)}"
    for name, group in topology.groups.items():
        for topic_name in group.inputs:
            yield f"  {_id(topic_name)} --> group_{name}"
        for topic_name in group.outputs:
            yield f"  group_{name} --> {_id(topic_name)}"
    yield "  classDef producer fill:#fff3cd,stroke:#b58900,color:#222"
    yield "  classDef topic fill:#eef4fb,stroke:#5b7fa6,color:#222"
    yield "  classDef public fill:#dff3e4,stroke:#3c8c54,color:#222,stroke-width:2px"
    yield "  classDef restricted fill:#fbe3e1,stroke:#b0413e,color:#222,stroke-width:2px"
    yield "  classDef group fill:#ffffff,stroke:#444,color:#222"


def _kind(topic: Topic) -> str:
    return "public" if topic.public else "restricted" if topic.restricted else "topic"


def _id(topic: str) -> str:
    return "topic_" + topic.replace("-", "_")
