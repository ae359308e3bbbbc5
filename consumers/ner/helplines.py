"""A helpline by its name, and the country or the town that is a part of it: "Childline Zimbabwe".

Where a helpline is at home says nothing of who calls it. Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import HELPLINE
from consumers.ner.words import Span, Word

_CALLED = re.compile(
    r"\b(?:child(?:ren)?(?:['\u2019]?s)?(?: (?:and|protection|rights|support|safety|family|women|youth))*"
    r" (?:(?:help ?|hot ?)?line|help ?desk)"
    r"|(?:gender|youth|family|women|girls|parents|teens?)(?: and (?:child(?:ren)?|youth|family|women))*"
    r" (?:help ?|hot ?)line"
    r"|child ?line|child ?safe|ligne (?:verte|(?-i:[A-Z])[^\W\d_]+)|linha (?:(?:d[aeo]|fala) )?(?-i:[A-Z])[^\W\d_]+"
    r"|simu ya (?:m|wa)toto)\b(?! ?(?:@|dot\b)|\.\w)",  # no part of an address
    re.IGNORECASE,
)
_OF = frozenset({"national", "state", "county", "regional", "toll-free", "free"})
_ENDS = frozenset({"line", "helpline", "hotline", "state"})
_SPEAKS = frozenset({"speaking", "here", "speaks"})


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer, listed: Sequence[Span]) -> Iterator[Span]:
    """Every helpline; `listed` are the places of the gazetteer in `text`."""
    places = [span for span in listed if span.label == "LOCATION"]
    for match in _CALLED.finditer(text):
        inside = [at for at, word in enumerate(words) if match.start() <= word.start < match.end()]
        if inside:
            first = _before(words, inside[0], gazetteer, places)
            last = _after(words, inside[-1], places)
            yield Span(words[first].start, words[last].end, "ORGANIZATION", HELPLINE)


def _before(words: Sequence[Word], at: int, gazetteer: Gazetteer, places: Sequence[Span]) -> int:
    """The first word of its name: a place, a people, or what is written with a capital as it is."""
    first = at
    while first and words[first].joined:
        before = words[first - 1]
        place = next((span for span in places if span.end == before.end), None)
        capital = words[at].capital and before.capital and not (before.opens and before.known)
        if place is not None:
            first = next(index for index, word in enumerate(words) if word.start == place.start)
        elif (
            before.fold in _OF or before.fold in gazetteer.peoples or (capital and not _says_nothing(before, gazetteer))
        ):
            first -= 1
        else:
            break
    return first


def _after(words: Sequence[Word], at: int, places: Sequence[Span]) -> int:
    """The last word of its name: a place after it, unless somebody of that name speaks."""
    if at + 1 >= len(words) or not words[at + 1].joined:
        return at
    place = next((span for span in places if span.start == words[at + 1].start), None)
    if place is None:
        return at
    last = max(index for index, word in enumerate(words) if word.start < place.end)
    following = words[last + 1] if last + 1 < len(words) and words[last + 1].joined else None
    if following is not None and following.fold in _SPEAKS:
        return at
    return last + 1 if following is not None and following.fold in _ENDS else last


def _says_nothing(word: Word, gazetteer: Gazetteer) -> bool:
    return word.function or word.fold in gazetteer.never_names or word.fold in gazetteer.titles
