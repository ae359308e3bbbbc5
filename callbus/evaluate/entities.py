"""How well particulars are found: precision, recall and F1 per label, and over all of them (micro).

A found particular is right if one of the truth has its label and either shares a character with it or is the same in
normalised text (`wording.normalised`); one of the truth is found if any such was found. So half a name counts, and two
finds for one name are both right.

* Where the turns were put in as text, that is asked turn by turn, by offsets into the turn's text. Where a turn says
  the same twice and the truth names it once, either place will do.
* Of audio, and of the turns that were translated, offsets mean nothing: each particular of them counts once, by its
  normalised text. Of translated turns only those count that read the same in `reference_en`, where that is there.
* A list that names no turns, or that is in another language than what was read, need not be complete: such calls, and
  in other calls such turns, count for recall only.
* A label of which no call of the folder has one in its list is no measure: who wrote the lists did not ask for it, so
  what is found of it is neither right nor wrong. Of a label that one call has, every complete list has all.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from callbus.evaluate.heard import Heard
from callbus.evaluate.truth import TrueEntity
from callbus.evaluate.wording import normalised, places

CORE = ("NAME", "LOCATION", "AGE", "PHONE_NUMBER", "DATE")
"""The labels whose F1 has a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Each None where nothing tells: no particular found, none true, no complete list."""

    precision: float | None
    recall: float | None
    f1: float | None
    true: int
    found: int  # in calls whose list is complete


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """Over all labels, over `CORE`, and per label."""

    micro: Found
    core: Found
    per_label: Mapping[str, Found]


@dataclass(slots=True)
class Count:
    """Of one label."""

    true: int = 0
    true_found: int = 0
    found: int = 0
    found_right: int = 0
    complete: bool = False  # a complete list was there to tell what is wrong


@dataclass(frozen=True, slots=True)
class _Particular:
    label: str
    words: str  # normalised
    places: Sequence[tuple[int, int]] = ()

    def is_(self, other: "_Particular") -> bool:
        if self.label != other.label:
            return False
        if self.words and self.words == other.words:
            return True
        return any(a < d and c < b for a, b in self.places for c, d in other.places)


def listed(calls: Iterable[Heard]) -> frozenset[str]:
    """The labels that the lists of these calls, a folder's, know."""
    return frozenset(entity.label for call in calls for entity in call.truth.entities or ())


def score(calls: Sequence[Heard]) -> Entities:
    """Over the calls whose truth has a list of particulars."""
    counts: defaultdict[str, Count] = defaultdict(Count)
    known = listed(calls)
    for call in calls:
        count(call, known, counts)
    labels = sorted(label for label, one in counts.items() if one.true or one.found)
    return Entities(
        micro=_found([counts[label] for label in labels]),
        core=_found([counts[label] for label in labels if label in CORE]),
        per_label={label: _found([counts[label]]) for label in labels},
    )


def count(call: Heard, known: Container[str], counts: defaultdict[str, Count]) -> None:
    """Add a call's particulars of the labels in `known` to the counts by label."""
    if call.truth.entities is None:
        return
    everywhere = range(len(call.truth.turns))
    if not call.truth.by_turn or call.is_audio:
        sure = call.truth.by_turn and call.in_english and not call.truth.unsure
        _compare(*_together(call, call.truth.entities, everywhere), known, counts, complete=sure)
        return
    foreign = call.translated
    for number in everywhere:
        if number not in foreign:
            sure = number not in call.truth.unsure
            _compare(*_of_turn(call, call.truth.entities, number), known, counts, complete=sure)
    if foreign:
        its = [entity for entity in call.truth.entities if entity.turn in foreign]
        _compare(*_together(call, its, foreign), known, counts, complete=False)


def missed(call: Heard, known: Container[str]) -> tuple[int, int]:
    """Of one call: how many particulars were not found, and how many were found where there is none.

    `known` are the labels that the lists of its folder know.
    """
    counts: defaultdict[str, Count] = defaultdict(Count)
    count(call, known, counts)
    return (
        sum(one.true - one.true_found for one in counts.values()),
        sum(one.found - one.found_right for one in counts.values()),
    )


def _of_turn(call: Heard, entities: Sequence[TrueEntity], number: int) -> tuple[list[_Particular], list[_Particular]]:
    """What is true of a turn, and what was found in it."""
    its = [entity for entity in entities if entity.turn == number]
    found = [each for one in call.entities if call.turn_of[one.utterance_id] == number for each in one.entities]
    return (
        list(_placed(its, call.truth.turns[number].text)),
        [_Particular(each.label, normalised(each.text), [(each.start, each.end)]) for each in found],
    )


def _placed(entities: Sequence[TrueEntity], text: str) -> Iterator[_Particular]:
    """The first of two that read the same stands at the first place, and so on; a single one at every place."""
    named: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entity in entities:
        named[entity.label, normalised(entity.text)].append(entity.text)
    for (label, words), texts in named.items():
        at = places(texts[0], text)
        for number in range(len(texts)):
            alone = len(texts) > 1 and number < len(at)
            # One of several must be found where it stands: the others have the same words.
            yield _Particular(label, "" if alone else words, [at[number]] if alone else at)


def _together(
    call: Heard, entities: Sequence[TrueEntity], numbers: Container[int]
) -> tuple[list[_Particular], list[_Particular]]:
    """What is true of these turns and what was found in them, wherever it stands; of audio, in all of the call."""
    turns = [turn for number, turn in enumerate(call.truth.turns) if number in numbers and turn.spoken_by]
    read = [one for one in call.entities if call.is_audio or call.turn_of[one.utterance_id] in numbers]
    reads: list[TrueEntity] = list(entities)
    if not call.in_english and all(turn.reference_en for turn in turns):
        reads = [one for one in entities if any(places(one.text, turn.reference_en or "") for turn in turns)]
    true = dict.fromkeys((entity.label, normalised(entity.text)) for entity in reads)
    found = dict.fromkeys((each.label, normalised(each.text)) for one in read for each in one.entities)
    return [_Particular(*one) for one in true], [_Particular(*one) for one in found]


def _compare(
    true: Sequence[_Particular],
    found: Sequence[_Particular],
    known: Container[str],
    counts: defaultdict[str, Count],
    *,
    complete: bool,
) -> None:
    for one in true:
        its = counts[one.label]
        its.true += 1
        its.true_found += any(one.is_(other) for other in found)
        its.complete |= complete
    for one in found if complete else ():
        if one.label not in known:
            continue
        its = counts[one.label]
        its.found += 1
        its.found_right += any(one.is_(other) for other in true)
        its.complete = True


def _found(counts: Collection[Count]) -> Found:
    true, found = sum(one.true for one in counts), sum(one.found for one in counts)
    precision = sum(one.found_right for one in counts) / found if found else None
    recall = sum(one.true_found for one in counts) / true if true else None
    f1 = None
    if any(one.complete for one in counts):
        p, r = precision or 0.0, recall or 0.0
        f1 = 2 * p * r / (p + r) if p + r else 0.0
    return Found(precision=precision, recall=recall, f1=f1, true=true, found=found)
