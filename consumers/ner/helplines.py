"""A helpline by its name: "Pendo Children's Line", "the kenyan child line".

A country or a town in it ("Childline Zimbabwe") stays a place of its own, and is hidden as any: who calls a helpline
mostly lives where it is. Pure functions over `Word`s.
"""

import re
from collections.abc import Container, Iterator, Sequence

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import HELPLINE
from consumers.ner.words import Span, Word, covered

_CALLED = re.compile(
    r"\b(?:child(?:ren)?(?:['\u2019]?s)?(?: (?:and|protection|rights|support|safety|family|women|youth))*"
    r" (?:(?:help ?|hot ?)?line|help ?desk)"
    r"|(?:gender|youth|family|women|girls|parents|teens?)(?: and (?:child(?:ren)?|youth|family|women))*"
    r" (?:help ?|hot ?)line"
    r"|(?:(?<=^)|(?<=^yes )|(?<=^yeah )|(?<=^hello )|(?<=^yes, ))help ?line(?=,| (?:who|speak|how|good|hello|what)\b)"
    r"|child ?line|child ?safe|ligne (?:verte|(?-i:[A-Z])[^\W\d_]+)|linha (?:(?:d[aeo]|fala) )?(?-i:[A-Z])[^\W\d_]+"
    r"|simu ya (?:m|wa)toto)\b(?! ?(?:@|dot\b)|\.\w)",  # no part of an address
    re.IGNORECASE,
)
_OF = frozenset({"national", "state", "county", "regional", "toll-free", "free"})


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer, listed: Sequence[Span]) -> Iterator[Span]:
    """Every helpline; `listed` are the places of the gazetteer in `text`."""
    places = {
        word.start for span in listed if span.label == "LOCATION" for word in covered(words, span.start, span.end)
    }
    for match in _CALLED.finditer(text):
        inside = [at for at, word in enumerate(words) if match.start() <= word.start < match.end()]
        if inside:
            first = _before(words, inside[0], gazetteer, places)
            yield Span(words[first].start, words[inside[-1]].end, "ORGANIZATION", HELPLINE)


def _before(words: Sequence[Word], at: int, gazetteer: Gazetteer, places: Container[int]) -> int:
    """The first word of its name: a people, or what is written with a capital as it is, but no place."""
    first = at
    while first and words[first].joined:
        before = words[first - 1]
        capital = words[at].capital and before.capital and not (before.opens and before.known)
        its = before.fold in _OF or before.fold in gazetteer.peoples
        if before.start in places or not (its or (capital and not _says_nothing(before, gazetteer))):
            break
        first -= 1
    return first


def _says_nothing(word: Word, gazetteer: Gazetteer) -> bool:
    return word.function or word.fold in gazetteer.never_names or word.fold in gazetteer.titles
