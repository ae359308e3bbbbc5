"""Institutions: what people go to and has a name of its own, written as one or said without an article as names are.

Pure functions over `Word`s.
"""

from collections.abc import Iterator, Sequence, Set

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import INSTITUTION, LANDMARK
from consumers.ner.words import Span, Word, could_be_name

# fmt: off
QUALIFIERS = frozenset((
    "primary", "secondary", "high", "boys", "girls", "mixed", "day", "boarding", "nursery", "junior", "senior",
    "police", "bus", "railway", "train", "district", "general", "referral", "level", "trading", "catholic",
    "health", "market", "shopping", "fish", "petrol", "filling", "gas", "fire", "old", "new", "regional", "rural",
    "national", "teaching", "mission", "provincial", "county", "sub", "central", "community", "special",
    "university", "children's", "maize", "water", "matatu", "taxi", "ferry", "government", "private", "preparatory",
    "academy", "women's", "city", "town", "open", "state", "post", "weighing", "buying", "coffee", "tea", "milk",
))
_NO_POLICE = frozenset({"officer", "officers", "man", "woman", "men", "commander", "boss", "car", "case", "came"})
GENERIC = frozenset((
    "primary", "secondary", "high", "boys", "girls", "mixed", "day", "boarding", "nursery", "junior", "senior",
    "same", "other", "next", "nearest", "local", "new", "whole", "big", "small", "main", "first", "second", "my",
    "our", "sunday", "right", "best", "only", "old", "last", "dining", "assembly", "exam",
))
# Before a school or a clinic these name none.
_ANY = frozenset((
    "private", "public", "foreign", "international", "law", "art", "medical", "nursing", "teachers", "training",
    "technical", "summer", "evening", "islamic", "christian", "bible", "driving", "village", "good", "better",
    "another", "any", "free", "normal", "foster", "safe", "mental", "eye", "dental", "antenatal", "baby", "family",
    "youth", "music", "language", "koranic", "quran", "night", "street", "former", "great", "own", "several",
    "different", "expensive", "cheap", "far", "nearby", "mobile", "football", "trade", "vocational", "business",
    "adult", "women", "child", "children", "girl", "boy",
))
_HOUSES = frozenset((
    "bar", "hotel", "lodge", "lodging", "guesthouse", "restaurant", "cafe", "club", "pub", "butchery", "salon",
    "barbershop", "supermarket", "pharmacy", "chemist", "bakery", "garage", "bookshop", "boutique", "apartments",
    "flats", "plaza", "mall",
))
_SCHOOLS = frozenset({"high", "secondary", "primary"})
_BEFORE_A_NAME = frozenset({"at", "to", "in", "from", "of", "with", "for", "attends", "joined", "called"})
# fmt: on
LONGEST = 6  # words


def find(words: Sequence[Word], at: int, gazetteer: Gazetteer, places: Set[int], near: Set[int]) -> Iterator[Span]:
    """Those that end with `words[at]`; `places` are where listed places begin, `near` what stands after "near".

    What stands there is a landmark, and so is a shop or a bar.
    """
    yield from _named(words, at, gazetteer, places, near)
    yield from _unwritten(words, at, gazetteer)


def _named(words: Sequence[Word], index: int, gazetteer: Gazetteer, places: Set[int], near: Set[int]) -> Iterator[Span]:
    """What has a name of its own before its kind: "Levy Mwanawasa school", "the Agora shop", "Nansana police"."""
    word = words[index]
    kind = _kind(words, index, gazetteer)
    if not kind:
        return
    label, length = kind
    first, named = index - length + 1, False
    while first and words[first].joined and index - first < LONGEST + length:
        before = words[first - 1]
        capital = before.capital and not before.opens
        own = before.start in places or (
            could_be_name(before, gazetteer)
            and before.fold not in gazetteer.ordinary_names
            and (not before.opens or not before.known)
        )
        if label == "ORGANIZATION" and capital and before.fold not in gazetteer.titles and before.fold not in GENERIC:
            own = True
        ordinary = named and before.fold in gazetteer.ordinary_names  # "queen elizabeth hospital"
        if not (own or ordinary or before.fold in QUALIFIERS or capital) or (before.function and not capital):
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


def _unwritten(words: Sequence[Word], index: int, gazetteer: Gazetteer) -> Iterator[Span]:
    """What ordinary words name, said without an article as names are: "goes to bright star academy", "at zebra bar"."""
    kind = _kind(words, index, gazetteer)
    if kind is None and words[index].fold in _SCHOOLS and not _school_follows(words, index):
        kind = "ORGANIZATION", 1
    if kind is None or (kind[0] == "LANDMARK" and words[index].fold not in _HOUSES):
        return
    begins = first = index - kind[1] + 1
    while first and index - first < LONGEST and words[first].joined:
        before = words[first - 1]
        if before.function or before.part not in ("NOUN", "PROPN", "ADJ", "NUM") or before.fold in gazetteer.titles:
            break
        first -= 1
    told = first and words[first].joined and words[first - 1].fold in _BEFORE_A_NAME
    if first < begins and told and words[first].fold not in _ANY | GENERIC | QUALIFIERS:
        score = LANDMARK if kind[0] == "LANDMARK" else INSTITUTION
        yield Span(words[first].start, words[index].end, kind[0], score)


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
    if (
        told
        and word.fold in ("high", "primary", "secondary", "general", "referral")
        and not _school_follows(words, index)
    ):
        return "ORGANIZATION", 1
    return None


def _school_follows(words: Sequence[Word], index: int) -> bool:
    return index + 1 < len(words) and words[index + 1].joined and words[index + 1].fold in ("school", "schools")
