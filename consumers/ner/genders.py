"""Words that state somebody's sex or gender: "a girl of nine", "the man", "it is a boy".

Not those that ask ("a boy or a girl"), address somebody or cry out ("oh man", "ladies and gentlemen"), nor those of an
institution ("women's desk", "girls school"). Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner.scores import PLAIN
from consumers.ner.words import Span, Word

# fmt: off
_ONE = frozenset((
    "girl", "boy", "woman", "man", "lady", "gentleman", "male", "female", "schoolgirl", "schoolboy", "transgender",
))
_SEVERAL = frozenset((
    "girls", "boys", "women", "men", "ladies", "gentlemen", "males", "females", "schoolgirls", "schoolboys",
))
# What they describe here is no person.
_INSTITUTIONS = frozenset((
    "school", "schools", "high", "secondary", "primary", "academy", "college", "desk", "centre", "center", "hospital",
    "ward", "wing", "hostel", "dormitory", "dorm", "toilet", "toilets", "latrine", "bathroom", "home", "shelter",
    "group", "league", "guild", "union", "brigade", "choir", "team", "club", "fellowship", "rights", "ministry",
    "section", "association", "organisation", "organization", "scout", "scouts", "guide", "guides", "condom", "condoms",
))
# fmt: on
_CRY = re.compile(r"\b(?:oh|ah|hey|yo|wow|eish|damn|come on),? $", re.IGNORECASE)
_BEFORE = 20  # characters
_APART = re.compile(r"(?:^|[.?!;,:])\W*$")  # nothing of its clause stands before it
_ADDRESS = re.compile(r"\bladies(?:,? and)? gentlemen\b", re.IGNORECASE)
_WHICH = re.compile(
    r"\b(?:(?:boy|man|male)s? or (?:an? )?(?:girl|woman|lady|female)"
    r"|(?:girl|woman|lady|female)s? or (?:an? )?(?:boy|man|male))s?\b",
    re.IGNORECASE,
)


def find(text: str, words: Sequence[Word]) -> Iterator[Span]:
    """Every such word."""
    said_otherwise = [match.span() for cue in (_ADDRESS, _WHICH) for match in cue.finditer(text)]
    for at, word in enumerate(words):
        if word.fold not in _ONE and word.fold not in _SEVERAL:
            continue
        named = word.capital and not word.opens  # "Girl Guides"
        does = word.part in ("VERB", "AUX")  # "to man the desk"
        inside = any(start <= word.start < end for start, end in said_otherwise)
        if not (named or does or inside or _is_cry(text, word) or _is_of_institution(text, words, at)):
            yield Span(word.start, word.end, "GENDER", PLAIN)


def _is_cry(text: str, word: Word) -> bool:
    """ "Boy! that was loud", "man, I am tired", "it is hard, man", "oh boy"."""
    start = max(0, word.start - _BEFORE)
    if word.fold in _SEVERAL or not (_APART.search(text, start, word.start) or _CRY.search(text, start, word.start)):
        return False
    if _CRY.search(text, start, word.start):
        return True
    after = text[word.end : word.end + 1]
    return after == "!" or (word.fold == "man" and after in ("", ",", ".", "?"))


def _is_of_institution(text: str, words: Sequence[Word], at: int) -> bool:
    word = words[at]
    whose = word.fold in _SEVERAL and text[word.end : word.end + 1] == "'"
    after = words[at + 1] if at + 1 < len(words) and words[at + 1].joined else None
    return whose or (after is not None and after.fold in _INSTITUTIONS)
