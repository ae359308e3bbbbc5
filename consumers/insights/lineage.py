"""By which stages of the graph an input came."""

from collections.abc import Mapping

from callbus.topology import Group, Topology

Lineage = Mapping[str, tuple[str, ...]]
"""By an input's record type: the groups it has passed through, in order, the one that wrote it last."""

_SAYS_NO_STAGE = "Alert"  # most calls have none, and one says nothing of how far its stage has come
_TOLD = "CallEvent"  # by which a stage that may have nothing else to say tells that it is done (`judged`)


def lineage(topology: Topology, group: Group) -> Lineage:
    """The lineage of the group's inputs that tell how far the graph has come with a call.

    The stage of which only call events tell is the last.
    """

    def path(topic: str) -> dict[str, None]:
        found: dict[str, None] = {}
        for writer in topology.groups.values():
            if topic in writer.outputs:
                for above in writer.inputs:
                    found |= path(above)
                found[writer.name] = None
        return found

    kinds = {topic: topology.topic(topic).schema for topic in group.inputs}
    kinds = dict(sorted(kinds.items(), key=lambda one: one[1] == _TOLD))
    return {kind: tuple(path(topic)) for topic, kind in kinds.items() if kind != _SAYS_NO_STAGE}


def writer_of(topology: Topology, topic: str) -> str | None:
    """The group that writes a topic; None for call events, which all write, and for what only doors write."""
    if topology.topic(topic).schema == _TOLD:
        return None
    return next((group.name for group in topology.groups.values() if topic in group.outputs), None)


def not_waited_for(lineage: Lineage) -> str | None:
    """The stage that tells by a call event that it is done: an insight shows how far it is, and is complete without."""
    return next(iter(lineage.get(_TOLD, ())[-1:]), None)


def stages_of(lineage: Lineage) -> tuple[str, ...]:
    """All stages above the join, in the graph's order."""
    return tuple(dict.fromkeys(stage for path in lineage.values() for stage in path))
