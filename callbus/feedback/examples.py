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
from callbus.feedback.vocabulary import Vocabulary
from schemas.records import CallDocument, Classification, Turn

MOST_SENTENCES = 6
_FEWEST_WORDS = 5
_SAFE = "is surely free of particulars, and long enough"
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
    """What a caller says in danger, or in none (no matter): an entry of a file of dangers/."""

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


@dataclass(frozen=True, slots=True)
class Source:
    """All that entries of one call are made of. `judged` is its newest live classification, for labels that nobody has
    corrected; `words` are those that may be kept."""

    call: Standing
    document: CallDocument
    judged: Classification | None
    labels: Labels
    words: Vocabulary


def examples(source: Source) -> Iterator[Made]:
    """Every entry that a call gives, and why others give none."""
    if source.call.case:
        yield _case(source)
    yield from _sentences(source)
    yield from _passages(source)
    if source.call.entities:
        yield LeftOut(source.call.call_id, "ner", "particulars are found by rules and lists, which no corpus trains")


def entry_id(call_id: str) -> str:
    """A name that does not tell the call: an exchange's ids may hold a telephone number."""
    return f"feedback/{hashlib.blake2b(call_id.encode(), digest_size=6).hexdigest()}"


def _case(source: Source) -> Case | LeftOut:
    call, labels = source.call, source.labels
    found = _live(source.judged) | {name: word.label for name, word in call.case.items()}
    if lacking := [name for name in _CASE if name not in found]:
        return LeftOut(call.call_id, CASE, f"nothing says its {' and '.join(lacking)}")
    try:
        labels.case(found["main"], found["sub"])
    except InputError as problem:
        return LeftOut(call.call_id, CASE, f"another taxonomy: {problem}")
    for name, known in (("priority", labels.priorities), ("intervention", labels.interventions)):
        if found[name] not in known:
            return LeftOut(call.call_id, CASE, f"{found[name]} is no {name} of the taxonomy")
    says = next((texts for turns in _telling(source) if (texts := _safe(source, turns))), [])
    if not says:
        return LeftOut(call.call_id, CASE, f"of the turns that tell of it none {_SAFE}")
    corrected = tuple(name for name in _CASE if name in call.case)
    return Case(
        entry=entry_id(call.call_id),
        labels=found,
        says=tuple(says[:MOST_SENTENCES]),
        provenance=Provenance(
            entry=entry_id(call.call_id),
            stage=CASE,
            feedback=tuple(dict.fromkeys(call.case[name].event_id for name in corrected)),
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


def _telling(source: Source) -> Iterator[list[Turn]]:
    """The caller's turns that say something of the case: those that were named, then those that the classification
    rests on; where there are neither, the longest. Small talk must not be taught as what a case is."""
    callers = [turn for turn in source.document.turns if turn.speaker != "agent"]
    judged = source.judged
    rests_on = [] if judged is None else [u for name in _CASE for u in getattr(judged, name).evidence]
    for ids in (source.call.evidence, rests_on):
        yield [turn for turn in callers if turn.utterance_id in ids]
    if not (source.call.evidence or rests_on):
        longest = sorted(callers, key=lambda turn: -len(turn.text))[: 2 * MOST_SENTENCES]
        yield [turn for turn in callers if turn in longest]


def _sentences(source: Source) -> Iterator[Sentence | LeftOut]:
    call_id = source.call.call_id
    for name, (one, event_id) in source.call.criteria.items():
        kind: Literal["shows", "lacks"] = "shows" if one.verdict == "pass" else "lacks"
        if one.verdict not in ("pass", "fail") or name not in source.labels.criteria:
            yield LeftOut(call_id, "qa", f"{name}: {one.verdict} teaches nothing, or the rubric has it no more")
            continue
        texts = _safe(source, _named(source, one.utterance_ids, "caller"))
        if not texts:
            yield LeftOut(call_id, "qa", f"{name}: of the counsellor's turns that were named none {_SAFE}")
        for text in texts:
            yield Sentence(criterion=name, kind=kind, text=text, provenance=_of(call_id, "qa", event_id, name))


def _passages(source: Source) -> Iterator[Passage | LeftOut]:
    call_id = source.call.call_id
    for matter, (one, event_id) in source.call.alerts.items():
        texts = _safe(source, _named(source, one.utterance_ids, "agent"))
        if not texts or (one.danger and matter not in source.labels.matters):
            yield LeftOut(call_id, "alerts", f"{matter}: of the caller's turns that were named none {_SAFE}")
            continue
        yield Passage(
            matter=matter if one.danger else NO_DANGER,
            level=one.level if one.danger else "",
            text=" ".join(texts),
            provenance=_of(call_id, "alerts", event_id, matter),
        )


def _named(source: Source, utterance_ids: Sequence[str], others: str) -> list[Turn]:
    """The turns with these ids that the other side has not said."""
    return [turn for turn in source.document.turns if turn.speaker != others and turn.utterance_id in utterance_ids]


def _safe(source: Source, turns: Sequence[Turn]) -> list[str]:
    """What may be kept of these turns, and is long enough to say something."""
    more = _pointed_at(source)
    said = (anonymous(source.document, turn, source.words, more) for turn in turns)
    return list(dict.fromkeys(text for text in said if text and len(text.split()) >= _FEWEST_WORDS))


def _pointed_at(source: Source) -> list[str]:
    """Personal texts that redaction missed and somebody has pointed at."""
    turns = {turn.utterance_id: turn for turn in source.document.turns}
    return [
        turns[one.utterance_id].text[one.start : one.end]
        for one, _ in source.call.entities.values()
        if one.utterance_id in turns and source.labels.entities.get(one.label, False)
    ]


def _of(call_id: str, stage: str, event_id: str, corrected: str) -> Provenance:
    return Provenance(entry=entry_id(call_id), stage=stage, feedback=(event_id,), corrected=(corrected,))
