"""When a call has ended, and by whose word: its door's, a stage's to which nothing more came, or this group's own.

A stage's last word counts until it says that the call goes on. This group waits longest: it ends what nobody else
ended, such as a call of which nothing but its start was seen. Its word travels with the call's events, as those of the
stages do, and is taken in from there: so it has its place among them, and nothing hangs on when it was said. Pure.
"""

from dataclasses import replace

from callbus.ids import event_id
from consumers.insights.lineage import Lineage, stages_of
from consumers.insights.state import GROUP, InsightState, Silence
from schemas.records import CallEvent, CallEventType

NOTHING_CAME = "nothing more came"


def ending(state: InsightState, lineage: Lineage) -> tuple[int | None, bool]:
    """When the call ended, Unix time in ms (None while it goes on), and whether it or a part of it was cut off: by
    silence, or by its door's own word.

    Of the stages the first in the graph that has said a word decides: what it says reaches those below. But where this
    group has waited in vain, no stage's promise counts any more.
    """
    stages = stages_of(lineage)
    spoken = (GROUP,) if given_up(state) else stages
    deciding = next((state.silences[stage] for stage in spoken if stage in state.silences), Silence())
    door_ms, since_ms = state.ended_at_ms, deciding.since_ms
    by_door = any(one.since_ms is not None for who, one in state.silences.items() if who not in (*stages, GROUP))
    return (since_ms if door_ms is None else door_ms), since_ms is not None or by_door


def given_up(state: InsightState) -> bool:
    """Whether this group waits no longer for what is missing."""
    return state.silences.get(GROUP, Silence()).since_ms is not None


def told(state: InsightState, event: CallEvent) -> InsightState:
    """The state with a stage's word, `interrupted` or `reopened`; the very same if that is out of date."""
    stage = event.stage or event.source
    before = state.silences.get(stage, Silence())
    if event.type == "reopened":
        after = Silence(since_ms=None, reopened=before.reopened + 1)
    elif stage == GROUP and event.event_id != give_up(state, event.source).event_id:
        return state  # something has come since it was said
    else:
        after = replace(before, since_ms=event.at_ms)
    return replace(state, silences={**state.silences, stage: after})


def give_up(state: InsightState, source: str) -> CallEvent:
    """Word that this group waits no longer. It holds for this state of the call and for no later one."""
    reason = f"{NOTHING_CAME} of this call"
    return _word(state, source, "interrupted", state.revision, state.heard_ms or state.at_ms, reason)


def reopen(state: InsightState, source: str) -> CallEvent:
    """Word that something came after all."""
    return _word(state, source, "reopened", state.silences[GROUP].reopened, state.heard_ms or state.at_ms)


def _word(
    state: InsightState, source: str, what: CallEventType, position: int, at_ms: int, reason: str | None = None
) -> CallEvent:
    return CallEvent(
        event_id=event_id(state.call_id, GROUP, f"{what}:{position}"),
        call_id=state.call_id,
        at_ms=at_ms,
        type=what,
        medium="unknown",
        source=source,
        stage=GROUP,
        reason=reason,
    )
