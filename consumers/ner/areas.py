"""Places by the words around them and the gazetteer: after "we live in", before "county", and addresses to the door.

Pure functions over `Word`s. They lean towards finding too much, for what is not found stays in clear.
"""

import re
from collections.abc import Iterator, Sequence

from callbus.english_numbers import DICTATED
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import PLACE, PLACE_BY_CUE, PLACE_BY_PREPOSITION, PLACE_CALLED
from consumers.ner.words import COUNT, Span, Word, could_be_name, phrase_ends, starts_after

CALLED_PLACE = re.compile(
    r"\b(?:village|town|place|county|district|estate|area|camp|street)(?: (?:is|was))? (?:of|called|named)\s+",
    re.IGNORECASE,
)
LIVES = re.compile(
    r"\b(?:call(?:ing)? (?:from|for)|(?:com(?:e|es|ing)|came|am|is|are|moved|travel?led|r[au]n) from"
    r"|(?:moved?|travel(?:l?ed)?) to"
    r"|(?:liv(?:e|es|ed|ing)|stay(?:s|ed|ing)?|resid(?:e|es|ing)|born|based) (?:in|at|near))\s+",
    re.IGNORECASE,
)
# "house number five", "door 12", "plot forty two", "twenty three Kolobe Street": where somebody lives to the door.
_NUMBER = rf"(?:{COUNT}|\d+)(?: (?:{DICTATED})){{0,4}}(?: ?[a-z]\b)?"
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
_GOES_TO = re.compile(
    r"\b(?:go(?:es|ing)?|went|gone|com(?:es?|ing)|came|travel\w*|mov(?:e[ds]?|ing)|tak(?:e[ns]?|ing)|took|sen[dt]\w*|brought"
    r"|bring\w*|walk\w*|r[au]n|running|return\w*|back|dr[io]v\w*|way|road|bus|matatu|taxi|train|ferry|transfer\w*|posted|fled"
    r"|flee\w*|escaped?|deliver\w*)"
    r"(?: (?:me|him|her|them|us|all|the \w+|with \w+ \w+|back|away|over|down|up)){0,2} to\s+",
    re.IGNORECASE,
)
_STREETS = frozenset({"road", "street", "avenue", "highway", "drive", "crescent"})
PREPOSITIONS_OF_PLACE = frozenset({"in", "at", "from", "near"})
_BEYOND = frozenset({"past", "beyond", "via", "outside", "around", "towards", "toward"})
_PREPOSITIONS = PREPOSITIONS_OF_PLACE | frozenset({"to", "around", "of", "towards", "toward"})
_WIDE = frozenset({"region", "county", "district", "province", "municipality"})
_LINKS = frozenset({"the", "a", "an", "of", "our", "my", "that", "this"})


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    called = starts_after(CALLED_PLACE, text)
    lived, gone = starts_after(LIVES, text), starts_after(_GOES_TO, text)
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
            (PLACE, ordinary and capital and (before in PREPOSITIONS_OF_PLACE or word.start in lived)),
            (PLACE_BY_CUE, word.start in lived and (foreign or ordinary)),
            (PLACE_BY_CUE, ordinary and before in PREPOSITIONS_OF_PLACE and phrase_ends(words, at + 1)),
            (PLACE_BY_CUE, ordinary and capital and before in _PREPOSITIONS),
            (PLACE_BY_CUE, ordinary and word.start in gone and not word.function and phrase_ends(words, at + 1)),
            (PLACE_BY_PREPOSITION, foreign and before in (_PREPOSITIONS if capital else PREPOSITIONS_OF_PLACE)),
            (PLACE_BY_PREPOSITION, foreign and (before in _BEYOND or word.start in gone)),
        )
        score = next((score for score, holds in rules if holds), 0.0)
        if score:
            end = at + 1
            while end < len(words) and words[end].joined and words[end].capital and not words[end].known:
                end += 1
            yield Span(word.start, words[end - 1].end, "LOCATION", score)
        after = words[at + 1] if at + 1 < len(words) and words[at + 1].joined else None
        if after is not None and after.fold in _STREETS and not word.known:  # "jogoo road"
            yield Span(word.start, after.end, "LOCATION", PLACE_CALLED)
    for cue in (_ADDRESS, _STREET):
        for match in cue.finditer(text):
            yield Span(*match.span(), "LOCATION", PLACE_CALLED)


def _is_kind(words: Sequence[Word], at: int, gazetteer: Gazetteer) -> bool:
    """Whether "county", "trading centre", "sub county" … begins at `at`."""
    if at >= len(words) or not words[at].joined:
        return False
    two = " ".join(word.fold for word in words[at : at + 2])
    return words[at].fold in gazetteer.place_kinds or two in gazetteer.place_kinds
