"""A text cut into what a model translates well: one sentence, or a part of one where it has no end."""

import re

MAX_WORDS = 40
"""Beyond this the packaged model begins to repeat and to invent (seen from about 60 words without a full stop)."""

_ABBREVIATION = r"(?<!\bDr\.)(?<!\bDra\.)(?<!\bSr\.)(?<!\bSra\.)(?<!\bAv\.)(?<!\bProf\.)(?<!\bn\.)(?<!\bno\.)"
_SENTENCE_END = re.compile(rf"(?:(?<=[.!?…])|(?<=[.!?…][\"'”»)])){_ABBREVIATION}\s+|\s*\n\s*")
_PAUSE = (",", ";", ":", "–", "—")  # noqa: RUF001


def split(text: str) -> tuple[str, ...]:
    """The sentences of `text` as they were said, in order, none empty."""
    return tuple(sentence for each in _SENTENCE_END.split(text) if (sentence := each.strip()))


def beginnings(text: str) -> frozenset[int]:
    """Where in `text` a sentence begins behind another."""
    return frozenset(end.end() for end in _SENTENCE_END.finditer(text))


def calm(sentence: str) -> str:
    """A sentence typed in capitals, without them: a model makes nothing of "TENHO MEDO"."""
    return sentence.capitalize() if sentence.isupper() and " " in sentence else sentence


def parts(sentence: str) -> list[str]:
    """A sentence in parts of at most MAX_WORDS words, cut at the last pause that a part has."""
    words, found = sentence.split(), []
    if len(words) <= MAX_WORDS:
        return [sentence]
    while words:
        pauses = [n for n, word in enumerate(words[:MAX_WORDS], start=1) if word.endswith(_PAUSE)]
        cut = pauses[-1] if pauses and len(words) > MAX_WORDS else MAX_WORDS
        found.append(" ".join(words[:cut]))
        words = words[cut:]
    return found
