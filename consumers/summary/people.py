"""Who is concerned, and the part that they have: caller and counsellor, and those whom the caller's sentences speak of.

People are roles ("sister"). Somebody whom the call names, and of whom it says no role, is told as the placeholder of
the name, and only if they do or suffer harm. Every part has the turns that say so. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from consumers.harm import CALLER
from consumers.relations import Relations, is_a_minor
from consumers.summary.said import Said
from schemas.records import CallDocument, Part, Speaker, SummaryPerson, Turn

SOMEONE = "someone"  # to whom harm is done, where the call says of nobody that it is them

_PEOPLE = 6
_EVIDENCE = 3  # turns of one person

_Told = Mapping[str, Sequence[Said]]  # by whom it tells of


def people(document: CallDocument, told: Sequence[Said], relations: Relations) -> Iterator[SummaryPerson]:
    """Who speaks, by their first turn; those of whom harm is said; the other roles, of most turns first.

    `told` are the sentences of the matter that no counsellor said.
    """
    speaking: tuple[tuple[Speaker, Part], ...] = (("caller", "caller"), ("agent", "counsellor"))
    for speaker, part in speaking:
        turns = (turn.utterance_id for turn in document.turns if turn.speaker == speaker and _is_said(turn))
        if first := next(turns, None):
            yield SummaryPerson(role=part, evidence=(first,), part=part)
    if minor := [one for one in told if one.turn.speaker == "caller" and is_a_minor(one.text)]:
        yield SummaryPerson(role=CALLER, evidence=_turns(minor), part="child")
    yield from _concerned(told, relations)


def _concerned(told: Sequence[Said], relations: Relations) -> Iterator[SummaryPerson]:
    does, suffers = _harm(told, relations)
    spoken: defaultdict[str, list[Said]] = defaultdict(list)
    for one in told:
        for role in relations.spoken_of(one.text):
            spoken[role].append(one)
    if CALLER in suffers:
        yield SummaryPerson(role=CALLER, evidence=_turns(suffers[CALLER]), part="victim")
    harm = {who: [*does.get(who, ()), *suffers.get(who, ())] for who in (*does, *suffers)}
    others = [role for role in _of_most_turns(spoken) if role not in harm]
    for who in [who for who in (*_of_most_turns(harm), *others) if who not in (CALLER, SOMEONE)][:_PEOPLE]:
        if who in does:
            yield SummaryPerson(role=who, evidence=_turns(does[who]), part="alleged_perpetrator")
        if who in suffers:
            yield SummaryPerson(role=who, evidence=_turns(suffers[who]), part="victim")
        if who not in harm:
            part: Part = "child" if who in relations.children else "unknown"
            yield SummaryPerson(role=who, evidence=_turns(spoken[who]), part=part)
    if suffers.keys() == {SOMEONE}:
        yield SummaryPerson(role=SOMEONE, evidence=_turns(suffers[SOMEONE]), part="victim")


def _harm(told: Sequence[Said], relations: Relations) -> tuple[_Told, _Told]:
    """Who is said to do harm, and whom it is said to be done to, each with the sentences that say so.

    A caller says "me" of the caller; who says it on a channel without a speaker is not known.
    """
    roles = relations.known_as(one.text for one in told)
    does: defaultdict[str, list[Said]] = defaultdict(list)
    suffers: defaultdict[str, list[Said]] = defaultdict(list)
    for one in told:
        for deed in one.harms:
            if deed.doer:
                does[roles.get(deed.doer, deed.doer)].append(one)
            if deed.sufferer != CALLER or one.turn.speaker == "caller":
                suffers[roles.get(deed.sufferer, deed.sufferer) or SOMEONE].append(one)
    return does, suffers


def _of_most_turns(told: _Told) -> list[str]:
    return sorted(told, key=lambda who: -len({one.turn.utterance_id for one in told[who]}))


def _is_said(turn: Turn) -> bool:
    return turn.kind in ("speech", "message") and bool(turn.text)


def _turns(said: Iterable[Said]) -> tuple[str, ...]:
    """The first turns of these sentences."""
    return tuple(dict.fromkeys(one.turn.utterance_id for one in said))[:_EVIDENCE]
