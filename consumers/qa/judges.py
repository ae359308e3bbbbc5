"""One judge per way of judging: from a call's speech to a score, its evidence, and the reason in a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumers.qa import measures
from consumers.qa.rubric import Consults, Fluency, Judge, Overlap, Rubric, Shown, Sound, Words
from consumers.qa.speech import Piece, Speech

_ANNOUNCED = 0.5
_CERTAIN = 0.8  # without any silence, as in a chat
_ABRUPT = 0.6
_NO_CASE = 0.8  # a case that is taken for none is not judged, which is the worse mistake
_AWAY_MS = 3_000  # after an announcement already this silence is a hold
_NOT_BEFORE = 2  # counsellor's turns until the opening can be judged while the call goes on


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge found. `score` None: the criterion does not apply (yet)."""

    score: float | None
    evidence: tuple[str, ...]
    reason: str


Revise = Callable[[str, Judge, Finding], Finding]


def judge(criterion: str, rubric: Rubric, speech: Speech, revise: Revise | None = None) -> Finding:
    """The finding on one criterion; `revise` may put another in the place of what the heads found."""
    if not speech.agent:
        return Finding(None, (), "the counsellor has not said anything")
    finding = _judge(criterion, rubric.judge(criterion), rubric, speech)
    if revise is not None and finding.score is not None:
        finding = revise(criterion, rubric.judge(criterion), finding)
    if speech.document.complete or finding.score is None:
        return finding
    return _so_far(finding, finding.score >= rubric.threshold, rubric.judge(criterion), speech)


def _judge(criterion: str, by: Judge, rubric: Rubric, speech: Speech) -> Finding:
    if isinstance(by, Shown):
        return _shown(criterion, by, rubric, speech)
    if isinstance(by, Sound):
        return _sound(criterion, by, rubric, speech)
    if isinstance(by, Consults):
        return _consults(criterion, by, rubric, speech)
    if isinstance(by, Words):
        return _words(by, speech)
    if isinstance(by, Overlap):
        return _overlap(by, speech)
    return _fluency(by, speech)


def _shown(criterion: str, by: Shown, rubric: Rubric, speech: Speech) -> Finding:
    if by.only_if == "hold" and not held(rubric, speech):
        return Finding(None, (), "nobody was put on hold")
    if by.only_if == "case" and no_case(rubric, speech):
        return Finding(None, (), "there is no case: nobody spoke, or not in earnest")
    head = f"shows:{criterion}"
    if by.echoes:
        value, piece = speech.strongest_echo(head, by.where)
    else:
        value, piece = speech.clearest(criterion, by.where) if by.clean else speech.strongest(head, by.where)
    score = _scaled(value, by.enough)
    if piece and score >= rubric.threshold:
        return Finding(score, (piece.turn.utterance_id,), "the counsellor says so in this turn")
    return Finding(score, (), "no turn of the counsellor shows it")


def _sound(criterion: str, by: Sound, rubric: Rubric, speech: Speech) -> Finding:
    if said := measures.saying(speech.agent, by.words):
        return Finding(0.1, said, "a word in this turn breaks it")
    broken, piece = speech.worst(criterion)
    tolerated = by.tolerated / 2 if by.guessing_counts and _guesses(rubric, speech) else by.tolerated
    clean = max(0.0, 1 - broken / (2 * tolerated))
    if piece and broken > tolerated:
        return Finding(min(clean, 0.49), (piece.turn.utterance_id,), "this turn breaks it")
    if not by.needs or no_case(rubric, speech):
        return Finding(clean, (), "no turn breaks it")
    score, best = max((speech.strongest(f"shows:{need}", "after_opening") for need in by.needs), key=_first)
    if best and score >= rubric.threshold:
        return Finding(min(score, clean), (best.turn.utterance_id,), "this turn takes a step, and none breaks it")
    return Finding(min(score, clean), (), "the counsellor takes no step that helps")


def _first(found: tuple[float, Piece | None]) -> float:
    return found[0]


def _consults(criterion: str, by: Consults, rubric: Rubric, speech: Speech) -> Finding:
    asked, piece = speech.clearest(criterion, "after_opening")
    if piece and asked >= by.enough:
        return Finding(_scaled(asked, by.enough), (piece.turn.utterance_id,), "the counsellor asks somebody who knows")
    if guessed := _guesses(rubric, speech):
        return Finding(asked / 2, guessed, "the counsellor is unsure in this turn and asks nobody")
    return Finding(None, (), "the counsellor is never unsure, so there is nobody to ask")


def _scaled(value: float, enough: float) -> float:
    """A score of 0.5 where a probability is just enough, 0 and 1 where it is."""
    return value / (2 * enough) if value < enough else 0.5 + (value - enough) / (2 * (1 - enough))


