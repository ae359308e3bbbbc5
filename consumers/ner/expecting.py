"""What an utterance asks for, and what answers that: "What is your name?" "Wanjiru."

An answer of one word has nothing around it to go by, so the question before it must do. Pure functions.
"""

import re
from collections.abc import Iterator, Sequence

from consumers.ner import ages
from consumers.ner.gazetteer import Gazetteer
from consumers.ner.reading import SHORT_CODES, Reading
from consumers.ner.scores import NAME, NAME_CALLED, PLACE, PLACE_BY_CUE
from consumers.ner.words import Span, Word, could_be_name

ID_WORD = (  # what a number belongs to that is no telephone
    r"(?:id|i\.d\.?|identity|identification|passport|nin|nida|nrc|omang|huduma|kebele|fayda|certificate|refugee|alien|card"
    r"|registration|licen[cs]e|account|reference|ref|case|file|ticket|serial|admission|index|assessment|receipt|plate|policy"
    r"|upi|nemis|occurrence|notification|docket|abstract|ob|badge|immuni[sz]ation|vaccination|clinic book|birth entry"
    r"|tracking|(?:clinic|hospital|patient|pupil|student|member|membership|staff|court|ob|docket)(?= (?:number|no\b)))"
)
_NUMBERS = frozenset({"PHONE_NUMBER", "ID_NUMBER"})
_ASKS = {
    "NAME": re.compile(
        r"\b(?:what(?:'s| is| was| are)?|tell me|give me|have|know|say|spell|repeat|confirm)\b[^.?!]{0,30}\bnames?\b"
        r"|\bwho (?:is|are|am|was|did|else)\b|\bwhom\b",
        re.IGNORECASE,
    ),
    "AGE": re.compile(
        r"\bhow old\b|\bhow many years\b|\b(?:what|which|whats|tell me|and|know|give me|confirm|your|his|her|their)\b"
        r"[^.?!]{0,25}\bages?\b(?! of\b)",
        re.IGNORECASE,
    ),
    "LOCATION": re.compile(
        r"\bwhere (?:are|do|does|did|is|was|were)\b"
        r"|\b(?:what|which) (?:village|town|county|district|place|estate|area)\b",
        re.IGNORECASE,
    ),
    "ID_NUMBER": re.compile(
        rf"\b{ID_WORD}\b(?: card| certificate| book)? (?:number|no\b|numbers)|\b(?:read|show|give)\b[^.?!]{{0,30}}"
        r"\b(?:id|identity card|passport)\b|\bnumbers?\b (?:is |was |that is )?(?:on|of|from|in)"
        rf" (?:the|your|his|her|that|this) (?:\w+ )?(?:{ID_WORD}|paper|slip|form|bracelet|tag)\b",
        re.IGNORECASE,
    ),
    "PHONE_NUMBER": re.compile(
        r"\b(?:what|whats|which|give|have|get|share|tell|say|repeat|confirm|spell|reach|call|there|read|need|take|leave|my)\b"
        r"[^.?!]{0,50}\b(?:numbers?|digits|contacts?)\b|\b(?:phone|telephone|mobile|cell|contact) (?:number|no)\b"
        r"|\b(?:your|his|her|their) (?:phone|telephone|cell|mobile)\b(?=\W*$)"
        r"|\b(?:how|where) (?:do|does|can|could|shall|should|will|would|may) (?:i|we|he|she|they|the \w+)"
        r" (?:reach|contact|call|phone|ring|find|get) (?:you|him|her|them|back)\b",
        re.IGNORECASE,
    ),
}
_AMOUNT_ASKED = re.compile(
    r"\bhow (?:many|much|long|often|far)\b|\bwhat time\b|\bwhich (?:class|grade|form)\b", re.IGNORECASE
)
_PHONE_WORD = re.compile(r"\b(?:phone|telephone|mobile|cell|call you|reach you|whatsapp)\b", re.IGNORECASE)
_ID = re.compile(rf"\b{ID_WORD}\b", re.IGNORECASE)
# What a number is read from that is no telephone's: "there is a paper from the ward with a number".
_DOCUMENT = re.compile(
    r"\b(?:paper|ward|slip|form|tag|bracelet|wristband|band|letter|book|booklet|sticker|stamp|summons|locker|vehicle|car|taxi"
    r"|lorry|truck|bus|matatu|van|probox|noah|motorbike|boda)s?\b",
    re.IGNORECASE,
)
_DIALLED = re.compile(r"\+|0[6-9]")  # how a mobile number begins
_LONGEST_PHONE = 12  # digits, with country code
_WHOLE_NUMBER = 9  # digits; a dictated number with fewer goes on in the next utterance
_SHORT = 3  # words: "Yes, go on." neither answers nor changes what is expected
_ENCOURAGING = 9  # words: "Yes please, I am listening to you" leaves a number unfinished
_SHORT_ANSWER = 6


