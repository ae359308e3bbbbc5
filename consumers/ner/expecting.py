"""What an utterance asks for, and what answers that: "What is your name?" "Wanjiru."

An answer of one word has nothing around it to go by, so the question before it must do. Pure functions.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner.cues import NAME, NAME_CALLED, PLACE_BY_CUE, could_be_name
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.reading import Reading
from consumers.ner.words import COUNT, Span, Word

_ASKS = {
    "NAME": re.compile(
        r"\b(?:what(?:'s| is| was| are)?|tell me|give me|have|know|say|spell|repeat|confirm)\b[^.?!]{0,30}\bnames?\b"
        r"|\bwho (?:is|are|am|was|did|else)\b|\bwhom\b",
        re.IGNORECASE,
    ),
    "AGE": re.compile(r"\bhow old\b|\bwhat(?:'s| is)\b[^.?!]{0,20}\bage\b", re.IGNORECASE),
    "LOCATION": re.compile(
        r"\bwhere (?:are|do|does|did|is|was|were)\b"
        r"|\b(?:what|which) (?:village|town|county|district|place|estate|area)\b",
        re.IGNORECASE,
    ),
    "ID_NUMBER": re.compile(
        r"\b(?:id|i\.d\.?|identity|passport|nin|nida|nrc|omang)(?: card)? (?:number|no)\b", re.IGNORECASE
    ),
    "PHONE_NUMBER": re.compile(
        r"\b(?:what|which|give|have|get|share|tell|say|repeat|confirm|spell|reach|call|there|read)\b"
        r"[^.?!]{0,50}\bnumber\b",
        re.IGNORECASE,
    ),
}
_AGE = re.compile(rf"\b{COUNT}\b(?: years?)?(?! (?:months?|weeks?|days?)\b)", re.IGNORECASE)
_WHOLE_NUMBER = 9  # digits; a dictated number with fewer goes on in the next utterance
_SHORT = 3  # words: "Yes, go on." neither answers nor changes what is expected
_SHORT_ANSWER = 6


def expected_after(text: str, reading: Reading, before: Sequence[str]) -> tuple[str, ...]:
    """The labels expected of the next utterance, when `before` were expected of this one."""
    asked = [label for label, pattern in _ASKS.items() if pattern.search(text)]
    said = [sum(char.isdecimal() for char in reading.text[start:end]) for start, end in reading.numbers]
    if said and max(said) < _WHOLE_NUMBER and "PHONE_NUMBER" not in asked:
        asked.append("PHONE_NUMBER")
    if not asked and not said and len(text.split()) <= _SHORT:
        return tuple(before)
    return tuple(asked)


def answers(reading: Reading, words: Sequence[Word], expecting: Sequence[str], gazetteer: Gazetteer) -> Iterator[Span]:
    """What a short utterance gives because it was asked for."""
    if not words or len(words) > _SHORT_ANSWER:
        return
    if "ID_NUMBER" in expecting:
        yield from (Span(start, end, "ID_NUMBER", NAME_CALLED) for start, end in reading.numbers)
    if "AGE" in expecting and (age := _AGE.search(reading.text)):
        yield Span(*age.span(), "AGE", NAME)
    alone = len(words) <= 2
    for word in words:
        fits = could_be_name(word, gazetteer)
        if "NAME" in expecting and (
            (fits and (not word.opens or not word.known or word.fold in gazetteer.ordinary_names))
            or (alone and not word.function and word.fold not in gazetteer.never_names and word.text.isalpha())
        ):
            yield Span(word.start, word.end, "NAME", NAME_CALLED if alone else NAME)
        elif "LOCATION" in expecting and fits and not word.known:
            yield Span(word.start, word.end, "LOCATION", PLACE_BY_CUE)
