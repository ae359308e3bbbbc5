"""How a name sounds, so that "goo loo" is Gulu and "bee tris" Beatrice.

A recogniser of English that hears a name it never learned writes English words of the same sound. So a name is known
here by its consonants, of which those that are easily taken for each other count as one (b and p, d and t, g and k,
z and s, v and f), and between them by what kind of vowel stands there: a, e/i or o/u. Pure functions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_ENGLISH = (  # how English spells what most of the names spell as they are said
    (r"igh|ea|ee|ie$", "i"),
    (r"oo|ou|oe|ew|oa", "u"),
    (r"ce$", "s"),
    (r"(?<=\w\w)(?<![aeiou])e$", ""),  # "moose", "rude"
    (r"ough$", "o"),
)
_LETTERS = (
    (r"[^a-z]", ""),
    (r"(?:e|a|o)r$", "a"),  # the r that most speakers of English leave out
    (r"tch|ch", "C"),
    (r"sh", "X"),
    (r"ph", "f"),
    (r"([tdgkb])h", r"\1"),
    (r"ck|qu?", "k"),
    (r"x", "ks"),
    (r"c(?=[eiy])", "s"),
    (r"c", "k"),
    (r"y(?![aeiou])", "i"),
    (r"w(?![aeiou])", "u"),
    (r"(?<=[aeiou])h|h(?![aeiou])", ""),
    (r"[ou]+(?=[aei])", "w"),
    (r"([ei])[ei]*(?=[aou])", r"\1y"),
)
_LIKE = str.maketrans("bdgvz", "ptkfs")
_VOWELS = {"a": "a", "e": "i", "i": "i", "o": "u", "u": "u"}
_COMPILED = tuple((re.compile(pattern), written) for pattern, written in _LETTERS)
_COMPILED_ENGLISH = tuple((re.compile(pattern), written) for pattern, written in _ENGLISH)
_PARTS = re.compile(r"([aeiou]*)([^aeiou]?)")
_AT_AN_END = 0.5  # of a whole difference: the first and the last vowel are heard worst
_SLIGHT = 0.5  # a vowel too many or too few between two consonants


@dataclass(frozen=True, slots=True)
class Sound:
    """The consonants of a word or of several, and the vowel before each of them and after the last ("" for none)."""

    consonants: str
    vowels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """What sounds like something: the label it has in the lists, and how many vowels differ."""

    label: str
    text: str
    differences: float


@lru_cache(maxsize=50_000)
def sound(words: tuple[str, ...], *, english: bool = False) -> Sound:
    """Of folded words that are said without a pause. `english` says that they are spelt as English is."""
    if english:
        words = tuple(_replaced(word, _COMPILED_ENGLISH) for word in words)
    spoken = _replaced("".join(words), _COMPILED).translate(_LIKE)
    consonants: list[str] = []
    vowels = [""]
    for match in _PARTS.finditer(spoken):
        between, consonant = match.groups()
        if between:
            vowels[-1] = _VOWELS[between[0]]
        if not consonant:
            continue
        if consonants and consonants[-1] == consonant and not vowels[-1]:  # a double letter is one sound
            continue
        consonants.append(consonant)
        vowels.append("")
    return Sound("".join(consonants), tuple(vowels))


class Sounds:
    """Listed names and places by their consonants."""

    def __init__(self, listed: Mapping[str, Iterable[str]]) -> None:
        """`listed`: folded texts by label. What has a single consonant sounds like too much."""
        self._by_consonants: dict[str, list[tuple[str, str, Sound]]] = {}
        for label, texts in listed.items():
            for text in texts:
                words = tuple(text.split())
                for its in {sound(words), sound(words, english=True)}:  # "Beatrice" is spelt as English is
                    if len(its.consonants) > 1:
                        self._by_consonants.setdefault(its.consonants, []).append((label, text, its))

    def alike(self, heard: Sound) -> list[Alike]:
        """All that has its consonants, the likest first."""
        same = self._by_consonants.get(heard.consonants, ())
        return sorted(
            (Alike(label, text, _differences(heard, its)) for label, text, its in same),
            key=lambda alike: (alike.differences, alike.text),
        )


def _differences(one: Sound, other: Sound) -> float:
    total = 0.0
    last = len(one.vowels) - 1
    for at, (a, b) in enumerate(zip(one.vowels, other.vowels, strict=True)):
        if a != b:
            slight = at in (0, last) or not a or not b
            total += (_AT_AN_END if at in (0, last) else _SLIGHT) if slight else 1.0
    return total


def _replaced(word: str, rules: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for pattern, written in rules:
        word = pattern.sub(written, word)
    return word
