"""When a matter is raised, escalated and withdrawn: pure, from one judged utterance to the next.

What the caller says decides. A counsellor who acts at once (sends the police, tells a child to hide) or says a danger
back ("so he is beating her now") supports what the caller has said, before or after; alone it raises nothing, and
neither does any question: what the caller says must be more likely danger than not by itself. A caller who takes
it back must outweigh a counsellor who took it for danger.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from consumers.alerts.dangers import CRITICAL
from consumers.alerts.judging import Judged
from schemas.records import AlertChange, AlertLevel, AlertMatter, AlertState, AlertTurn

_ACTS = 0.2  # of a counsellor's log odds of acting at once, added to the caller's of danger
_TELLS = 1.0  # of a counsellor's log odds of telling of danger
_MOST_SUPPORT = 4.0  # log odds
_ANOTHER = 1.5  # log odds above the threshold for a second matter, and to say again what was withdrawn
_TAKING_BACK = 1.0  # log odds above the threshold to withdraw: a danger hidden is worse than one too many
_BETTER = 0.1  # more probability is better evidence
_KEPT_TURNS = 12  # of each hearing
_KEPT_CHARACTERS = 800  # of a turn

_REASONS: dict[AlertChange, str] = {
    "raised": "what the caller says tells of {danger}",
    "escalated": "more of what the caller says tells of {danger}",
    "withdrawn": "the caller takes back what told of {danger}",
}
_SUPPORTED = ", and the counsellor acts at once or says it back"
_DANGERS = {"other_danger": "a life or a body in danger"}


@dataclass(frozen=True, slots=True)
class Told:
    """A change of a matter."""

    matter: AlertMatter
    turn: AlertTurn  # that carries it
    evidence: tuple[AlertTurn, ...]
    score: float
    reason: str


def after(
    state: AlertState, turn: AlertTurn, judged: Judged, raising: float, withdrawing: float
) -> tuple[AlertState, Told | None]:
    """The state with one more utterance, and what changes by it. `raising` and `withdrawing` are log odds."""
    odds = _supports(judged) if turn.speaker == "agent" else judged.danger
    turn = replace(turn, danger=round(odds, 3), matter=judged.matter, critical=round(judged.critical, 3))
    state = remembered(state, turn)
    if turn.speaker == "agent":
        if turn.danger <= 0 or (state.rescue is not None and state.rescue.danger >= turn.danger):
            return state, None
        state = replace(state, rescue=_shortened(turn))
        suspect = state.suspect
        sure = 0.0 if suspect is None else _sure(state, suspect.danger)
        if suspect is None or sure < raising:
            return state, None
        return _changed(state, _named(state, suspect), "raised", sure)
    standing = [matter for matter in state.matters if matter.state != "withdrawn"]
    outweighed = judged.withdrawn >= withdrawing + _TAKING_BACK + (state.rescue.danger if state.rescue else 0.0)
    if standing and outweighed and judged.alone < raising:
        return _withdrawn(state, standing[-1], turn, judged.withdrawn)
    known = next((matter for matter in state.matters if matter.matter == judged.matter), None)
    if known is None and state.matters:
        more = judged.certain >= raising + _ANOTHER
        return _changed(state, turn, "raised", judged.danger) if more else (state, None)
    sure = _sure(state, judged.danger)
    if known is None:
        if sure >= raising:
            return _changed(state, _named(state, turn), "raised", sure)
        nearer = state.suspect is None or turn.danger > state.suspect.danger
        return (replace(state, suspect=_shortened(turn)) if nearer else state), None
    if known.state == "withdrawn":
        again = judged.danger >= raising + _ANOTHER
    else:
        worse = known.level != CRITICAL and turn.critical >= 0
        again = sure >= raising and (worse or probability(sure) >= known.score + _BETTER)
    return _changed(state, turn, "escalated", sure) if again else (state, None)


def remembered(state: AlertState, turn: AlertTurn) -> AlertState:
    """The state with one more utterance among those that the next are understood by."""
    return replace(state, turns=_kept((*state.turns, _shortened(turn))))


def ended(state: AlertState | None, revision: int, interrupted: bool) -> AlertState | None:
    """What is kept beyond the end of a hearing.

    After the first hearing, the matters that were told, without what was said: the call may be heard again, and an
    utterance may come late. After an end by silence, all: the call may go on. Either is given up when the call has been
    silent for long.
    """
    if state is None or interrupted:
        return state
    if revision > 1 or not state.matters:
        return None
    return replace(state, turns=(), suspect=None, rescue=None)


def is_known(state: AlertState, utterance_id: str) -> bool:
    """Whether an utterance has had its say: a double changes nothing."""
    return any(turn.utterance_id == utterance_id for turn in state.turns) or any(
        utterance_id in matter.utterance_ids for matter in state.matters
    )


def heard_before(state: AlertState, revision: int) -> Sequence[AlertTurn]:
    """The last utterances of this hearing."""
    return [turn for turn in state.turns if turn.revision == revision]


def probability(odds: float) -> float:
    """Of log odds, rounded as it is told."""
    return round(1 / (1 + math.exp(-odds)), 4)


def _supports(judged: Judged) -> float:
    """Log odds that a counsellor's utterance adds to what the caller says."""
    return min(_ACTS * max(judged.rescue, 0.0) + _TELLS * max(judged.danger, 0.0), _MOST_SUPPORT)


