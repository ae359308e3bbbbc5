"""What was found once in a call is found again in it, wherever it stands and whatever words it was heard as."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from consumers.ner.gazetteer import Gazetteer, Phrase
from consumers.ner.scores import NAME_AGAIN
from consumers.ner.words import Span, Word, could_be_name
from schemas.records import Placeholder

_LABELS = ("NAME", "LOCATION")


@dataclass(frozen=True, slots=True)
class Agreed:
    """The names and places of a call, folded."""

    names: frozenset[str] = frozenset()  # every word of every name
    places: frozenset[str] = frozenset()  # of one word
    phrases: frozenset[tuple[str, Phrase]] = frozenset()  # of several, with their label

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
        return Agreed(
            self.names | {word for label, phrase in its if label == "NAME" for word in phrase},
            self.places | {phrase[0] for label, phrase in its if label == "LOCATION" and len(phrase) == 1},
            self.phrases | {one for one in its if len(one[1]) > 1},
        )

    def again(self, words: Sequence[Word], gazetteer: Gazetteer) -> Iterator[Span]:
        """Every one of them in another utterance, a name also as "Daniels"."""
        for at, word in enumerate(words):
            for label, phrase in self.phrases:
                part = words[at : at + len(phrase)]
                if word.fold == phrase[0] and tuple(each.fold for each in part) == phrase:
                    yield Span(word.start, part[-1].end, label, NAME_AGAIN)
            if not could_be_name(word, gazetteer) and not (word.capital and word.fold in gazetteer.ordinary_names):
                continue
            if not self.names.isdisjoint((word.fold, word.fold.removesuffix("s"))):
                yield Span(word.start, word.end, "NAME", NAME_AGAIN)
            elif word.fold in self.places and not word.known:
                yield Span(word.start, word.end, "LOCATION", NAME_AGAIN)
