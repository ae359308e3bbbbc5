"""A turn's redacted text, by all that is known as personal in its call by now. Pure.

Redaction reads a call forwards: what is only found late stands in clear in the redacted texts before. Here it is found
again wherever it was said, as whole words: a name by each of its words, all else by the whole phrase. The text depends
on nothing but the turn and what the call holds, so it is the same however the turns came.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from consumers.plain_words import NAMES_TOO, PLAIN, WORD, telling, words_of
from schemas.records import Entity, Turn

Phrase = tuple[str, ...]

_ARTICLES = ("the", "a", "an")
_TELLING = 3  # so many plain words in a row tell something after all: "zero seven one"
_SAY_NOTHING = frozenset({"GENDER", "INCIDENT_TYPE"})  # of who somebody is: they keep nothing from being hidden
_SHORTEST = 3  # letters of a name that may have an "s" behind it


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a call holds, casefolded."""

    phrases: Mapping[Phrase, tuple[str, str]]  # label and placeholder
    starts: Mapping[str, tuple[Phrase, ...]]  # by the first word, the longest first

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> "Particulars":
        """Of all turns. What two persons have in common stands for the one who was first to get a placeholder."""
        found = {(entity.label, entity.text, entity.placeholder) for turn in turns for entity in turn.entities}
        phrases: dict[Phrase, tuple[str, str]] = {}
        for label, text, placeholder in sorted(found, key=lambda one: (len(one[2]), one[2], one)):
            if placeholder:
                for phrase in _phrases(label, text):
                    phrases.setdefault(phrase, (label, placeholder))
        starts: dict[str, tuple[Phrase, ...]] = {}
        for phrase in sorted(phrases, key=len, reverse=True):
            starts[phrase[0]] = (*starts.get(phrase[0], ()), phrase)
        return cls(phrases, starts)


def redacted(turn: Turn, known: Particulars) -> Turn:
    """The turn with its text redacted by what was found in it, and by what the call holds."""
    own = sorted((entity for entity in turn.entities if entity.placeholder), key=lambda entity: entity.start)
    if any(turn.text[entity.start : entity.end] != entity.text for entity in own):
        return turn  # no places in this text
    shown: list[str] = []
    at = 0
    spans = [*_again(turn, known), *((entity.start, entity.end, entity.placeholder) for entity in own)]
    for start, end, placeholder in sorted(spans):
        shown += (turn.text[at:start], placeholder)
        at = max(at, end)
    return replace(turn, redacted_text="".join((*shown, turn.text[at:])))


def _again(turn: Turn, known: Particulars) -> Iterator[tuple[int, int, str]]:
    """Where the turn says what the call holds, beside what was found in it."""
    words = [(word.start(), word.end(), word[0]) for word in WORD.finditer(turn.text)] if known.starts else []
    folded = tuple(word.casefold() for _, _, word in words)
    cased = any(character.isupper() for character in turn.text)
    at = 0
    while at < len(words):
        for phrase in _starting(folded[at], known):
            if folded[at + 1 : at + len(phrase)] != phrase[1:]:
                continue
            start, end = words[at][0], words[at + len(phrase) - 1][1]
            label, placeholder = known.phrases[phrase]
            if _Said(turn.entities, cased, words[at][2], start).may_be(label, phrase, end):
                yield start, end, placeholder
                at += len(phrase) - 1
                break
        at += 1


def _starting(word: str, known: Particulars) -> tuple[Phrase, ...]:
    """The phrases that begin with a word, the longest first; a name also as "Daniels"."""
    if phrases := known.starts.get(word):
        return phrases
    bare = word.removesuffix("s")
    if word == bare or word in PLAIN or len(bare) < _SHORTEST:
        return ()
    return tuple(one for one in known.starts.get(bare, ()) if len(one) == 1 and known.phrases[one][0] == "NAME")


@dataclass(frozen=True, slots=True)
class _Said:
    """A place in a turn."""

    entities: Sequence[Entity]
    cased: bool
    word: str
    start: int

    def may_be(self, label: str, phrase: Phrase, end: int) -> bool:
        """Whether the words from here to `end` are that particular: not where another was found, of which they are a
        part (a town in an office's name), and not the ordinary word that is a name too."""
        if len(phrase) == 1 and self.cased and phrase[0] in NAMES_TOO and not self.word[0].isupper():
            return False
        there = [entity for entity in self.entities if entity.start < end and self.start < entity.end]
        return not any(entity.placeholder or (label != "NAME" and entity.label not in _SAY_NOTHING) for entity in there)


def _phrases(label: str, text: str) -> Iterator[Phrase]:
    words, apart = words_of(text), telling(text)
    if label == "LANDMARK" and len(words) == 1 and text[:1].islower():
        return  # "restaurant" of "Mama Tabi's restaurant" tells nothing elsewhere; "Nakumatt" does
    words = words[1:] if len(words) > 1 and words[0] in _ARTICLES else words
    if apart or len(words) >= _TELLING:
        yield words
    if label == "NAME":
        yield from ((word,) for word in apart)
