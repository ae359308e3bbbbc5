"""Keeps personal particulars out of an insight, in what people and programs wrote as free text too.

A failure's reason may quote what was said. Two nets: `masked` drops what looks like a particular (quotations,
addresses, numbers, capitalised words), and `without` drops every word that this call's own personal entities hold,
which `word_digests` turns into short keyed digests so that the state never holds a name.
"""

import re
from collections.abc import Collection
from hashlib import blake2b

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
_WORD = re.compile(r"[^\W\d_]+")
_COMMON = frozenset(("a", "an", "and", "at", "for", "from", "her", "his", "in", "my", "of", "on", "our", "the", "to"))


def digest(text: str, key: str) -> str:
    """Twelve hex digits that stand for `text` within `key` (a call)."""
    return blake2b(text.encode(), key=key.encode()[:64], digest_size=6).hexdigest()


def word_digests(text: str, call_id: str) -> set[str]:
    """The digests of the telling words of a personal particular; a single letter tells nothing."""
    words = (word for word in _WORD.findall(text.casefold()) if len(word) > 1)
    return {digest(word, call_id) for word in words if word not in _COMMON}


def masked(reason: str) -> str:
    """The reason without what looks like a particular, cut to `REASON_CHARS`."""
    plain = _UNSAFE.sub(MASK, reason)
    return _TOKEN.sub(lambda found: MASK if _is_name(found[0]) else found[0], plain)[:REASON_CHARS]


def _is_name(token: str) -> bool:
    return token[0].isupper() and not _TECHNICAL.fullmatch(token)


def without(text: str, names: Collection[str], call_id: str) -> str:
    """The text without the words whose digests are in `names`."""
    if not names:
        return text
    return _WORD.sub(
        lambda found: MASK if digest(found[0].casefold(), call_id) in names else found[0],
        text,
    )


def is_personal(text: str, names: Collection[str], call_id: str) -> bool:
    """Whether a particular, harmless by its label, says nothing but words known as personal in this call."""
    words = word_digests(text, call_id)
    return bool(words) and words <= set(names)
