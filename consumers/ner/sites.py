"""Institutions and landmarks: what people go to, and what they find a place by.

The same building is either: "at Mulago Hospital" names an institution, "behind Mulago Hospital" says where somebody
lives. So what stands before it decides. Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence, Set

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import INSTITUTION, LANDMARK
from consumers.ner.signs import SIGN
from consumers.ner.words import COUNT, Span, Word, could_be_name

_NEAR = re.compile(
    r"\b(?:near|nearby|behind|opposite|next to|beside|besides|across from|in front of|(?:not far|far) from|close to"
    r"|adjacent to|by|below|above|past|facing|around|outside|as far as|(?:the )?side of"
    r"|(?:just|house|door|shop|plot|stop|left|right|turn) (?:before|after))\s+",
    re.IGNORECASE,
)
_AT = re.compile(
    r"\b(?:at|in|inside|until|till|from|to|into|towards|reach(?:ed)?|under|over|on|pass(?:ed|es)?|cross(?:ed)?)"
    r" (?=the\b)",
    re.IGNORECASE,
)
_ROAD = re.compile(
    rf"\b(?:the|on|off|along|past|up|via|near|by) ([ABCDMNRT]\d{{1,3}})\b"
    rf"|\bthe ((?:[ABMNRT]|[bmnrt]) (?:\d{{1,3}}|{COUNT}))\b"
)
_SAINT = re.compile(r"\b(?:[Ss]t\.?|Saint) [A-Za-z]+(?:['\u2019]?s)?\b")
# fmt: off
_QUALIFIERS = frozenset((
    "primary", "secondary", "high", "boys", "girls", "mixed", "day", "boarding", "nursery", "junior", "senior",
    "police", "bus", "railway", "train", "district", "general", "referral", "level", "trading", "catholic", "health",
    "market", "shopping", "fish", "petrol", "filling", "gas", "fire", "old", "new", "regional", "rural", "national",
    "teaching", "mission", "provincial", "county", "sub", "central", "community", "special", "university", "children's",
    "maize", "water", "matatu", "taxi", "ferry", "government", "private", "preparatory", "academy", "women's", "city",
    "town", "open", "state", "post", "weighing", "buying", "coffee", "tea", "milk",
))
_LINKS = frozenset({"the", "a", "an", "of", "our", "my", "that", "this"})
_NO_POLICE = frozenset({"officer", "officers", "man", "woman", "men", "commander", "boss", "car", "case", "came"})
_GENERIC = frozenset({
    "primary", "secondary", "high", "boys", "girls", "mixed", "day", "boarding", "nursery", "junior", "senior", "same",
    "other", "next", "nearest", "local", "new", "whole", "big", "small", "main", "first", "second", "my", "our",
    "sunday", "right", "best", "only", "old", "last", "dining", "assembly", "exam",
})
# fmt: on
# Too many of them to be told by an ordinary word: "at the village church", "at the tea farm".
_MANY = frozenset(
    {
        "school",
        "church",
        "mosque",
        "farm",
        "house",
        "home",
        "office",
        "offices",
        "tree",
        "bank",
        "field",
        "tank",
    }
)
_LONGEST = 6  # words


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer, places: Set[int]) -> Iterator[Span]:
    """Every institution and landmark; `places` are where listed places begin. Finds may overlap."""
    near, at = ({match.end() for match in cue.finditer(text)} for cue in (_NEAR, _AT))
    for index, word in enumerate(words):
        end = None
        if word.start in near or word.start in at:
            end = _near_end(words, index, gazetteer, bare=word.start in near)
        if end is not None:
            yield _landmark(text, words, index, end)
        elif word.fold in gazetteer.landmark_kinds and SIGN.match(text, word.end):  # "the spaza with the Omo sign"
            article = index and word.joined and words[index - 1].fold in _LINKS
            yield _landmark(text, words, index - 1 if article else index, index)
        yield from _named(text, words, index, gazetteer, places, near)
    for match in _ROAD.finditer(text):
        yield Span(*match.span(match.lastindex or 0), "LANDMARK", LANDMARK)
    for match in _SAINT.finditer(text):
        yield Span(*match.span(), "ORGANIZATION", INSTITUTION)
    for match in gazetteer.offices.finditer(text):
        yield Span(*match.span(), "ORGANIZATION", INSTITUTION)


def _landmark(text: str, words: Sequence[Word], first: int, last: int) -> Span:
    sign = SIGN.match(text, words[last].end)
    return Span(words[first].start, sign.end() if sign else words[last].end, "LANDMARK", LANDMARK)


def _near_end(words: Sequence[Word], at: int, gazetteer: Gazetteer, *, bare: bool) -> int | None:
    """The last word of "the old railway station" that begins at `at`; None if it is nothing of the kind.

    After a word like "at" (`bare` False) it must be told from others: "at the bus park", not "at the school".
    """
    end: int | None = None
    for index in range(at, min(at + _LONGEST, len(words))):
        word = words[index]
        if index > at and (not word.joined or (word.function and (word.fold not in _LINKS or not bare))):
            break
        more = [other.fold for other in words[at:index] if other.fold not in _LINKS]
        if word.fold in gazetteer.landmark_names and bare:
            end = index
            continue
        if word.fold in gazetteer.landmark_kinds:
            told = bool(more) and not (word.fold in gazetteer.common_landmarks and set(more) <= _GENERIC)
            if bare:
                fits = told or word.fold not in gazetteer.common_landmarks
            else:
                institution = word.fold in _MANY or not gazetteer.institution_kinds.isdisjoint(
                    (word.fold, f"{words[index - 1].fold} {word.fold}")
                )
                fits = word.fold in gazetteer.fixed_landmarks or (
                    bool(more) and not institution and not set(more) <= _GENERIC
                )
            end = index if fits else end
        elif end is not None and word.fold not in _QUALIFIERS:  # "the total petrol station"
            break
    return end


def _named(
    text: str, words: Sequence[Word], index: int, gazetteer: Gazetteer, places: Set[int], near: Set[int]
) -> Iterator[Span]:
    """What has a name of its own before its kind: "Levy Mwanawasa school", "the Agora shop", "Nansana police"."""
    word = words[index]
    kind = _kind(words, index, gazetteer)
    if not kind:
        return
    label, length = kind
    first, named = index - length + 1, False
    while first and words[first].joined and index - first < _LONGEST + length:
        before = words[first - 1]
        capital = before.capital and not before.opens
        own = before.start in places or (
            could_be_name(before, gazetteer)
            and before.fold not in gazetteer.ordinary_names
            and (not before.opens or not before.known)
        )
        if label == "ORGANIZATION" and capital and before.fold not in gazetteer.titles and before.fold not in _GENERIC:
            own = True
        ordinary = named and before.fold in gazetteer.ordinary_names  # "queen elizabeth hospital"
        if not (own or ordinary or before.fold in _QUALIFIERS or capital) or (before.function and not capital):
            break
        named = named or own
        first -= 1
    if not named and not (label == "ORGANIZATION" and word.capital and first < index and words[first].capital):
        return
    if word.fold == "police" and index + 1 < len(words) and words[index + 1].fold in _NO_POLICE:
        return
    article = words[first - 1] if first and words[first].joined and words[first - 1].fold == "the" else None
    if words[first].start in near or (article and article.start in near):
        label = "LANDMARK"
    start = article.start if article and label == "LANDMARK" else words[first].start
    yield Span(start, word.end, label, LANDMARK if label == "LANDMARK" else INSTITUTION)


def _kind(words: Sequence[Word], index: int, gazetteer: Gazetteer) -> tuple[str, int] | None:
    """What a phrase that ends here may name, and its length in words; institutions before landmarks."""
    for length in (3, 2, 1):
        phrase = words[max(0, index - length + 1) : index + 1]
        if len(phrase) == length and " ".join(word.fold for word in phrase) in gazetteer.institution_kinds:
            return "ORGANIZATION", length
    word = words[index]
    if word.fold in gazetteer.landmark_kinds and word.part not in ("VERB", "AUX"):
        return "LANDMARK", 1
    # "against Sakubva High": the school is understood.
    before = words[index - 1] if index and word.joined else None
    told = word.capital or (before is not None and not before.known)  # "ober primary" in lower case
    if told and word.fold in ("high", "primary", "secondary") and not _school_follows(words, index):
        return "ORGANIZATION", 1
    return None


def _school_follows(words: Sequence[Word], index: int) -> bool:
    return index + 1 < len(words) and words[index + 1].joined and words[index + 1].fold in ("school", "schools")
