"""Which words of a growing transcript will not change any more: LocalAgreement-2. Pure.

What two hypotheses in a row begin with is stable (Liu et al. 2020, arXiv 2005.11185; for Whisper: Macháček et al. 2023,
arXiv 2307.14743). Later hypotheses only continue it: where they hear it otherwise, it stays as it was shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What is shown of an utterance: its words, of which the first `stable` ones stay."""

    words: tuple[str, ...] = ()
    stable: int = 0

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def stable_text(self) -> str:
        """The beginning of `text` that stays."""
        return " ".join(self.words[: self.stable])

    def revised(self, heard: str) -> "Hypothesis":
        """The next one, after `heard` was understood of more of the same audio. `stable_text` never shrinks."""
        said = heard.split()
        kept = self.words[: self.stable]
        words = (*kept, *said[_length_of(kept, said) :])
        agreed = next(
            (at for at, (old, new) in enumerate(zip(self.words, words, strict=False)) if _key(old) != _key(new)),
            min(len(self.words), len(words)),
        )
        return Hypothesis(words, max(self.stable, agreed))


def _key(word: str) -> str:
    """A word without its case and marks: those depend on where the audio was cut off."""
    return "".join(filter(str.isalnum, word)).casefold() or word


def _length_of(kept: Sequence[str], said: Sequence[str]) -> int:
    """How many of the words in `said` stand for those in `kept`: the beginning that is nearest to it (Levenshtein).

    Of several, the one that is nearest in length.
    """
    wanted = [_key(word) for word in kept]
    costs = list(range(len(wanted) + 1))  # from each beginning of `wanted` to the words of `said` so far
    distances = [costs[-1]]
    for number, word in enumerate(said, start=1):
        key, diagonal, costs[0] = _key(word), costs[0], number
        for at, other in enumerate(wanted, start=1):
            changed = diagonal + (key != other)
            diagonal = costs[at]
            costs[at] = min(changed, costs[at] + 1, costs[at - 1] + 1)
        distances.append(costs[-1])
    return min(range(len(distances)), key=lambda length: (distances[length], abs(length - len(wanted))))
