"""Institutions and landmarks: what people go to, and what they find a place by.

The same building is either: "at Mulago Hospital" names an institution, "behind Mulago Hospital" says where somebody
lives. So what stands before it decides. Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence, Set

from consumers.ner import institutions
from consumers.ner.bearings import NEAR
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.institutions import GENERIC, LONGEST, QUALIFIERS
from consumers.ner.scores import INSTITUTION, LANDMARK
from consumers.ner.signs import SIGN
from consumers.ner.words import COUNT, Span, Word, could_be_name

_NEAR = re.compile(
    rf"\b(?:{NEAR}|in front of|by|below|above|around|outside|as far as|touch(?:es|ing)|border(?:s|ing)"
    r"|go(?:es|ing)? round)\s+",
    re.IGNORECASE,
)
_AT = re.compile(
    r"\b(?:at|in|inside|until|till|from|to|into|towards?|reach(?:ed)?|under|over|on|pass(?:ed|es)?|cross(?:ed)?|along"
    r"|before|after|of|where) (?=the\b)",
    re.IGNORECASE,
)
_BOTH = re.compile(r"\bbetween the (?:[\w'-]+ ){1,4}and (?=the\b)", re.IGNORECASE)
# What belongs to a landmark and is said behind it: "the old airport fence", "the water kiosk of St. Augustine".
_ITS_PART = re.compile(
    r"(?: (?:walls?|fence|corner|gate|entrance|exit|steps|houses|quarters|yard|compound|parking|junction|toilets|shore"
    r"|road|lines?|bridge|terminus|container))+\b| of (?:St\.?|Saint) [A-Za-z]+(?:['\u2019]?s)?\b",
    re.IGNORECASE,
)
_ROAD = re.compile(
    rf"\b(?:the|on|off|along|past|up|via|near|by) ([ABCDMNRT]\d{{1,3}})\b"
    rf"|\bthe ((?:[ABMNRT]|[bmnrt]) (?:\d{{1,3}}|{COUNT}))\b"
)
_ASSOCIATION = re.compile(
    r"\b(?:association|society|union|federation|network|institute|alliance|commission)"
    r" (?:of|for) (?:the |all )?(?!these|this|that|my"
    r"|our|his|her)[a-z]{4,}(?: (?:and|with|without) (?:the )?[a-z]{4,})?\b",
    re.IGNORECASE,
)
# What is written before the name of one: "Fort Jesus", "Lake Malawi", "Groupe Scolaire Kabeza".
_OWN = r"(?:[A-Z][\w'\u2019-]+)(?: [A-Z][\w'\u2019-]+)?"
_WRITTEN_FIRST = {
    "LANDMARK": re.compile(rf"\b(?:Fort|Hotel|Camp|Plaza|Club|Caf[eé]|Lodge|Villa) {_OWN}"),
    "LOCATION": re.compile(rf"\b(?:Lake|Mount|Mt\.?|River|Cape|Port|Lac|Lago|Ilha|Monte) {_OWN}"),
    "ORGANIZATION": re.compile(
        r"\b(?:Groupe [Ss]colaire|[ÉE]cole(?: \w+)?|Escola(?: \w+)?|Lyc[ée]e|Coll[èe]ge|Centro de [Ss]a[úu]de"
        r"|Centre de [Ss]ant[ée]"
        r"|H[ôo]pital(?: \w+)?|Hospital (?:Central|Geral|Provincial|Distrital|Rural)|Paroisse|Par[óo]quia)"
        rf"(?: (?:d[aeou]s?|du|of|ya))? {_OWN}"
    ),
}
_SAINT = re.compile(r"\b(?:[Ss]t\.?|Saint) [A-Za-z]+(?:['\u2019]?s)?\b")
_LINKS = frozenset({"the", "a", "an", "of", "our", "my", "that", "this"})
_ORDINALS = frozenset({"first", "second", "third", "fourth", "fifth", "last", "two", "three"})  # small words to spaCy
# Kinds of two words, of which a place has few.
_DOUBLE = frozenset(
    (first, "house")
    for first in ("guest", "rest", "court", "coffee", "customs", "meeting", "prayer", "mission", "pump")
) | {("post", "office"), ("bus", "stop"), ("town", "hall"), ("city", "hall"), ("water", "point"), ("power", "line")}
_DESCRIBES = frozenset({"NOUN", "ADJ", "PROPN"})
_OF_FEW = frozenset(
    {"main", "old", "new", "big", "first", "second", "third", "last", "sunday"}
)  # tell a stage, not a school
# Too many of them to be told by an ordinary word: "at the village church", "at the tea farm".
_MANY = frozenset(
    ("school", "church", "mosque", "farm", "house", "home", "office", "offices", "tree", "bank", "field", "tank")
)


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer, listed: Sequence[Span]) -> Iterator[Span]:
    """Every institution and landmark; `listed` are the places and offices of the gazetteer. Finds may overlap."""
    near, at = ({match.end() for match in cue.finditer(text)} for cue in (_NEAR, _AT))
    near |= {match.end() for match in _BOTH.finditer(text)}
    places = {span.start for span in listed}
    landmarks: list[Span] = []
    for index, word in enumerate(words):
        end = None
        if word.start in near or word.start in at:
            end = _near_end(text, words, index, gazetteer, bare=word.start in near)
        office = end is not None and word.start not in near and _is_listed_office(words[end], listed)
        if end is not None and not office:  # "to the justice centre"
            landmarks.append(_landmark(text, words, index, end))
        elif word.fold in gazetteer.landmark_kinds and (  # "the spaza with the Omo sign", "the salon of Mama Tabi"
            SIGN.match(text, word.end) or _is_somebodys(words, index, gazetteer)
        ):
            landmarks.append(_landmark(text, words, _opening(words, index), index))
        # "Usa River" is a town, and what stands behind "behind" is a landmark.
        if not any(span.start < word.start < span.end for span in (*listed, *landmarks)):
            yield from institutions.find(words, index, gazetteer, places, near)
    yield from landmarks
    yield from _written(text, places, landmarks, gazetteer)


def _written(text: str, places: Set[int], landmarks: Sequence[Span], gazetteer: Gazetteer) -> Iterator[Span]:
    """What is known by how it is written: a road's number, a saint, "Fort" and "Lake" with a name, an office."""
    for match in _ROAD.finditer(text):
        yield Span(*match.span(match.lastindex or 0), "LANDMARK", LANDMARK)
    for match in _SAINT.finditer(text):
        if not any(span.start <= match.start() < span.end for span in landmarks):
            yield Span(*match.span(), "ORGANIZATION", INSTITUTION)
    for label, pattern in _WRITTEN_FIRST.items():
        for match in pattern.finditer(text):
            if label == "LOCATION" or match.start() not in places:  # "Fort Portal" is a town
                yield Span(*match.span(), label, INSTITUTION)
    for pattern in (gazetteer.offices, _ASSOCIATION):
        for match in pattern.finditer(text):
            yield Span(*match.span(), "ORGANIZATION", INSTITUTION)


