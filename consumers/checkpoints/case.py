"""What kind of case a call is, by a checkpoint with heads for main, sub, priority and intervention over one encoder.

The whole call is read, in windows; a label counts by the mean of their logits. A head that the card leaves out is none
of the checkpoint's: it stays with the heads of domain/heads. What a label rests on are the turns that speak most for it
when they are read alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from callbus.consumer import Model
from callbus.errors import ModelError
from consumers.case import CaseHeads
from consumers.checkpoints.card import HeadsCard, read_card
from consumers.checkpoints.multihead import Logits, MultiHead
from consumers.checkpoints.windows import Table
from consumers.heads import softmax
from schemas.records import CallDocument

_EVIDENCE = 3  # turns at most
_SHARE = 0.5  # of the strongest turn's probability
_FEWEST_WORDS = 4  # of a turn that a label can rest on

Judged = tuple[Sequence[str], Table, int, tuple[str, ...]]
"""Labels, their probabilities, which is chosen, and the turns it rests on, strongest first."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A call as the checkpoint sees it: by head, probabilities over our labels; and the same of single turns."""

    labels: Mapping[str, Sequence[str]]
    call: Mapping[str, Table]
    turns: Mapping[str, Mapping[str, Table]]  # by utterance_id, in order of time
    callers: frozenset[str]  # which of them are not the counsellor's

    def judged(self, head: str) -> Judged | None:
        """One head's judgement; None for a head that is none of the checkpoint's.

        The sub-category is one of the chosen main category.
        """
        if head not in self.labels:
            return None
        labels, scores = self.labels[head], self.call[head]
        allowed = list(range(len(labels)))
        if head == "sub":
            main = self.labels["main"][int(self.call["main"].argmax())]
            allowed = [index for index in allowed if labels[index].split(":", 1)[0] == main]
            labels = [label.split(":", 1)[1] for label in labels]
        chosen = max(allowed, key=lambda index: float(scores[index]))
        return labels, scores, chosen, self._evidence(head, chosen)

    def _evidence(self, head: str, chosen: int) -> tuple[str, ...]:
        told = (
            self.turns
            if head == "intervention"
            else {turn: self.turns[turn] for turn in self.turns if turn in self.callers}
        )
        ranked = sorted(told, key=lambda turn: -float(told[turn][head][chosen]))[:_EVIDENCE]
        return tuple(turn for turn in ranked if told[turn][head][chosen] >= _SHARE * told[ranked[0]][head][chosen])


class CaseCheckpoint:
    """A loaded checkpoint."""

    def __init__(self, model: Model, device: str, ours: CaseHeads) -> None:
        """`ours` are the heads whose labels it must speak in. `ModelError` if card, weights and labels don't fit."""
        if model.card is None:
            raise ModelError(f"model {model.name} has no `card:` that says what its labels mean")
        card = read_card(model.card, HeadsCard)
        known = {
            "main": ours.mains,
            "sub": tuple(f"{main}:{sub}" for main, sub in ours.subs),
            "priority": ours.priorities,
            "intervention": ours.interventions,
        }
        self._network = MultiHead(model, device, card, known)
        if ("main" in card.heads) != ("sub" in card.heads):
            raise ModelError(f"{model.card}: main and sub belong together; give it both heads or neither")
        self._labels = {head: tuple(dict.fromkeys(filter(None, self._network.labels[head]))) for head in card.heads}
        mains = {label.split(":", 1)[0] for label in self._labels.get("sub", ())}
        if lacking := [main for main in self._labels.get("main", ()) if main not in mains]:
            raise ModelError(f"{model.card}: no label of the head sub is mapped into {lacking[0]}; mend `ours:`")

    def read(self, documents: Sequence[CallDocument]) -> dict[str, Seen]:
        """By event_id, each call in which anything was said; all windows and turns share batches."""
        spoken = [[turn for turn in document.turns if turn.text.strip()] for document in documents]
        whole = [" ".join(turn.text for turn in turns) for turns in spoken]
        alone = [[turn for turn in turns if len(turn.text.split()) >= _FEWEST_WORDS] for turns in spoken]
        read = iter(self._network.read([*whole, *(turn.text for turns in alone for turn in turns)]))
        calls = [next(read) for _ in whole]
        seen: dict[str, Seen] = {}
        for document, call, turns in zip(documents, calls, alone, strict=True):
            by_turn = {turn.utterance_id: self._ours(logits) for turn in turns if (logits := next(read)) is not None}
            if call is not None:
                callers = frozenset(turn.utterance_id for turn in turns if turn.speaker != "agent")
                seen[document.event_id] = Seen(self._labels, self._ours(call), by_turn, callers)
        return seen

    def _ours(self, logits: Logits) -> dict[str, Table]:
        """Probabilities over our labels: of the checkpoint's that are one of ours the sum, without those left out."""
        found: dict[str, Table] = {}
        for head, labels in self._labels.items():
            theirs = softmax(logits.mean[head])
            of = self._network.labels[head]
            sums = np.array([sum(theirs[at] for at in range(len(of)) if of[at] == label) for label in labels])
            found[head] = np.asarray(sums / max(float(sums.sum()), 1e-9), dtype=np.float32)
        return found
