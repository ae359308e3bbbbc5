"""QA by a checkpoint with several heads over one encoder: one output per criterion, read over the counsellor's turns.

It judges what is about meaning (`shown`, `sound`, `consults` in the rubric). What is about words, time and turns stays
measured, and what does not apply stays so. All that the counsellor says is read, in windows: what must be shown counts
by the window that shows it best, in its part of the call; what must not be broken by the mean of all. The evidence is
the turn that says most when it is read alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from callbus.consumer import Model
from callbus.errors import ModelError
from consumers.checkpoints.card import HeadsCard, read_card
from consumers.checkpoints.multihead import Logits, MultiHead
from consumers.checkpoints.windows import Table
from consumers.qa.judges import Finding
from consumers.qa.rubric import Consults, Judge, Rubric, Shown, Sound
from consumers.qa.speech import Speech

_FEWEST_WORDS = 2  # of a turn that a verdict can rest on

Scores = Mapping[str, float]
"""By criterion, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the counsellor said, as the checkpoint judges it."""

    model: str
    threshold: float
    windows: Sequence[Scores]  # in order of time
    mean: Scores
    turns: Mapping[str, Scores]  # by utterance_id, each read alone

    def revise(self, criterion: str, by: Judge, found: Finding) -> Finding:
        """The checkpoint's finding; `found` itself where it has no head for the criterion, or that is measured."""
        if criterion not in self.mean or not isinstance(by, Shown | Sound | Consults):
            return found
        if isinstance(by, Sound):
            score = self.mean[criterion]
            if score >= self.threshold:
                return Finding(score, (), f"{self.model}: no turn breaks it")
            return Finding(score, self._turn(criterion, lowest=True), f"{self.model}: this turn breaks it most")
        score = max(window[criterion] for window in self._within(by))
        if score >= self.threshold:
            return Finding(score, self._turn(criterion, lowest=False), f"{self.model}: this turn shows it most")
        return Finding(score, (), f"{self.model}: no turn of the counsellor shows it")

    def _within(self, by: Shown | Consults) -> Sequence[Scores]:
        where = by.where if isinstance(by, Shown) else "anywhere"
        return {"opening": self.windows[:1], "closing": self.windows[-1:]}.get(where, self.windows)

    def _turn(self, criterion: str, *, lowest: bool) -> tuple[str, ...]:
        if not self.turns:
            return ()
        choose = min if lowest else max
        return (choose(self.turns, key=lambda turn: self.turns[turn][criterion]),)


class QaCheckpoint:
    """A loaded checkpoint."""

    def __init__(self, model: Model, device: str, rubric: Rubric) -> None:
        """Raises `ModelError` if card, weights and rubric don't fit each other."""
        if model.card is None:
            raise ModelError(f"model {model.name} has no `card:` that says what its labels mean")
        card = read_card(model.card, HeadsCard)
        criteria = [name for names in rubric.heads.values() for name in names]
        self._network = MultiHead(model, device, card, dict.fromkeys(card.heads, criteria))
        self._model = model.name
        self._threshold = rubric.threshold

    def read(self, speeches: Sequence[Speech]) -> dict[str, Heard]:
        """By the document's event_id, each call in which the counsellor said anything; all texts share batches."""
        whole = [" ".join(turn.text for turn in speech.agent) for speech in speeches]
        alone = [[turn for turn in speech.agent if len(turn.text.split()) >= _FEWEST_WORDS] for speech in speeches]
        read = iter(self._network.read([*whole, *(turn.text for turns in alone for turn in turns)]))
        calls = [next(read) for _ in whole]
        heard: dict[str, Heard] = {}
        for speech, call, turns in zip(speeches, calls, alone, strict=True):
            by_turn = {
                turn.utterance_id: self._scores(logits.mean) for turn in turns if (logits := next(read)) is not None
            }
            if call is not None:
                heard[speech.document.event_id] = self._heard(call, by_turn)
        return heard

    def _heard(self, call: Logits, turns: Mapping[str, Scores]) -> Heard:
        windows = [self._scores(window) for window in call.windows]
        return Heard(self._model, self._threshold, windows, self._scores(call.mean), turns)

    def _scores(self, logits: Mapping[str, Table]) -> dict[str, float]:
        return {
            criterion: float(1 / (1 + np.exp(-logits[head][at])))
            for head, labels in self._network.labels.items()
            for at, criterion in enumerate(labels)
            if criterion is not None
        }
