"""Words as they are compared: however they were written down, what sounds alike is alike."""

import re
import unicodedata
from collections.abc import Iterator

from callbus.english_numbers import TO_TWENTY

_DIGITS = re.compile(r"\d+")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "`": "'"})
_WORD = re.compile(r"[^\W_]+")
_NO_WORD = re.compile(r"[^\w']+|_+|(?<!\w)'+|'+(?!\w)")


def normalised(text: str, *, english: bool = True) -> str:
    """Lower case, without accents and punctuation. In English, numbers up to twenty are words, and longer ones are
    read digit by digit; of another language the digits stay."""
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold())
        if not unicodedata.combining(letter)
    )
    spoken = _DIGITS.sub(lambda found: f" {_spoken(found.group())} ", plain) if english else plain
    return " ".join(_NO_WORD.sub(" ", spoken).split())


def _spoken(number: str) -> str:
    if len(number) <= 2 and int(number) < len(TO_TWENTY) and not number.startswith("0"):
        return TO_TWENTY[int(number)]
    return " ".join(TO_TWENTY[int(digit)] for digit in number)


def places(phrase: str, text: str, *, english: bool = True) -> list[tuple[int, int]]:
    """Where the phrase stands in the text, as offsets (start, end): the same words, however they are written.

    What is longer than the phrase by an ending after an apostrophe ("Brian's") is found too; places do not overlap.
    """
    wanted = [word for word, _, _ in _words(phrase, english)]
    words = list(_words(text, english))
    found: list[tuple[int, int]] = []
    at = 0
    while wanted and at + len(wanted) <= len(words):
        part = words[at : at + len(wanted)]
        if [word for word, _, _ in part] == wanted:
            found.append((part[0][1], part[-1][2]))
            at += len(wanted)
        else:
            at += 1
    return found


def _words(text: str, english: bool) -> Iterator[tuple[str, int, int]]:
    """The words with their offsets; all those of a number that is written in digits have the number's."""
    for found in _WORD.finditer(text):
        for word in normalised(found.group(), english=english).split():
            yield word, found.start(), found.end()
