"""The graph of topics, groups, producers and models: topology.yaml, typed and validated."""

from callbus.models import ModelSpec
from callbus.topology.graph import Batch, Giving, Group, Producer, Retrying, Topic, Topology, derived_topics
from callbus.topology.loading import load
from callbus.topology.mermaid import mermaid
from callbus.topology.modules import module_of

__all__ = [
    "Batch",
    "Giving",
    "Group",
    "ModelSpec",
    "Producer",
    "Retrying",
    "Topic",
    "Topology",
    "derived_topics",
    "load",
    "mermaid",
    "module_of",
]
