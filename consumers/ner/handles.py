"""Names letter by letter, and what somebody is called by on the net: "T S H E P O", "zed_boy9", "zed underscore boy".

Pure functions over the text.
"""

import re
from collections.abc import Iterator

from consumers.ner.scores import NAME_CALLED
from consumers.ner.words import Span

_SPELT = re.compile(r"(?<![\w'\u2019])[^\W\d_](?:(?:, ?|\. ?|-| )[^\W\d_](?![\w'\u2019]))+")
_SPELLING = re.compile(r"\b(?:spell\w*|spelt|letters?|write\w*|written)\b[^.?!]{0,20}$", re.IGNORECASE)
_LETTERS, _ASKED = 4, 3  # that make a name: anywhere, and where somebody spells
_HANDLES = (
    re.compile(r"(?<![\w@.])@[^\W\d]\w{2,}(?!\.?\w*@)"),
    re.compile(r"(?<![\w@.])[^\W_]+(?:_[^\W_]+)+(?![\w@])"),
    re.compile(r"\b[^\W_]+(?: underscore [^\W_]+)+\b(?! (?:at|dot)\b)", re.IGNORECASE),
)


def find(text: str) -> Iterator[Span]:
    """Every such name."""
    for match in _SPELT.finditer(text):
        letters = [char for char in match.group() if char.isalpha()]
        if len({char.isupper() for char in letters}) > 1:  # "a B, a C"
            continue
        asked = _SPELLING.search(text, max(0, match.start() - 40), match.start()) is not None
        if len(letters) >= (_ASKED if asked else _LETTERS) and len(set(letters)) >= _ASKED:  # no "i i i i"
            yield Span(*match.span(), "NAME", NAME_CALLED)
    for pattern in _HANDLES:
        for match in pattern.finditer(text):
            yield Span(*match.span(), "NAME", NAME_CALLED)
