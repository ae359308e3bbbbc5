"""What was said, without anything that could tell who said it or of whom: what may enter the corpus. Pure.

It starts from the redacted text. Redaction may have missed a name at one place that it found at another, and it leaves
what is not personal by its label but may be together (a school, a date): so every particular that was found anywhere in
the call is taken out everywhere. Then a turn is left out whole in which something still looks like a particular, in
which somebody says who or where they are, or which has a word that the corpus does not have: a name that was missed
everywhere, mostly one that was misheard. A third to a half of all turns fall to that; a call has more than one needs.
"""

import re
from collections.abc import Collection, Mapping

from callbus.english_numbers import DICTATED
from callbus.feedback.vocabulary import Vocabulary
from schemas.records import CallDocument, Turn

KEPT = frozenset({"AGE", "GENDER", "INCIDENT_TYPE"})
"""What a case is judged by, and who it is can't be told from."""

_PLACEHOLDER = re.compile(r"\[([A-Z_]+?)(?:_\d+)?\]")
_SOMETHING = "something"
_IN_PLACE: Mapping[str, str] = {
    "NAME": "someone",
    "VICTIM": "someone",
    "PERPETRATOR": "someone",
    "LOCATION": "that place",
    "LANDMARK": "that place",
    "ORGANIZATION": "that place",
    "DATE": "that day",
    "PHONE_NUMBER": "that number",
    "ID_NUMBER": "that number",
    "EMAIL": "that address",
}
_SUSPECT = re.compile(r"\d{3,}|(?:\d\D?){5,}|@|://|\bwww\.|\bdot (?:com|org|net)\b", re.IGNORECASE)
_DIGIT_WORD = rf"(?:{DICTATED})"
_SPOKEN_NUMBER = re.compile(rf"\b{_DIGIT_WORD}(?:\W+{_DIGIT_WORD}){{3,}}\b", re.IGNORECASE)  # as a telephone's is said
_INTRODUCTION = re.compile(
    r"\bnames?\b|\bcalled\b|\bcall (?:me|him|her|us|them)\b|"
    r"\b(?:am|live|lives|living|stay|stays|staying|come|comes|call|calling) (?:in|at|from|near)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_NO_NAME = re.compile(  # what stands in a name and tells nothing
    r"and|the|mama|baba|mother|father|uncle|aunt|auntie|brother|sister|grandmother|grandfather|chief|teacher|pastor|"
    r"doctor|nurse|officer|madam|miss|mister|mrs|head(?:master|mistress|teacher)"
)


def anonymous(document: CallDocument, turn: Turn, words: Vocabulary, more: Collection[str] = ()) -> str | None:
    """A turn's words as they may be kept; None where that can't be made sure of.

    `words` are those that may be kept; `more` are further texts that are particulars, such as those that a counsellor
    has pointed at.
    """
    text = _PLACEHOLDER.sub(lambda found: _IN_PLACE.get(found[1], _SOMETHING), turn.redacted_text)
    for particular, said in sorted(_particulars(document, more).items(), key=lambda item: (-len(item[0]), item[0])):
        text = re.sub(rf"(?<!\w){re.escape(particular)}(?!\w)", said, text, flags=re.IGNORECASE)
    names = _name_words(document, more)
    if any(sign.search(text) for sign in (_SUSPECT, _SPOKEN_NUMBER, _INTRODUCTION)):
        return None
    if any(word in names for word in _words(text)) or words.odd(text):
        return None
    return " ".join(text.split())


def _particulars(document: CallDocument, more: Collection[str]) -> dict[str, str]:
    """Everything that was found in the call, with what is said in its place."""
    found = {
        entity.text.strip(): _IN_PLACE.get(entity.label, _SOMETHING)
        for each in (*document.turns, *document.aside)
        for entity in each.entities
        if entity.label not in KEPT
    }
    found |= {text.strip(): "someone" for text in more}
    return {text: said for text, said in found.items() if len(text) > 1}


def _name_words(document: CallDocument, more: Collection[str]) -> set[str]:
    """The telling words of names, of which one alone tells something, too."""
    told = [
        entity.text for each in (*document.turns, *document.aside) for entity in each.entities if entity.label == "NAME"
    ]
    return {word for text in (*told, *more) for word in _words(text) if len(word) > 2 and not _NO_NAME.fullmatch(word)}


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
