"""The words that may be kept: those that an example corpus already has. Pure, but for reading its files.

Redaction finds the names that it knows or understands. A name that speech recognition has written as other words, and
that it found nowhere, is an odd word: where every word must be a known one, it can't pass.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from callbus import yaml_text
from callbus.errors import InputError

WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "er")
_SHORTEST_STEM = 3


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words in lower case."""

    words: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Every word that stands somewhere in lower case: one that never does may be a name."""
        return cls(frozenset(word for text in texts for word in WORD.findall(text) if word.islower()))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Of all YAML files of a corpus. InputError if it has none, or one can't be read."""
        try:
            texts = [
                text for path in sorted(folder.rglob("*.yaml")) for text in _texts(yaml_text.parse(path.read_bytes()))
            ]
        except (OSError, yaml.YAMLError) as problem:
            raise InputError(f"{folder}: a file of the corpus can't be read ({problem})") from problem
        if not texts:
            raise InputError(f"{folder}: no corpus, whose words may be kept; name one with --words")
        return cls.of(texts)

    def odd(self, text: str) -> list[str]:
        """The words that are not known, and those with a capital where no sentence begins; a letter alone is none."""
        return [
            word
            for sentence in _SENTENCE_END.split(text)
            for position, word in enumerate(WORD.findall(sentence))
            if len(word) > 1 and (not self._knows(word.casefold()) or (position and word[0].isupper()))
        ]

    def _knows(self, word: str) -> bool:
        if word in self.words:
            return True
        stems = (word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending))
        return any(len(stem) >= _SHORTEST_STEM and (stem in self.words or f"{stem}e" in self.words) for stem in stems)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for each in content.values():
            yield from _texts(each)
    elif isinstance(content, list):
        for each in content:
            yield from _texts(each)
