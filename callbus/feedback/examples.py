"""From what stands of a call to entries of the example corpus, in the form that domain/corpus/README.md tells. Pure.

What was said of a call is never guessed at: a correction that has not all that an example needs is left out, with the
reason. Labels that nobody has corrected stay as they were judged, and the provenance says which these are.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from callbus.errors import InputError
from callbus.feedback.anonymous import anonymous
from callbus.feedback.labels import NO_DANGER, Labels
from callbus.feedback.standing import CASE, Standing
from schemas.records import CallDocument, Classification, Turn

MOST_SENTENCES = 6
_FEWEST_WORDS = 5
_CASE = ("main", "sub", "priority", "intervention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where an entry comes from: the feedback's event_ids, what they corrected, what stands as it was judged."""

    entry: str
    stage: str
    feedback: tuple[str, ...]
    corrected: tuple[str, ...] = ()
    as_judged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A caller's call with its labels: an entry of callers/<main>.yaml."""

    entry: str
    labels: Mapping[str, str]
    says: tuple[str, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A counsellor's sentence that fulfils or misses a criterion: an entry of counsellors.yaml."""

    criterion: str
    kind: Literal["shows", "lacks"]
    text: str
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What a caller says in danger, or in none (no matter): an entry of dangers.yaml."""

    matter: str
    level: str
    text: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A correction that no entry came of, and why."""

    call_id: str
    stage: str
    reason: str


Made = Case | Sentence | Passage | LeftOut


def examples(
    call: Standing, document: CallDocument | None, judged: Classification | None, labels: Labels
) -> Iterator[Made]:
    """Every entry that a call gives. `judged` is its newest live classification, for labels that nobody corrected."""
    if document is None:
        yield LeftOut(call.call_id, "", "what was said in it is no longer on the topic")
        return
    pointed_at = _pointed_at(call, document, labels)
    if call.case:
        yield _case(call, document, judged, labels, pointed_at)
    yield from _sentences(call, document, labels, pointed_at)
    yield from _passages(call, document, labels, pointed_at)
    if call.entities:
        yield LeftOut(call.call_id, "ner", "particulars are found by rules and lists, which no corpus trains")


def entry_id(call_id: str) -> str:
    """A name that does not tell the call: an exchange's ids may hold a telephone number."""
    return f"feedback/{hashlib.blake2b(call_id.encode(), digest_size=6).hexdigest()}"


def _case(
    call: Standing, document: CallDocument, judged: Classification | None, labels: Labels, more: Sequence[str]
) -> Case | LeftOut:
    found = _live(judged) | {name: word.label for name, word in call.case.items()}
    if lacking := [name for name in _CASE if name not in found]:
        return LeftOut(call.call_id, CASE, f"nothing says its {' and '.join(lacking)}")
    try:
        labels.case(found["main"], found["sub"])
    except InputError as problem:
        return LeftOut(call.call_id, CASE, f"another taxonomy: {problem}")
    for name, known in (("priority", labels.priorities), ("intervention", labels.interventions)):
        if found[name] not in known:
            return LeftOut(call.call_id, CASE, f"{found[name]} is no {name} of the taxonomy")
    says = _safe(document, _telling(call, document, judged), more)[:MOST_SENTENCES]
    if not says:
        return LeftOut(call.call_id, CASE, "no turn of the caller is free of particulars, and long enough")
    corrected = tuple(name for name in _CASE if name in call.case)
    return Case(
        entry=entry_id(call.call_id),
        labels=found,
        says=tuple(says),
        provenance=Provenance(
            entry=entry_id(call.call_id),
            stage=CASE,
            feedback=_ids(call.case[name].event_id for name in corrected),
            corrected=corrected,
            as_judged=tuple(name for name in _CASE if name not in call.case),
        ),
    )


def _live(judged: Classification | None) -> dict[str, str]:
    """The labels that were judged; an undetermined one is none."""
    if judged is None:
        return {}
    said = {name: getattr(judged, name) for name in _CASE}
    return {name: one.label for name, one in said.items() if one.score > 0}


def _telling(call: Standing, document: CallDocument, judged: Classification | None) -> list[Turn]:
    """The caller's turns that say something of the case: those that were named, else those that the classification
    rests on, else the longest. Small talk must not be taught as what a case is."""
    callers = [turn for turn in document.turns if turn.speaker != "agent" and len(turn.text.split()) >= _FEWEST_WORDS]
    rests_on = [] if judged is None else [u for name in _CASE for u in getattr(judged, name).evidence]
    for ids in (call.evidence, rests_on):
        if turns := [turn for turn in callers if turn.utterance_id in ids]:
            return turns
    longest = sorted(callers, key=lambda turn: -len(turn.text))[:MOST_SENTENCES]
    return [turn for turn in callers if turn in longest]


def _sentences(
    call: Standing, document: CallDocument, labels: Labels, more: Sequence[str]
) -> Iterator[Sentence | LeftOut]:
    for name, (one, event_id) in call.criteria.items():
        kind: Literal["shows", "lacks"] = "shows" if one.verdict == "pass" else "lacks"
        if one.verdict not in ("pass", "fail") or name not in labels.criteria:
            yield LeftOut(call.call_id, "qa", f"{name}: {one.verdict} teaches nothing, or the rubric has it no more")
            continue
        turns = [turn for turn in document.turns if turn.speaker != "caller" and turn.utterance_id in one.utterance_ids]
        texts = _safe(document, turns, more)
        if not texts:
            yield LeftOut(
                call.call_id, "qa", f"{name}: no turn of the counsellor was named that is free of particulars"
            )
        for text in texts:
            yield Sentence(criterion=name, kind=kind, text=text, provenance=_of(call, "qa", event_id, name))


def _passages(
    call: Standing, document: CallDocument, labels: Labels, more: Sequence[str]
) -> Iterator[Passage | LeftOut]:
    for matter, (one, event_id) in call.alerts.items():
        turns = [turn for turn in document.turns if turn.speaker != "agent" and turn.utterance_id in one.utterance_ids]
        texts = _safe(document, turns, more)
        if not texts or (one.danger and matter not in labels.matters):
            yield LeftOut(
                call.call_id, "alerts", f"{matter}: no turn of the caller was named that is free of particulars"
            )
            continue
        where = (matter, one.level) if one.danger else (NO_DANGER, "")
        yield Passage(
            matter=where[0], level=where[1], text=" ".join(texts), provenance=_of(call, "alerts", event_id, matter)
        )


def _pointed_at(call: Standing, document: CallDocument, labels: Labels) -> list[str]:
    """Personal texts that redaction missed and somebody has pointed at."""
    turns = {turn.utterance_id: turn for turn in document.turns}
    return [
        turns[one.utterance_id].text[one.start : one.end]
        for one, _ in call.entities.values()
        if one.utterance_id in turns and labels.entities.get(one.label, False)
    ]


def _safe(document: CallDocument, turns: Sequence[Turn], more: Sequence[str]) -> list[str]:
    said = (anonymous(document, turn, more) for turn in turns)
    return list(dict.fromkeys(text for text in said if text and len(text.split()) >= _FEWEST_WORDS))


def _of(call: Standing, stage: str, event_id: str, corrected: str) -> Provenance:
    return Provenance(entry=entry_id(call.call_id), stage=stage, feedback=(event_id,), corrected=(corrected,))


def _ids(ids: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