def _guesses(rubric: Rubric, speech: Speech) -> tuple[str, ...]:
    """The turns in which the counsellor guesses, if nobody who knows is asked in the call."""
    for name, by in rubric.judged_by.items():
        if isinstance(by, Consults):
            if speech.clearest(name, "after_opening")[0] >= by.enough:
                return ()
            broken, piece = speech.worst(name)
            if piece and broken > by.tolerated:
                return (piece.turn.utterance_id,)
    fluent = next((by for by in rubric.judged_by.values() if isinstance(by, Fluency)), None)
    return () if fluent is None else measures.fluency(speech.agent, fluent.fillers, fluent.hedges).guessed


def no_case(rubric: Rubric, speech: Speech) -> bool:
    """Whether the counsellor says that there is no case: a wrong number, a prank, a line on which nobody speaks.

    There is one all the same if something that only a case asks for is done, and more clearly so. Heads that were
    trained without examples of it take every call for a case.
    """
    if rubric.no_case is None or f"shows:{rubric.no_case}" not in speech.probabilities:
        return False
    said, _ = speech.clearest(rubric.no_case, "after_opening")
    done = [
        speech.clearest(name, "after_opening")[0]
        for name, by in rubric.judged_by.items()
        if isinstance(by, Shown) and by.only_if == "case" and not by.echoes
    ]
    return said >= _NO_CASE and said > max(done, default=0.0)


def _words(by: Words, speech: Speech) -> Finding:
    turns = [measures.saying(speech.agent, words) for words in by.all_of]
    evidence = tuple(dict.fromkeys(turn for found in turns for turn in found))
    missing = [words[0] for words, found in zip(by.all_of, turns, strict=True) if not found]
    if not missing:
        both = set(turns[0]).intersection(*turns[1:])
        return Finding(1.0, tuple(turn for turn in evidence if turn in both) or evidence, "all of them are said")
    return Finding(0.4 * (1 - len(missing) / len(turns)), evidence, f"never says {' or '.join(map(repr, missing))}")


def _overlap(by: Overlap, speech: Speech) -> Finding:
    found = measures.interruptions(speech.document.turns, by.tolerated_ms)
    if found:
        return Finding(0.5 ** len(found) * 0.5, found, f"cuts the caller off, {len(found)} in all")
    return Finding(1.0, (), "never starts while the caller speaks")


def _fluency(by: Fluency, speech: Speech) -> Finding:
    limits = by.pauses
    paused = measures.pauses(speech.document.turns, limits.from_ms, limits.below_ms) if limits else ()
    found = measures.fluency(speech.agent, by.fillers, by.hedges, paused)
    counts = f"{found.fillers} fillers and {found.hedges} hedges in {found.words} words"
    stops = f", {found.pauses} pauses in mid-sentence" if found.pauses else ""
    return Finding(found.score, found.evidence, counts + stops)


def held(rubric: Rubric, speech: Speech) -> bool:
    """Whether the caller was put on hold: announced and then silence, or a long silence, or thanked for waiting."""
    turns = speech.document.turns
    silence = measures.silence_after_ms(turns)
    if any(each >= measures.HOLD_SILENCE_MS for each in silence.values()):
        return True
    criteria = [name for name, by in rubric.judged_by.items() if isinstance(by, Shown) and by.only_if == "hold"]
    shown = {name: _above(speech, f"shows:{name}", _ANNOUNCED) for name in criteria}
    if len(criteria) > 1 and all(_above(speech, f"shows:{name}", _CERTAIN) for name in criteria):
        return True
    abrupt = [piece for name in criteria for piece in _above(speech, f"lacks:{name}", _ABRUPT)]
    for piece in [*abrupt, *(piece for pieces in shown.values() for piece in pieces)]:
        # The caller may answer ("yes, that is fine") before the silence begins; thanks come right after it.
        near = turns[max(0, piece.turn_index - 1) : piece.turn_index + 2]
        if any(silence[turn.utterance_id] >= _AWAY_MS for turn in near):
            return True
    return False


def _above(speech: Speech, head: str, limit: float) -> Sequence[Piece]:
    if head not in speech.probabilities:
        return ()
    return [piece for piece, value in zip(speech.pieces, speech.probabilities[head], strict=True) if value >= limit]


def _so_far(finding: Finding, passed: bool, by: Judge, speech: Speech) -> Finding:
    """While the call goes on: what is done stays done, what is broken stays broken, the rest is open."""
    if isinstance(by, Shown | Words):
        early = isinstance(by, Shown) and by.where == "opening" and len(speech.agent) > _NOT_BEFORE
        ends = isinstance(by, Shown) and by.where == "closing"
        if (passed and not ends) or early:
            return finding
        return Finding(None, (), "pending: it may still come, the call goes on")
    if isinstance(by, Sound) and by.needs and not passed and not finding.evidence:
        return Finding(None, (), "pending: it may still come, the call goes on")
    return Finding(finding.score, finding.evidence, f"so far: {finding.reason}")
