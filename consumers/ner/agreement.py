"""What was found once in a call is found again in it, wherever it stands and whatever words it was heard as."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from consumers.ner.gazetteer import Gazetteer, Phrase
from consumers.ner.scores import NAME_AGAIN
from consumers.ner.words import Span, Word, could_be_name
from schemas.records import Placeholder

_LABELS = ("NAME", "LOCATION", "LANDMARK")
_ARTICLES = frozenset({"the", "that", "this", "a", "an", "our"})
_POINTING = frozenset({"the", "that", "this"})
_WHERE = frozenset({"in", "at", "from", "near", "to", "past"})  # before what is both a name and a place
_EVERYWHERE = frozenset({"house", "home", "centre", "center", "place", "market", "station"})


@dataclass(frozen=True, slots=True)
class Agreed:
    """The names and places of a call, folded."""

    names: frozenset[str] = frozenset()  # every word of every name
    places: frozenset[str] = frozenset()  # of one word
    phrases: frozenset[tuple[str, Phrase]] = frozenset()  # of several, with their label
    landmarks: frozenset[Phrase] = frozenset()  # without their article

    @classmethod
    def of(cls, placeholders: Iterable[Placeholder]) -> "Agreed":
        """From what is remembered of a call."""
        return cls()._and((entry.label, tuple(entry.text.split())) for entry in placeholders)

    def with_finds(self, words: Sequence[Word], finds: Iterable[Span]) -> "Agreed":
        """These and those of an utterance."""
        return self._and(
            (span.label, tuple(word.fold for word in words if span.start <= word.start < span.end)) for span in finds
        )

    def _and(self, found: Iterable[tuple[str, Phrase]]) -> "Agreed":
        its = [(label, phrase) for label, phrase in found if label in _LABELS and phrase]
        bare = [phrase[1:] if phrase[0] in _ARTICLES else phrase for label, phrase in its if label == "LANDMARK"]
        return Agreed(
            self.names | {word for label, phrase in its if label == "NAME" for word in phrase},
            self.places | {phrase[0] for label, phrase in its if label == "LOCATION" and len(phrase) == 1},
            self.phrases | {one for one in its if one[0] != "LANDMARK" and len(one[1]) > 1},
            self.landmarks | {phrase for phrase in bare if phrase},
        )

    def again(self, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
        """Every one of them in another utterance, a name also as "Daniels", a landmark also as "the mosque"."""
        kinds = gazetteer.landmark_kinds | gazetteer.landmark_names
        landmarks = [phrase for phrase in self.landmarks if not kinds.isdisjoint(phrase)]
        heads = {head for phrase in landmarks if (head := _head(phrase, gazetteer))}
        for at, word in enumerate(words):
            for label, phrase in self.phrases:
                if last := _repeated(words, at, phrase):
                    yield Span(word.start, last.end, label, NAME_AGAIN)
            pointed = at > 0 and word.joined and words[at - 1].fold in _POINTING
            start = words[at - 1].start if pointed else word.start
            for phrase in landmarks:
                if (pointed or len(phrase) > 1) and (last := _repeated(words, at, phrase)):
                    yield Span(start, last.end, "LANDMARK", NAME_AGAIN)
            if pointed and word.fold in heads:
                yield Span(start, word.end, "LANDMARK", NAME_AGAIN)
            if not could_be_name(word, gazetteer) and not (word.capital and word.fold in gazetteer.ordinary_names):
                continue
            named = not self.names.isdisjoint((word.fold, word.fold.removesuffix("s")))
            somewhere = at > 0 and word.joined and words[at - 1].fold in _WHERE
            if word.fold in self.places and not word.known and (somewhere or not named):
                yield Span(word.start, word.end, "LOCATION", NAME_AGAIN)
            elif named:
                yield Span(word.start, word.end, "NAME", NAME_AGAIN)


def _repeated(words: Sequence[Word], at: int, phrase: Phrase) -> Word | None:
    """The last word of `phrase`, if that stands at `at`."""
    part = words[at : at + len(phrase)]
    return part[-1] if tuple(word.fold for word in part) == phrase else None


def _head(phrase: Phrase, gazetteer: Gazetteer) -> str | None:
    """By what word it is spoken of again: "mosque" of "mosque with the green light"; None if that may be any."""
    its = phrase[: phrase.index("with")] if "with" in phrase[1:] else phrase
    head = its[-1]
    everywhere = head in _EVERYWHERE or head in gazetteer.common_landmarks or head in gazetteer.institution_kinds
    return head if head in gazetteer.landmark_kinds and not everywhere else None
