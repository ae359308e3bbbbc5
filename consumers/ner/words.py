"""A text as words with what grammar and spelling say of each, and a span of it with a label."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from callbus.english_numbers import FROM_TWENTY, between
from consumers.ner.gazetteer import Gazetteer
from consumers.spelling import fold

# A whole number below 200, in digits or words: an age.
COUNT = rf"(?:1?\d?\d|{FROM_TWENTY}|{between(1, 19)})"

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_DRAWN_OUT = re.compile(
    r"(.)\1\1|^(?:h[aei]+){2,}h?$|^(?:[aeiou]+h+-?)+$"
)  # "nooo", "hahaha", "ahh-ah": a sound, no word
_OPENS = re.compile(r"(?:^|[.?!:]\W*|\n\W*)$")


@dataclass(frozen=True, slots=True)
class Word:
    """One word; `start` and `end` leave out a possessive 's."""

    text: str
    fold: str
    start: int
    end: int
    capital: bool  # written with a capital in a text that has both cases, and no acronym
    opens: bool  # the first word of a sentence, where a capital says nothing
    joined: bool  # nothing but a space between the word before and this
    known: bool  # an English word
    function: bool  # one of the small words (the, of, will, may …)
    proper: bool  # the tagger takes it for a proper noun
    part: str = ""  # what the tagger takes it for: "VERB", "ADJ", "NOUN" …


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a language model knows of `text[start:end]`."""

    known: Callable[[int, int], bool]
    function: Callable[[int, int], bool]
    proper: Callable[[int, int], bool]
    part: Callable[[int, int], str] = lambda start, end: ""


@dataclass(frozen=True, slots=True)
class Span:
    """A find in a text; `score` 0 to 1 also decides between finds that overlap."""

    start: int
    end: int
    label: str
    score: float
    certain: bool = False  # hidden if it is personal, whatever else is found there (`caution.py`)


def split(text: str, grammar: Grammar) -> list[Word]:
    """The words of `text` in order."""
    cased = any(char.islower() for char in text)
    words: list[Word] = []
    last = 0
    for match in _WORD.finditer(text):
        start, end = match.span()
        spelled = match.group()
        if spelled[-2:] in ("'s", "'S") and len(spelled) > 2:
            end, spelled = end - 2, spelled[:-2]
        acronym = len(spelled) > 1 and spelled.isupper()
        words.append(
            Word(
                text=spelled,
                fold=fold(spelled),
                start=start,
                end=end,
                capital=cased and spelled[0].isupper() and not acronym,
                opens=bool(_OPENS.search(text[max(0, start - 4) : start])),
                joined=bool(words) and not text[last:start].strip(),
                known=grammar.known(start, end),
                function=grammar.function(start, end),
                proper=grammar.proper(start, end),
                part=grammar.part(start, end),
            )
        )
        last = match.end()
    return words


def covered(words: Sequence[Word], start: int, end: int) -> list[Word]:
    """The words that overlap `text[start:end]`."""
    return [word for word in words if word.start < end and start < word.end]


def could_be_name(word: Word, gazetteer: Gazetteer) -> bool:
    """Whether a word that stands where a name stands can be one."""
    if (
        _DRAWN_OUT.search(word.fold)
        or not {word.fold, word.fold.removesuffix("s")}.isdisjoint(gazetteer.never_names)
        or word.fold in gazetteer.peoples
        or word.fold in gazetteer.titles
        or any(char.isdecimal() for char in word.text)
    ):
        return False
    if word.function and not (word.capital and word.fold in gazetteer.ordinary_names):
        return False
    return (
        word.fold in gazetteer.names or word.fold in gazetteer.ordinary_names or word.capital or not word.known
    ) and len(word.text) > 1


def phrase_ends(words: Sequence[Word], at: int) -> bool:
    """Whether nothing that says something goes on at `at`: the text ends, a pause stands before, or a small word."""
    return at >= len(words) or not words[at].joined or words[at].function


def starts_after(cue: re.Pattern[str], text: str) -> set[int]:
    """Where the word after each cue begins."""
    return {match.end() for match in cue.finditer(text)}