def _sure(state: AlertState, danger: float) -> float:
    """Log odds of danger, with the counsellor's support where there is something to support."""
    return danger + (state.rescue.danger if state.rescue is not None and danger > 0 else 0.0)


def _named(state: AlertState, turn: AlertTurn) -> AlertTurn:
    """With the matter as a counsellor says it back, where that is said more clearly than what the caller said."""
    if state.rescue is None or not state.rescue.matter or state.rescue.danger <= turn.danger:
        return turn
    return replace(turn, matter=state.rescue.matter)


def _changed(state: AlertState, turn: AlertTurn, change: AlertChange, odds: float) -> tuple[AlertState, Told]:
    """A matter raised or escalated by a caller's utterance."""
    known = next((matter for matter in state.matters if matter.matter == turn.matter), None)
    level: AlertLevel = "critical" if turn.critical >= 0 or (known and known.level == CRITICAL) else "high"
    score = probability(odds)
    supported = state.rescue if state.rescue is not None and state.rescue.danger > 0 else None
    evidence = (turn, supported) if supported is not None else (turn,)
    reason = _REASONS[change].format(danger=_DANGERS.get(turn.matter, turn.matter.replace("_", " ")))
    matter = AlertMatter(
        matter=turn.matter,
        state=change,
        level=level,
        score=max(score, known.score) if known else score,
        revision=known.revision + 1 if known else 1,
        utterance_ids=(*(known.utterance_ids if known else ()), turn.utterance_id),
    )
    told = Told(
        matter=matter,
        turn=turn,
        evidence=tuple(sorted(evidence, key=lambda each: each.start_ms)),
        score=score,
        reason=reason + (_SUPPORTED if supported is not None else ""),
    )
    return _with(state, matter), told


def _withdrawn(state: AlertState, known: AlertMatter, turn: AlertTurn, odds: float) -> tuple[AlertState, Told]:
    matter = replace(
        known,
        state="withdrawn",
        revision=known.revision + 1,
        utterance_ids=(*known.utterance_ids, turn.utterance_id),
    )
    reason = _REASONS["withdrawn"].format(danger=_DANGERS.get(known.matter, known.matter.replace("_", " ")))
    return _with(state, matter), Told(matter, turn, (turn,), probability(odds), reason)


def _with(state: AlertState, matter: AlertMatter) -> AlertState:
    """The matter that changed last stands last."""
    others = tuple(each for each in state.matters if each.matter != matter.matter)
    return replace(state, matters=(*others, matter), suspect=None)


def _kept(turns: tuple[AlertTurn, ...]) -> tuple[AlertTurn, ...]:
    same = [each for each in turns if each.revision == turns[-1].revision]
    dropped = same[:-_KEPT_TURNS]
    return tuple(each for each in turns if each not in dropped)


def _shortened(turn: AlertTurn) -> AlertTurn:
    return replace(turn, text=turn.text[-_KEPT_CHARACTERS:], redacted_text=turn.redacted_text[-_KEPT_CHARACTERS:])