def _is_listed_office(word: Word, listed: Sequence[Span]) -> bool:
    return any(span.label == "ORGANIZATION" and span.start <= word.start < span.end for span in listed)


def _landmark(text: str, words: Sequence[Word], first: int, last: int) -> Span:
    end = words[last].end
    for its in (_ITS_PART, SIGN):
        more = its.match(text, end)
        end = more.end() if more else end
    return Span(words[first].start, end, "LANDMARK", LANDMARK)


def _opening(words: Sequence[Word], at: int) -> int:
    """Where "a big church" begins that ends at `at`; there, if no article stands before what describes it."""
    for first in range(at - 1, max(-1, at - 4), -1):
        if not words[first + 1].joined:
            break
        if words[first].fold in _LINKS:
            return first
        if words[first].function or words[first].part not in ("ADJ", "NOUN", "PROPN"):
            break
    return at


def _is_somebodys(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    """Whether "of Mama Tabi" comes after "the salon"."""
    if not at or words[at - 1].fold != "the" or words[at].fold in gazetteer.institution_kinds:
        return False
    after = words[at + 1 : at + 4]
    if len(after) < 2 or after[0].fold != "of" or not all(word.joined for word in after):
        return False
    name = after[2] if after[1].fold in gazetteer.titles and len(after) > 2 else after[1]
    return could_be_name(name, gazetteer) and (not name.known or name.capital or name.fold in gazetteer.names)


def _near_end(text: str, words: Sequence[Word], at: int, gazetteer: Gazetteer, *, bare: bool) -> int | None:
    """The last word of "the old railway station" that begins at `at`; None if it is nothing of the kind.

    After a word like "at" (`bare` False) it must be told from others: "at the bus park", not "at the school".
    """
    end: int | None = None
    for index in range(at, min(at + LONGEST, len(words))):
        word = words[index]
        before = words[index - 1]  # "mine", of the small words, after "the" and "diamond"
        kind = word.fold in gazetteer.landmark_kinds and (before.fold in _LINKS or before.part in _DESCRIBES)
        kind = kind and before.fold != "of" and word.part != "ADV"  # "a friend of mine", "treats the baby well"
        small = word.function and not kind and word.fold not in _ORDINALS and (word.fold not in _LINKS or not bare)
        if index > at and (not word.joined or small):
            break
        more = [other.fold for other in words[at:index] if other.fold not in _LINKS]
        if word.fold in gazetteer.landmark_names and (bare or word.capital or not word.known):
            end = index
            continue
        double = index > at and (words[index - 1].fold, word.fold) in _DOUBLE
        if double and (bare or len(more) > 1):
            end = index
        elif word.fold in gazetteer.landmark_kinds:
            told = bool(more) and not (word.fold in gazetteer.common_landmarks and set(more) <= GENERIC)
            if bare:
                told = told or _ITS_PART.match(text, word.end) is not None  # "past the mine fence"
                fits = told or word.fold not in gazetteer.common_landmarks
            else:
                institution = word.fold in _MANY or not gazetteer.institution_kinds.isdisjoint(
                    (word.fold, f"{words[index - 1].fold} {word.fold}")
                )
                few = word.fold not in gazetteer.common_landmarks and set(more) <= _OF_FEW
                fits = word.fold in gazetteer.fixed_landmarks or (
                    bool(more) and not institution and (few or not set(more) <= GENERIC)
                )
            end = index if fits else end
        elif end is not None and word.fold not in QUALIFIERS:  # "the total petrol station"
            break
    return end
