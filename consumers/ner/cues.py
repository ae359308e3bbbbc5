"""Names and places by the words around them and the gazetteer: what a general model misses.

It is trained on newspapers; a call is lower case, unpunctuated, and full of names that it never saw. Pure functions
over `Word`s. They lean towards finding too much, for what is not found stays in clear.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from consumers.ner import bearings, misheard, naming, sites
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.words import COUNT, Span, Word, could_be_name

# The scores decide between overlapping finds (see spans.resolve), so they are in order of how much a cue says.
PLACE_CALLED, NAME_CALLED, PLACE, NAME_AGAIN, NAME, NAME_BY_CAPITAL = 0.97, 0.95, 0.9, 0.87, 0.85, 0.8
PLACE_BY_CUE, NAME_BY_GRAMMAR, PLACE_BY_PREPOSITION, UNLISTED = 0.7, 0.65, 0.6, 0.5

_NAME_IS = re.compile(
    r"\b(?:(?:sur)?name(?:'s| is| was|s are)|(?:is|am|are|was|were|girl|boy|child|man|woman|someone|teacher|friend)"
    r" (?:just |only |also )?(?:called|named)|call(?:s|ed)? (?:myself|himself|herself|me|him|her)|known as|nicknamed"
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
    r"|(?:moved?|travel(?:l?ed)?) to"
    r"|(?:liv(?:e|es|ed|ing)|stay(?:s|ed|ing)?|resid(?:e|es|ing)|born|based) (?:in|at|near))\s+",
    re.IGNORECASE,
)
# "house number five", "door 12", "plot forty two", "twenty three Kolobe Street": where somebody lives to the door.
_NUMBER = rf"(?:{COUNT}|\d+)(?: ?[a-z]\b)?"
_ADDRESS = re.compile(
    rf"(?:\b[a-z] {_NUMBER} )?\b(?:house|door|flat|plot|block|stand|erf|unit|apartment|hse|area|section|phase"
    rf"|extension|mile|kilometre|km|zone|ward|sector|site|camp)(?: (?:number|no\.?))? (?:{_NUMBER}|(?-i:[A-Zb-hj-z]))\b"
    r"(?! (?:hours?|minutes|people|times|days?|weeks?|months?|years?|or)\b)",
    re.IGNORECASE,
)
_STREET = re.compile(
    rf"\b{_NUMBER},? (?:(?-i:[A-Z])[\w']+ ){{1,3}}(?:street|road|avenue|drive|lane|close|crescent)\b"
    r"|\b(?!(?:the|a|an|this|that|these|those|some|all|which|what|our|my|your|his|her|their|on|in|to|from|main|every|any|one|no|side)\b)"
    r"(?-i:[A-Z])[\w']+ (?:street|road|avenue|crescent)\b"
    rf"|\b{_NUMBER} (?!more|minutes|hours|times|on|in|of|along|down|by|metres|meters|kilometres|kilometers)\w+"
    r"(?: \w+)? (?:street|avenue)\b",
    re.IGNORECASE,
)
_PREPOSITIONS_OF_PLACE = frozenset({"in", "at", "from", "near"})
_PREPOSITIONS = _PREPOSITIONS_OF_PLACE | frozenset({"to", "around", "of", "towards", "toward"})
_HEARD_AFTER = _PREPOSITIONS_OF_PLACE | frozenset({"to", "for"})
_WIDE = frozenset({"region", "county", "district", "province", "municipality"})
_LINKS = frozenset({"the", "a", "an", "of", "our", "my", "that", "this"})
_POSSESSIVES = frozenset({"my", "your", "his", "her", "our", "their", "the", "a"})
_DETERMINERS = frozenset(
    {"a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "that", "some", "no"}
)
_PARTICLES = frozenset({"wa", "bin", "binti", "bint", "ole", "arap", "van", "de", "da", "dos", "do", "la", "el", "al"})
_ADDRESSED = frozenset(
    {"mr", "mrs", "ms", "miss", "mister", "dr", "madam", "madame", "ntate", "mme", "chief", "pastor", "officer"}
)
_HOUSEHOLDS = frozenset({"family", "clan", "homestead"})
_MISTERS = frozenset({"mr", "mrs", "ms", "mister"})
_INTRODUCED = frozenset({"from", "calling", "speaking"})
_SHORTENED = frozenset({"im", "ive", "hes", "shes", "its", "thats", "theyre", "youre", "weve"})
_LONGEST_NAME = 4


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> list[Span]:
    """Every find of the rules below; they may overlap."""
    listed = list(_listed(words, gazetteer))
    return [
        *listed,
        *_names(text, words, gazetteer, listed),
        *_places(text, words, gazetteer),
        *bearings.find(text, words, gazetteer),
        *naming.find(text, words, gazetteer),
        *misheard.find(words, gazetteer, _expected(text, words, gazetteer)),
        *sites.find(text, words, gazetteer, {span.start for span in listed}),
        *(Span(*match.span(), "LOCATION", PLACE_CALLED) for cue in (_ADDRESS, _STREET) for match in cue.finditer(text)),
    ]


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
        first = _with_address(words, at, gazetteer)
        at = last = _name_end(words, at, gazetteer, places, cue.called or cue.said)
        yield Span(words[first].start, words[at - 1].end, "NAME", score)


def _with_address(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> int:
    """Where the name begins with its form of address: "Mama Ineza" is what she is called, "my mama Ineza" is not."""
    before = words[at - 1] if at and words[at].joined else None
    if before is None or before.fold not in gazetteer.forms_of_address or before.end + 1 != words[at].start:
        return at
    return at if at > 1 and before.joined and words[at - 2].fold in _POSSESSIVES else at - 1


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
    describes = word.part == "ADJ" and not word.capital  # "is your husband happy"
    if cue.called and ordinary and (after is None or after.function):  # "my name is will and …"
        return NAME_CALLED
    titled = before in gazetteer.titles and words[at - 1].end + 1 == word.start  # not "the officer's answer"
    addressed = titled and before in _ADDRESSED
    if word.fold in gazetteer.surnames and (addressed or (word.capital and (titled or cue.called or cue.said))):
        return NAME_CALLED  # "Mr Zulu"
    if cue.said and ordinary and after and after.fold in _INTRODUCED:  # "i am happiness from singida"
        return NAME
    if titled and before in _MISTERS and not word.function and word.fold not in gazetteer.never_names:  # "mr stone"
        return NAME_CALLED
    if not could_be_name(word, gazetteer):
        return 0.0
    capital = word.capital and not word.opens
    rules = (
        (NAME_CALLED, cue.called),
        (NAME_CALLED, not word.known and bool(after and after.fold == "speaking")),
        (
            NAME_CALLED,
            titled
            and (
                listed
                or (ordinary and not (describes and before not in gazetteer.forms_of_address))
                or not word.known
                or capital
            ),
        ),
        (NAME, listed),
        (NAME, not word.known and bool(after and after.fold in _HOUSEHOLDS)),
        (NAME, ordinary and (cue.greeted or bool(after and after.fold == "speaking"))),
        (NAME, ordinary and capital),
        (NAME_BY_CAPITAL, ordinary and word.capital and word.proper),
        (NAME_BY_GRAMMAR, capital and not word.known and before == "with"),
        (NAME_BY_GRAMMAR, (cue.greeted or cue.said) and (not word.known or (word.proper and word.capital))),
        # A word that is no English: rather a name than a slip. With an article it is a thing, unless it has a capital.
        (UNLISTED, not word.known and (capital or before not in _DETERMINERS)),
    )
    return next((score for score, holds in rules if holds), 0.0)


def _name_end(words: Sequence[Word], at: int, gazetteer: Gazetteer, places: set[int], introduced: bool) -> int:
    """One past the last word of the name that begins at `at`: surnames follow without a comma.

    `introduced` says that it follows "I am" or "my name is": then "akello grace" has two names in lower case as well.
    """
    end = at + 1
    for index in range(at + 1, min(at + _LONGEST_NAME, len(words))):
        word = words[index]
        if not word.joined or word.start in places:
            break
        if word.fold in _PARTICLES:
            continue
        if word.fold in gazetteer.surnames and (word.capital or _ends(words, index + 1)):
            end = index + 1
            continue
        after = words[index + 1] if index + 1 < len(words) and words[index + 1].joined else None
        last = introduced and not word.function and (after is None or after.function or after.fold in _SHORTENED)
        lower = not word.capital and (word.function or (word.fold in gazetteer.ordinary_names and not last))
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
        foreign = not word.known and word.fold not in gazetteer.names
        ordinary = word.fold in gazetteer.ordinary_places
        rules = (
            (PLACE_CALLED, word.start in called),
            (PLACE, _is_kind(words, at + 1, gazetteer) and before not in _LINKS and (foreign or capital)),
            (PLACE, ordinary and _is_kind(words, at + 1, gazetteer) and words[at + 1].fold in _WIDE),
            (PLACE, ordinary and capital and (before in _PREPOSITIONS_OF_PLACE or word.start in lived)),
            (PLACE_BY_CUE, word.start in lived and (foreign or ordinary)),
            (PLACE_BY_CUE, ordinary and before in _PREPOSITIONS_OF_PLACE and _ends(words, at + 1)),
            (PLACE_BY_CUE, ordinary and capital and before in _PREPOSITIONS),
            (PLACE_BY_PREPOSITION, foreign and before in (_PREPOSITIONS if capital else _PREPOSITIONS_OF_PLACE)),
        )
        score = next((score for score, holds in rules if holds), 0.0)
        if score:
            end = at + 1
            while end < len(words) and words[end].joined and words[end].capital and not words[end].known:
                end += 1
            yield Span(word.start, words[end - 1].end, "LOCATION", score)


def _expected(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> misheard.Expected:
    places = _after(_LIVES, text) | _after(_PLACE_CALLED, text)
    names, maybe = _after(_NAME_IS, text), _after(_GREETING, text) | _after(_IS, text)
    for before, word in pairwise(words):
        if word.joined and before.fold in _HEARD_AFTER:
            places.add(word.start)
        if word.joined and before.fold in gazetteer.titles and before.end + 1 == word.start:
            names.add(word.start)
    return misheard.Expected(places, names, maybe)


def _ends(words: Sequence[Word], at: int) -> bool:
    return at >= len(words) or not words[at].joined or words[at].function


def _is_kind(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    """Whether "county", "trading centre", "sub county" … begins at `at`."""
    if at >= len(words) or not words[at].joined:
        return False
    two = " ".join(word.fold for word in words[at : at + 2])
    return words[at].fold in gazetteer.place_kinds or two in gazetteer.place_kinds


def _after(cue: re.Pattern[str], text: str) -> set[int]:
    """Where the word after each cue begins."""
    return {match.end() for match in cue.finditer(text)}
