"""How far each stage of the graph has come with a call, and whether the call is done.

A stage is known by what comes out of the graph below it: an utterance's entities prove that transcription, translation
and ner are at work, the utterance of kind `end` that they are done; a classification or an evaluation proves it for
`documents` and its own group, and says itself whether it is of the complete document. A stage that ended the call by
silence proves it for those above it: they have nothing more to say. Once it has said that the call goes on after all,
that is over, and what comes below must be complete anew. Once a second hearing of the call has taken the place of the
first, only what was judged of the second is the last word.

Most calls have no alert, so `alerts` tells by a call event that it has judged a call to its end. An insight shows that,
and whether it is still open; it waits for none of it, so that a case does not hang on a stage that has nothing to say.
"""

from collections.abc import Mapping, Sequence

from consumers.insights import privacy
from consumers.insights.lineage import Lineage, not_waited_for, stages_of
from consumers.insights.silence import NOTHING_CAME, ending, given_up
from consumers.insights.state import InsightState
from schemas.records import CallSummary, Classification, QaEvaluation, StageCompleteness, StageState

_RANK: Mapping[StageState, int] = {"waiting": 0, "partial": 1, "complete": 2}
# A complete one mends whatever an earlier revision failed at.
_PER_CALL = ("Classification", "QaEvaluation", "CallSummary")


def completeness(state: InsightState, lineage: Lineage) -> tuple[StageCompleteness, ...]:
    """One entry per stage of the graph, in its order, and one per further source that reported a failure."""
    stages = stages_of(lineage)
    ended = ending(state, lineage)[0] is not None
    return tuple(_stage(stage, state, lineage, ended) for stage in [*stages, *(state.failures.keys() - {*stages})])


def is_complete(stages: Sequence[StageCompleteness], lineage: Lineage) -> bool:
    """Whether every stage that is waited for has said its last word or has failed."""
    aside = not_waited_for(lineage)
    return all(stage.state in ("complete", "failed") for stage in stages if stage.stage != aside)


def _stage(stage: str, state: InsightState, lineage: Lineage, ended: bool) -> StageCompleteness:
    mended = any(
        lineage.get(kind, ())[-1:] == (stage,)
        and state.evidence.get(kind) == "complete"
        and _is_of_this_hearing(kind, state)
        for kind in _PER_CALL
    )
    if not mended and (failure := state.failures.get(stage)):
        reason = privacy.without(failure.reason, state.names, state.call_id)
        return StageCompleteness(stage=stage, state="failed", reason=reason)
    proven = _proven(stage, state, lineage)
    if proven == "complete":
        return StageCompleteness(stage=stage, state="complete")
    if ended and (cause := _cause(stage, state, lineage)):
        return StageCompleteness(stage=stage, state="failed", reason=f"{cause} failed")
    if given_up(state):
        return StageCompleteness(stage=stage, state="failed", reason=NOTHING_CAME)
    return StageCompleteness(stage=stage, state=proven)


def _proven(stage: str, state: InsightState, lineage: Lineage) -> StageState:
    """The most that the nearest inputs below the stage prove of it.

    Farther ones prove it too, but if they overtake the nearer on their way here, the insight would be complete without
    its last turns. They count only where the nearer ones failed and may never come.
    """
    if _is_above_silence(stage, state, lineage):
        return "complete"
    below = {kind: path for kind, path in lineage.items() if stage in path}
    shortest = min((len(path) for path in below.values()), default=0)
    nearest = {kind for kind, path in below.items() if len(path) == shortest}
    broken = any(below[kind][-1] in state.failures for kind in nearest)
    proofs = (_proof(kind, path, state) for kind, path in below.items() if broken or kind in nearest)
    return max(proofs, key=_RANK.__getitem__, default="waiting")


def _is_above_silence(stage: str, state: InsightState, lineage: Lineage) -> bool:
    return any(
        stage in path[: path.index(silent)]
        for silent, silence in state.silences.items()
        if silence.since_ms is not None
        for path in lineage.values()
        if silent in path
    )


def _proof(kind: str, path: Sequence[str], state: InsightState) -> StageState:
    """What has come of a kind proves; of a call that went on after a silence, only what came for its new end."""
    if kind == "CallEvent":
        return _told(path, state)
    known = state.evidence.get(kind, "waiting")
    if known != "complete":
        return known
    newest = _newest(kind, state)
    if newest is not None:
        return "complete" if newest.complete and _is_of_this_hearing(kind, state) else "partial"
    return "complete" if max(state.ends, 1) > _reopened(path, state) else "partial"


def _told(path: Sequence[str], state: InsightState) -> StageState:
    """Each end of the call is told once: of each hearing, and after each time that it went on after a silence."""
    if not state.judged:
        return "partial" if state.alerts else "waiting"
    return "complete" if state.judged >= max(state.ends, _reopened(path, state) + 1) else "partial"


def _reopened(path: Sequence[str], state: InsightState) -> int:
    return sum(silence.reopened for stage, silence in state.silences.items() if stage in path)


def _newest(kind: str, state: InsightState) -> Classification | QaEvaluation | CallSummary | None:
    newest: dict[str, Classification | QaEvaluation | CallSummary | None] = {
        "Classification": state.classification,
        "QaEvaluation": state.qa,
        "CallSummary": state.summary,
    }
    return newest.get(kind)


def _is_of_this_hearing(kind: str, state: InsightState) -> bool:
    """Whether the newest result of a kind rests on the hearing that the insight shows, or on a later one."""
    newest = _newest(kind, state)
    return newest is not None and newest.hearing >= state.hearing


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
