"""In which order topics get more lanes while calls run. Pure.

A lane must never be asked for what it does not have. So whatever the owner of a lane writes to has the lane before
anything that he reads has it, and what the doors write to comes as late as that allows. A growth that is broken off
anywhere leaves a graph that works: new lanes of some topics stay empty, because a door uses only those that all of its
topics have.
"""

from graphlib import CycleError, TopologicalSorter

from callbus.lanes import CALL_EVENTS
from callbus.topology import Topology, derived_topics


def growing_order(topology: Topology) -> tuple[tuple[str, ...], ...]:
    """All topics, derived ones too, in steps: the topics of a step may grow together, after those of the one before."""
    try:
        return _steps(topology, failures=True)
    except CycleError:  # a group reads, directly or not, the events that it writes when an input has failed
        return _steps(topology, failures=False)


def _steps(topology: Topology, *, failures: bool) -> tuple[tuple[str, ...], ...]:
    before: dict[str, set[str]] = {topic.name: set() for topic in topology.all_topics()}
    for group in topology.groups.values():
        written = {*group.outputs, *(topic.name for topic in derived_topics(group, topology.lanes))}
        if failures and group.runtime == "worker":
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
