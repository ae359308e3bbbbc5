"""Names, places and landmarks by the words around them and the gazetteer: what a general model misses.

It is trained on newspapers; a call is lower case, unpunctuated, and full of names that it never saw. Pure functions
over `Word`s. They lean towards finding too much, for what is not found stays in clear.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.words import Span, Word

# The scores decide between overlapping finds (see spans.resolve), so they are in order of how much a cue says.
PLACE_CALLED, NAME_CALLED, LANDMARK, PLACE, NAME_AGAIN, NAME, NAME_BY_CAPITAL = 0.97, 0.95, 0.92, 0.9, 0.87, 0.85, 0.8
PLACE_BY_CUE, NAME_BY_GRAMMAR, PLACE_BY_PREPOSITION, UNLISTED = 0.7, 0.65, 0.6, 0.5

_NAME_IS = re.compile(
    r"\b(?:(?:sur)?name(?:'s| is| was|s are)|(?:is|am|are|was|were|girl|boy|child|man|woman|someone|teacher|friend)"
    r" (?:called|named)|call(?:s|ed)? (?:myself|himself|herself|me|him|her)|known as|nicknamed"
    r"|name(?:'s| is) called)\s+",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"\b(?:hello|hallo|hi|hey|dear|goodbye|good bye|bye|good (?:morning|afternoon|evening|night|day)"
    r"|thanks|thank you|for (?:calling|holding|waiting)|(?:sp(?:eak(?:ing)?|oke)|talk(?:ing|ed)?) (?:to|with)"
    r"|tell|told|asked|greet|met|married|visited)[\s,]+",
    re.IGNORECASE,
)
_IS = re.compile(
    r"\b(?:i am|i'm|im|s?he is|s?he's|this is|it is|it's|that is|that's|you are|you're)\s+",
    re.IGNORECASE,
)
_PLACE_CALLED = re.compile(
    r"\b(?:village|town|place|county|district|estate|area|camp|street)(?: (?:is|was))? (?:of|called|named)\s+",
    re.IGNORECASE,
)
_LIVES = re.compile(
    r"\b(?:call(?:ing)? (?:from|for)|(?:com(?:e|es|ing)|came|am|is|are|moved|travel?led|r[au]n) from"
    r"|(?:liv(?:e|es|ed|ing)|stay(?:s|ed|ing)?|resid(?:e|es|ing)|born|based) (?:in|at|near))\s+",
    re.IGNORECASE,
)
_NEAR = re.compile(
    r"\b(?:near|nearby|behind|opposite|next to|beside|across from|in front of|(?:not far|far) from|close to"
    r"|adjacent to)\s+",
    re.IGNORECASE,
)
_PREPOSITIONS_OF_PLACE = frozenset({"in", "at", "from", "near"})
_PREPOSITIONS = _PREPOSITIONS_OF_PLACE | frozenset({"to", "around", "of", "towards", "toward"})
# fmt: off
_QUALIFIERS = frozenset((
    "primary", "secondary", "high", "boys", "girls", "mixed", "day", "boarding", "nursery", "junior", "senior",
    "police", "bus", "railway", "train", "district", "general", "referral", "level", "trading", "catholic", "health",
    "market", "shopping", "fish", "petrol", "filling", "gas", "fire", "old", "new",
))
# fmt: on
_LINKS = frozenset({"the", "a", "an", "of", "our", "my", "that", "this"})
_DETERMINERS = frozenset(
    {"a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "that", "some", "no"}
)
_PARTICLES = frozenset({"wa", "bin", "binti", "bint", "ole", "arap", "van", "de", "da", "dos", "do", "la", "el", "al"})
_LONGEST_NAME = 4
_LONGEST_LANDMARK = 6


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> list[Span]:
    """Every find of the rules below; they may overlap."""
    listed = list(_listed(words, gazetteer))
    return [
        *listed,
        *_names(text, words, gazetteer, listed),
        *_places(text, words, gazetteer),
        *_landmarks(text, words, gazetteer, listed),
    ]


def could_be_name(word: Word, gazetteer: Gazetteer) -> bool:
    """Whether a word that stands where a name stands can be one."""
    if (
        not {word.fold, word.fold.removesuffix("s")}.isdisjoint(gazetteer.never_names)
        or word.fold in gazetteer.peoples
        or word.text.isdecimal()
    ):
        return False
    if word.function and not (word.capital and word.fold in gazetteer.ordinary_names):
        return False
    return (
        word.fold in gazetteer.names or word.fold in gazetteer.ordinary_names or word.capital or not word.known
    ) and len(word.text) > 1


def _listed(words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    """Places and offices of the gazetteer, the longest first."""
    at = 0
    while at < len(words):
        for phrase, label in gazetteer.phrases.get(words[at].fold, ()):
            span = words[at : at + len(phrase)]
            if tuple(word.fold for word in span) == phrase and all(word.joined for word in span[1:]):
                yield Span(span[0].start, span[-1].end, label, PLACE)
                at += len(phrase) - 1
                break
        at += 1


def _names(text: str, words: Sequence[Word], gazetteer: Gazetteer, listed: Sequence[Span]) -> Iterator[Span]:
    places = {span.start for span in listed}
    called, greeted, said = (_after(cue, text) for cue in (_NAME_IS, _GREETING, _IS))
    at = last = 0
    while at < len(words):
        word = words[at]
        listing = 0 < last == at - 1 and words[at - 1].fold in ("and", "or")
        cue = _Cue(word.start in called, word.start in greeted or listing, word.start in said)
        score = _name_score(words, at, cue, gazetteer)
        if score < NAME_CALLED and word.start in places:
            score = 0.0
        if not score:
            at += 1
            continue
        at = last = _name_end(words, at, gazetteer, places)
        yield Span(word.start, words[at - 1].end, "NAME", score)


@dataclass(frozen=True, slots=True)
class _Cue:
    """What stands before a word: "my name is", "hello" or "told", "I am"."""

    called: bool
    greeted: bool
    said: bool


def _name_score(words: Sequence[Word], at: int, cue: _Cue, gazetteer: Gazetteer) -> float:
    """How sure it is that a name begins with `words[at]`; 0 if none does."""
    word = words[at]
    after = words[at + 1] if at + 1 < len(words) and words[at + 1].joined else None
    before = words[at - 1].fold if at and word.joined else ""
    listed, ordinary = word.fold in gazetteer.names, word.fold in gazetteer.ordinary_names
    if cue.called and ordinary and (after is None or after.function):  # "my name is will and …"
        return NAME_CALLED
    if not could_be_name(word, gazetteer):
        return 0.0
    titled = before in gazetteer.titles and words[at - 1].end + 1 == word.start  # not "the officer's answer"
    capital = word.capital and not word.opens
    rules = (
        (NAME_CALLED, cue.called),
        (NAME_CALLED, titled and (listed or ordinary or not word.known or capital)),
        (NAME, listed),
        (NAME, ordinary and (cue.greeted or bool(after and after.fold == "speaking"))),
        (NAME, ordinary and capital),
        (NAME_BY_CAPITAL, ordinary and word.capital and word.proper),
        (NAME_BY_GRAMMAR, (cue.greeted or cue.said) and (not word.known or (word.proper and word.capital))),
        # A word that is no English: rather a name than a slip. With an article it is a thing, unless it has a capital.
        (UNLISTED, not word.known and (capital or before not in _DETERMINERS)),
    )
    return next((score for score, holds in rules if holds), 0.0)


def _name_end(words: Sequence[Word], at: int, gazetteer: Gazetteer, places: set[int]) -> int:
    """One past the last word of the name that begins at `at`: surnames follow without a comma."""
    end = at + 1
    for index in range(at + 1, min(at + _LONGEST_NAME, len(words))):
        word = words[index]
        if not word.joined or word.start in places:
            break
        if word.fold in _PARTICLES:
            continue
        lower = not word.capital and (word.fold in gazetteer.ordinary_names or word.function)
        if lower or not could_be_name(word, gazetteer) or (word.capital and word.known and not word.proper):
            break
        end = index + 1
    return end


def _places(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    called = _after(_PLACE_CALLED, text)
    lived = _after(_LIVES, text)
    for at, word in enumerate(words):
        if not could_be_name(word, gazetteer) and word.fold not in gazetteer.ordinary_places:
            continue
        capital = word.capital and not word.opens
        before = words[at - 1].fold if at and word.joined else ""
        after = words[at + 1].fold if at + 1 < len(words) and words[at + 1].joined else ""
        foreign = not word.known and word.fold not in gazetteer.names
        ordinary = word.fold in gazetteer.ordinary_places
        rules = (
            (PLACE_CALLED, word.start in called),
            (PLACE, after in gazetteer.place_kinds and before not in _LINKS and (foreign or capital)),
            (PLACE_BY_CUE, word.start in lived and (foreign or ordinary)),
            (PLACE_BY_CUE, ordinary and capital and before in _PREPOSITIONS),
            (PLACE_BY_PREPOSITION, foreign and before in (_PREPOSITIONS if capital else _PREPOSITIONS_OF_PLACE)),
        )
        score = next((score for score, holds in rules if holds), 0.0)
        if score:
            end = at + 1
            while end < len(words) and words[end].joined and words[end].capital and not words[end].known:
                end += 1
            yield Span(word.start, words[end - 1].end, "LOCATION", score)


def _landmarks(text: str, words: Sequence[Word], gazetteer: Gazetteer, listed: Sequence[Span]) -> Iterator[Span]:
    near = _after(_NEAR, text)
    places = {span.start for span in listed}
    for at, word in enumerate(words):
        if word.start in near and (end := _landmark_end(words, at, gazetteer)):
            yield Span(word.start, words[end].end, "LANDMARK", LANDMARK)
        if word.fold not in gazetteer.landmark_kinds:
            continue
        first, named = at, False
        while first and words[first].joined and at - first < _LONGEST_LANDMARK:
            before = words[first - 1]
            own = before.start in places or (
                could_be_name(before, gazetteer) and before.fold not in gazetteer.ordinary_names and not before.opens
            )
            if not own and not (before.fold in _QUALIFIERS or (before.capital and not before.opens)):
                break
            named = named or own
            first -= 1
        if named:
            yield Span(words[first].start, word.end, "LANDMARK", LANDMARK)


def _landmark_end(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int:
    """The last word of "the old railway station" that begins at `at`; 0 if it is nothing of the kind."""
    end = 0
    for index in range(at, min(at + _LONGEST_LANDMARK, len(words))):
        word = words[index]
        if index > at and (not word.joined or (word.function and word.fold not in _LINKS)):
            break
        if word.fold in gazetteer.landmark_kinds:
            more = any(other.fold not in _LINKS for other in words[at:index])
            end = index if more or word.fold not in gazetteer.common_landmarks else end
        elif end:
            break
    return end


def _after(cue: re.Pattern[str], text: str) -> set[int]:
    """Where the word after each cue begins."""
    return {match.end() for match in cue.finditer(text)}