def expected_after(text: str, reading: Reading, before: Sequence[str]) -> tuple[str, ...]:
    """The labels expected of the next utterance, when `before` were expected of this one."""
    asked = [label for label, pattern in _ASKS.items() if pattern.search(text)]
    numbers = ["".join(filter(str.isdecimal, reading.text[start:end])) for start, end in reading.numbers]
    said = [len(digits) for digits in numbers if digits not in SHORT_CODES]
    if "ID_NUMBER" in asked and "PHONE_NUMBER" in asked and not _PHONE_WORD.search(text):
        asked.remove("PHONE_NUMBER")  # "what is the ID number?"
    if said and max(said) < _WHOLE_NUMBER and _NUMBERS.isdisjoint(asked):
        asked.append("ID_NUMBER" if "ID_NUMBER" in before else "PHONE_NUMBER")
    if "AGE" in before and not asked and not _AMOUNT_ASKED.search(text) and ages.answered(text):
        return ("AGE",)  # it is repeated, or another is told
    if not asked and not said:
        pending = [label for label in before if label in _NUMBERS]
        length = len(text.split())
        return tuple(before) if length <= _SHORT else tuple(pending) if length <= _ENCOURAGING else ()
    return tuple(asked)


def answers(reading: Reading, words: Sequence[Word], expecting: Sequence[str], gazetteer: Gazetteer) -> Iterator[Span]:
    """What a short utterance gives because it was asked for."""
    if "ID_NUMBER" in expecting and "PHONE_NUMBER" not in expecting:
        yield from (Span(start, end, "ID_NUMBER", NAME_CALLED) for start, end in reading.numbers)
    if "AGE" in expecting:
        yield from ages.answered(reading.text)
    if not words or len(words) > _SHORT_ANSWER:
        return
    alone = len(words) <= 2
    for word in words:
        fits = could_be_name(word, gazetteer)
        if "NAME" in expecting and (
            (fits and (not word.opens or not word.known or word.fold in gazetteer.ordinary_names))
            or (alone and _may_be_all(word, gazetteer))
        ):
            yield Span(word.start, word.end, "NAME", NAME_CALLED if alone else NAME)
        elif "LOCATION" in expecting and fits and not word.known:
            sure = word.start == words[0].start or words[0].fold in ("in", "at", "from")  # no "with Amina"
            yield Span(word.start, word.end, "LOCATION", PLACE if sure else PLACE_BY_CUE)


def _may_be_all(word: Word, gazetteer: Gazetteer) -> bool:
    """Whether a word that is nearly all of an answer can be the name that was asked for: not "ahead" of "Go ahead"."""
    return not word.function and word.part != "ADV" and word.fold not in gazetteer.never_names and word.text.isalpha()


def default_number(reading: Reading, expecting: Sequence[str]) -> str:
    """What to call digits that no recogniser knows: a telephone's, unless they were asked for or told as another's."""
    if not _NUMBERS.isdisjoint(expecting):
        return "PHONE_NUMBER" if "PHONE_NUMBER" in expecting else "ID_NUMBER"
    said = [reading.text[start:end] for start, end in reading.numbers]
    if any(char.isalpha() or char == "/" for text in said for char in text):
        return "ID_NUMBER"
    longest = max((sum(char.isdecimal() for char in text) for text in said), default=0)
    dialled = longest >= _WHOLE_NUMBER or any(_DIALLED.match(text) for text in said)
    told = _ID.search(reading.text) or (not dialled and _DOCUMENT.search(reading.text))
    if told and not _PHONE_WORD.search(reading.text):
        return "ID_NUMBER"
    if any(text[0] in "0+" for text in said):
        return "PHONE_NUMBER"
    return "ID_NUMBER" if _ID.search(reading.text) or longest > _LONGEST_PHONE else "PHONE_NUMBER"
