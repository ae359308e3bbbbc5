"""Names, places and institutions by the words around them and the gazetteer: what a general model misses.

It is trained on newspapers; a call is lower case, unpunctuated, and full of names that it never saw. Here all rules
come together; each kind has a file of its own. Pure functions over `Word`s.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from consumers.ner import areas, bearings, handles, helplines, misheard, naming, ordinary, people, sites, ways
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.scores import PLACE
from consumers.ner.words import COUNT, Span, Word, phrase_ends, starts_after

_NUMBER = re.compile(rf" (?!one\b){COUNT}\b(?![.:/]\d)", re.IGNORECASE)
_HEARD_AFTER = areas.PREPOSITIONS_OF_PLACE | frozenset({"to", "for"})


def find(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> list[Span]:
    """Every find of the rules below; they may overlap."""
    listed = list(_listed(text, words, gazetteer))
    return [
        *listed,
        *people.find(text, words, gazetteer, listed),
        *areas.find(text, words, gazetteer),
        *helplines.find(text, words, gazetteer, listed),
        *bearings.find(text, words, gazetteer),
        *ways.find(text, words, gazetteer),
        *handles.find(text),
        *naming.find(text, words, gazetteer),
        *ordinary.find(text, words, gazetteer),
        *misheard.find(words, gazetteer, _expected(text, words, gazetteer)),
        *sites.find(text, words, gazetteer, listed),
    ]


def _listed(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
    """Places and offices of the gazetteer, the longest first; a part of a town with its number: "Kahawa forty"."""
    at = 0
    while at < len(words):
        for phrase, label in gazetteer.phrases.get(words[at].fold, ()):
            span = words[at : at + len(phrase)]
            if tuple(word.fold for word in span) == phrase and all(word.joined for word in span[1:]):
                yield Span(span[0].start, _numbered(text, words, at + len(phrase), span[-1].end, label), label, PLACE)
                at += len(phrase) - 1
                break
        at += 1


def _numbered(text: str, words: Sequence[Word], at: int, end: int, label: str) -> int:
    """Where a place that ends at `end` does so with the number behind it, if nothing is counted by that."""
    number = _NUMBER.match(text, end) if label == "LOCATION" else None
    if number is None:
        return end
    following = next((index for index in range(at, len(words)) if words[index].start >= number.end()), len(words))
    return number.end() if phrase_ends(words, following) else end


def _expected(text: str, words: Sequence[Word], gazetteer: Gazetteer) -> misheard.Expected:
    places = starts_after(areas.LIVES, text) | starts_after(areas.CALLED_PLACE, text)
    names, maybe = (
        starts_after(people.NAME_IS, text),
        starts_after(people.GREETING, text) | starts_after(people.IS, text),
    )
    for before, word in pairwise(words):
        if word.joined and before.fold in _HEARD_AFTER and not (before.fold == "to" and _does(word)):
            places.add(word.start)
        if word.joined and before.fold in gazetteer.titles and before.end + 1 == word.start:
            names.add(word.start)
    return misheard.Expected(places, names, maybe)


def _does(word: Word) -> bool:
    """Whether "to" stands before what somebody does: "going to kill him"."""
    return word.part == "VERB" and word.known
