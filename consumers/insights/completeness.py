"""How far each stage of the graph has come with a call, and whether the call is done.

A stage is known by what comes out of the graph below it: an utterance's entities prove that transcription, translation
and ner are at work, the utterance of kind `end` that they are done; a classification or an evaluation proves it for
`documents` and its own group, and says itself whether it is of the complete document.
"""

from collections.abc import Mapping, Sequence

from callbus.topology import Group, Topology
from consumers.insights import privacy
from consumers.insights.state import InsightState
from schemas.records import StageCompleteness, StageState

Lineage = Mapping[str, tuple[str, ...]]
"""By an input's record type: the groups it has passed through, in order, the one that wrote it last."""

_RANK: Mapping[StageState, int] = {"waiting": 0, "partial": 1, "complete": 2}
_PER_CALL = ("Classification", "QaEvaluation")  # a complete one mends whatever an earlier revision failed at


def completeness(state: InsightState, lineage: Lineage) -> tuple[StageCompleteness, ...]:
    """One entry per stage of the graph, in its order, and one per further source that reported a failure."""
    stages = dict.fromkeys(stage for path in lineage.values() for stage in path)
    return tuple(_stage(stage, state, lineage) for stage in [*stages, *(state.failures.keys() - stages)])


def is_complete(state: InsightState, stages: Sequence[StageCompleteness]) -> bool:
    """Whether the call has ended and every stage has said its last word or has failed."""
    return state.ended_at_ms is not None and all(stage.state in ("complete", "failed") for stage in stages)


def _stage(stage: str, state: InsightState, lineage: Lineage) -> StageCompleteness:
    own = [kind for kind in _PER_CALL if lineage.get(kind, ())[-1:] == (stage,)]
    if any(state.evidence.get(kind) == "complete" for kind in own):
        return StageCompleteness(stage=stage, state="complete")
    if failure := state.failures.get(stage):
        reason = privacy.without(failure.reason, state.names, state.call_id)
        return StageCompleteness(stage=stage, state="failed", reason=reason)
    proven = _proven(stage, state, lineage)
    if proven != "complete" and state.ended_at_ms is not None and (cause := _cause(stage, state, lineage)):
        return StageCompleteness(stage=stage, state="failed", reason=f"{cause} failed")
    return StageCompleteness(stage=stage, state=proven)


def _proven(stage: str, state: InsightState, lineage: Lineage) -> StageState:
    """The most that the nearest inputs below the stage prove of it.

    Farther ones prove it too, but if they overtake the nearer on their way here, the insight would be complete without
    its last turns. They count only where the nearer ones failed and may never come.
    """
    below = {kind: path for kind, path in lineage.items() if stage in path}
    shortest = min((len(path) for path in below.values()), default=0)
    nearest = {kind for kind, path in below.items() if len(path) == shortest}
    broken = any(below[kind][-1] in state.failures for kind in nearest)
    proofs = (state.evidence.get(kind, "waiting") for kind in below if broken or kind in nearest)
    return max(proofs, key=_RANK.__getitem__, default="waiting")


def _cause(stage: str, state: InsightState, lineage: Lineage) -> str | None:
    """The stage above that lost the whole call, if one did: nothing will come from there any more.

    A failure that does not say how much was lost counts as the whole call where the call enters the graph (a recording
    that can't be read), and as one event further down.
    """
    for path in lineage.values():
        if stage in path:
            for above in path[: path.index(stage)]:
                failure = state.failures.get(above)
                if failure and (failure.scope or ("call" if above == path[0] else "event")) == "call":
                    return above
    return None


def lineage(topology: Topology, group: Group) -> Lineage:
    """The lineage of the group's inputs, from the graph."""

    def path(topic: str) -> dict[str, None]:
        found: dict[str, None] = {}
        for writer in topology.groups.values():
            if topic in writer.outputs:
                for above in writer.inputs:
                    found |= path(above)
                found[writer.name] = None
        return found

    return {topology.topic(topic).schema: tuple(path(topic)) for topic in group.inputs}
