"""One model, and what is kept around it: the sentences that it translated last, names, numbers and context."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from callbus.consumer import Model
from consumers.translation.context import Sentence, last_of
from consumers.translation.engines import Translate
from consumers.translation.particulars import HiddenNames, hide_names, put_back_lost, put_back_names


@dataclass
class Pair:
    """A source language and the target."""

    model: Model
    translate: Translate
    capacity: int
    names: frozenset[str] = frozenset()  # of the gazetteer
    remembered: OrderedDict[str, str] = field(default_factory=OrderedDict)

    @property
    def languages(self) -> tuple[str, ...]:
        """Source and target."""
        return self.model.languages

    def __call__(self, sentences: Sequence[str]) -> dict[str, str]:
        """Each sentence with its translation; a repeated one costs nothing."""
        found = {sentence: self.remembered[sentence] for sentence in sentences if sentence in self.remembered}
        missing = [sentence for sentence in dict.fromkeys(sentences) if sentence not in found]
        if missing:
            found.update(zip(missing, self.translate(missing), strict=True))
        for sentence in dict.fromkeys(sentences):
            self.remembered[sentence] = found[sentence]
            self.remembered.move_to_end(sentence)
        while len(self.remembered) > self.capacity:
            self.remembered.popitem(last=False)
        return found

    def translated(self, sentences: Sequence[Sentence]) -> dict[Sentence, str]:
        """Each sentence in the target language, names and numbers kept.

        The sentence before one must be among `sentences` too.
        """
        texts = [text for each in sentences for text in ((each.text, each.together) if each.before else (each.text,))]
        hidden = {text: hide_names(text, self.languages[0], self.names) for text in texts}
        drafts = self([names.text for names in hidden.values()])
        done = {text: put_back_names(drafts[names.text], names) for text, names in hidden.items()}
        # Where a stand-in did not come through, the model gets the sentence as it was said.
        plain = self(list({each.text: None for each in sentences if done[each.text] is None}))
        alone = {each.text: plain[each.text] if (text := done[each.text]) is None else text for each in sentences}
        return {each: self._kept(each, hidden[each.text], _best(each, alone, done)) for each in sentences}

    def _kept(self, sentence: Sentence, hidden: HiddenNames, text: str) -> str:
        names = [name for _, name in hidden.names]
        return put_back_lost(sentence.text, text, self.languages[1], names).strip()


def _best(sentence: Sentence, alone: dict[str, str], done: dict[str, str | None]) -> str:
    """The sentence's translation in its context, if it can be cut out of that; else what it is alone."""
    own = alone[sentence.text]
    together = done[sentence.together] if sentence.before else None
    return (last_of(together, alone[sentence.before], own) if together else None) or own
