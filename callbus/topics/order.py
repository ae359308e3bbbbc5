"""In which order topics get more lanes while calls run. Pure.

A lane must never be asked for what it does not have. So whatever the owner of a lane writes to has the lane before
anything that he reads has it, and what the doors write to comes as late as that allows. A growth that is broken off
anywhere leaves a graph that works: new lanes of some topics stay empty, because a door uses only those that all of its
topics have.
"""

from graphlib import TopologicalSorter

from callbus.lanes import CALL_EVENTS
from callbus.topology import Topology, derived_topics


def growing_order(topology: Topology) -> tuple[tuple[str, ...], ...]:
    """All topics, derived ones too, in steps: the topics of a step may grow together, after those of the one before.

    Every group writes call-events when an input fails. One that reads them, at a distance, would be before itself: it
    is placed by its outputs alone, and has no input on a lane that no door uses yet.
    """
    below = _below(topology, CALL_EVENTS)
    before: dict[str, set[str]] = {topic.name: set() for topic in topology.all_topics()}
    for group in topology.groups.values():
        written = {*group.outputs, *(topic.name for topic in derived_topics(group, topology.lanes))}
        if group.runtime == "worker" and group.name not in below:
            written.add(CALL_EVENTS)
        for name in group.inputs:
            before[name] |= written & before.keys() - {name}
    doors = {name for producer in topology.producers.values() for name in producer.outputs}
    sorter = TopologicalSorter(before)
    sorter.prepare()
    ready: set[str] = set()
    steps = []
    while sorter.is_active():
        ready.update(sorter.get_ready())
        step = ready - doors or ready
        steps.append(tuple(sorted(step)))
        sorter.done(*step)
        ready -= step
    return tuple(steps)


def _below(topology: Topology, topic: str) -> set[str]:
    """The groups that read a topic, or what comes of it."""
    reached, groups = {topic}, set[str]()
    while more := {
        name for name, group in topology.groups.items() if name not in groups and reached.intersection(group.inputs)
    }:
        groups |= more
        reached.update(output for name in more for output in topology.groups[name].outputs)
    return groups
