"""Keeps personal particulars out of an insight, in what people and programs wrote as free text too.

A failure's reason may quote what was said, and so does a quotation of before a name was known. Two nets: `masked` drops
what looks like a particular (quotations, addresses, numbers, capitalised words), and `without` drops what this call's
own personal entities hold, which `digests` turns into short keyed digests so that the state never holds a name.

Of a name or place every word is kept out that tells anybody apart; of all else (landmarks, addresses) the whole
phrase, or any three of its words in a row. Of numbers nothing is remembered but that the call holds one: then every run
of three figures, written or spoken, is kept out. So no ordinary word is lost for having been said in a number.
"""

import re
from collections.abc import Collection, Iterator
from hashlib import blake2b

from consumers.plain_words import NUMBERS, PLAIN, WORD, telling, words_of
from schemas.records import Entity

MASK = "…"
REASON_CHARS = 200

_UNSAFE = re.compile(
    r"""
      "[^"]*" | \u201c[^\u201d]*\u201d | \u2018[^\u2019]*\u2019 | «[^»]*» | `[^`]*` | (?<!\w)'[^']*'  # quotations
    | \S*[/\\@]\S*                                                      # paths, URIs, e-mail addresses
    | (?<!\w)\+?\d(?:[ ().-]?\d){2,} | \S*\d{4}\S*                      # long numbers, in one piece or spaced
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(r"[^\W\d_][\w-]*")
_TECHNICAL = re.compile(r"\w*(?:Error|Exception)|Avro|CUDA|FLAC|GPU|HTTP|Kafka|URI|WAV")
_BY_WORD = ("NAME", "LOCATION")
_RUN = 3  # words in a row that tell what a longer phrase told
_NUMBER = "#"  # no word: stands for any number of the call
_FIGURE = rf"(?:\d+|{'|'.join(sorted(NUMBERS))})"
_FIGURES = re.compile(
    rf"""
      (?!(?:19|20)\d\d(?!\w|[ ().-]{{1,2}}\d))  # a year alone is no number
      (?<![\w+])\+?\d(?:[ ().-]{{0,2}}\d){{2,}}\w*
    | (?<!\w){_FIGURE}(?:[\s,.()-]+{_FIGURE}){{2,}}(?!\w)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def digest(text: str, key: str) -> str:
    """Twelve hex digits that stand for `text` within `key` (a call)."""
    return blake2b(text.encode(), key=key.encode()[:64], digest_size=6).hexdigest()


def digests(entity: Entity, call_id: str) -> set[str]:
    """What is remembered of a personal particular, to find it again: digests of words, and of words in a row."""
    words, apart = words_of(entity.text), telling(entity.text)
    if entity.label in _BY_WORD:
        return {digest(word, call_id) for word in apart if not word.isdigit()}
    runs = {" ".join(words[at : at + _RUN]) for at in range(max(1, len(words) - _RUN + 1))} if apart else set()
    kept = {run for run in runs if not all(word in PLAIN or word.isdigit() for word in run.split())}
    if _FIGURES.search(entity.text):
        kept.add(_NUMBER)
    return {digest(one, call_id) for one in kept}


def masked(reason: str) -> str:
    """The reason without what looks like a particular, cut to `REASON_CHARS`."""
    plain = _UNSAFE.sub(MASK, reason)
    return _TOKEN.sub(lambda found: MASK if _is_name(found[0]) else found[0], plain)[:REASON_CHARS]


def _is_name(token: str) -> bool:
    return token[0].isupper() and not _TECHNICAL.fullmatch(token)


def without(text: str, names: Collection[str], call_id: str) -> str:
    """The text without what the digests in `names` stand for."""
    if not names:
        return text
    shown: list[str] = []
    at = 0
    for start, end in sorted(_known(text, names, call_id)):
        if start >= at:
            shown += (text[at:start], MASK)
        at = max(at, end)
    return "".join((*shown, text[at:]))


def _known(text: str, names: Collection[str], call_id: str) -> Iterator[tuple[int, int]]:
    """Where the text says what `names` stand for."""
    if digest(_NUMBER, call_id) in names:
        yield from (figures.span() for figures in _FIGURES.finditer(text))
    found = [(word.start(), word.end(), word[0].casefold()) for word in WORD.finditer(text)]
    hidden = [False] * len(found)
    for length in range(1, _RUN + 1):
        for at in range(len(found) - length + 1):
            if digest(" ".join(word for _, _, word in found[at : at + length]), call_id) in names:
                hidden[at : at + length] = [True] * length
    yield from ((start, end) for (start, end, _), hide in zip(found, hidden, strict=True) if hide)


def harmless(text: str, names: Collection[str], call_id: str) -> str:
    """What may be shown of a particular that is harmless by its label: all but what is known as personal in this call,
    the town of an office too; "" if nothing is left that tells anything."""
    left = without(text, names, call_id)
    return "" if left != text and all(word in PLAIN for word in words_of(left)) else left
