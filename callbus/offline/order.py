"""In which order groups run when each waits for those before it, and in which order one group gets a call's events."""

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from heapq import merge
from typing import Any

from callbus.topology import Group, Topology


def in_order(topology: Topology) -> list[Group]:
    """The groups, each after all that write what it reads.

    A group without outputs is left out: what it does, it does to the world outside.
    """
    writers = {
        name: [group.name for group in topology.groups.values() if name in group.outputs] for name in topology.topics
    }
    sorter = TopologicalSorter(
        {
            group.name: [writer for name in group.inputs for writer in writers.get(name, ()) if writer != group.name]
            for group in topology.groups.values()
        }
    )
    return [topology.group(name) for name in sorter.static_order() if topology.group(name).outputs]


def inputs_of(group: Group, records: Mapping[str, Sequence[Any]]) -> list[Any]:
    """What the group reads of a call, given by topic: each topic in its own order, the topics mixed by `at_ms`; of two
    events of one time that of the topic which the group names first."""
    return list(merge(*(records.get(name, ()) for name in group.inputs), key=lambda record: record.at_ms))
