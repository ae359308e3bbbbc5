"""Words that name what happened to somebody: "she was raped", "child marriage", "he beats me".

They are the words of harm of domain/relations.yaml. One that is harmless in other sentences counts only where the
sentence says who does it to whom, and none counts that is denied right before ("nobody beats", "was not raped").
"""

import re
from collections.abc import Iterator

from consumers.harm import any_of
from consumers.ner.scores import PLAIN
from consumers.ner.words import Span
from consumers.relations import Relations

_DENIED = re.compile(
    r"(?:\b(?:not|never|nobody|no one|without|neither|nor)(?: \w+){0,2}|\bno|n't(?: \w+){0,2}) $", re.IGNORECASE
)
_BEFORE = 40  # characters
_OF_SUBSTANCES = re.compile(r"\b(?:drugs?|alcohol|substance|power) $", re.IGNORECASE)  # "drug abuse"


class Incidents:
    """The words of a helpline's list."""

    def __init__(self, relations: Relations) -> None:
        self._grammar = relations.grammar
        self._said = re.compile(rf"(?<![\w-]){any_of(relations.incidents)}(?![\w-])", re.IGNORECASE)

    def find(self, text: str) -> Iterator[Span]:
        """Every such word or phrase; they may overlap."""
        found = {
            match.span()
            for match in self._said.finditer(text)
            if not _OF_SUBSTANCES.search(text, max(0, match.start() - _BEFORE), match.start())
        }
        found |= {(deed.start, deed.end) for deed in self._grammar.deeds(text)}
        for start, end in sorted(found):
            if not _DENIED.search(text, max(0, start - _BEFORE), start):
                yield Span(start, end, "INCIDENT_TYPE", PLAIN)
