"""What an utterance says of danger, with what was said before it: windows of the call through linear heads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from consumers.alerts.dangers import CRITICAL, NONE
from consumers.encoder import sentences
from consumers.heads import Heads, LinearHead, Table, Vectors
from schemas.records import AlertTurn

_TINY = 1e-4  # of a probability
_CALLERS_TURNS = (2, 3, 6)  # what the caller said last, how many turns of it
_TURNS = (2, 3)  # what both said last
_CONTEXT_WORDS = 130  # before the utterance; with it, this fits the encoder's 256 tokens


@dataclass(frozen=True, slots=True)
class Judged:
    """All as log odds but `matter`."""

    danger: float = 0.0  # of a caller's utterance, with what was said before it; of a counsellor's alone
    alone: float = 0.0  # the same without
    critical: float = 0.0  # should it be danger
    matter: str = ""
    certain: float = 0.0  # that it is danger, and of this matter
    withdrawn: float = 0.0  # that the caller takes something back, in these words alone
    rescue: float = 0.0  # of a counsellor's: that somebody acts at once, or says the danger back


@dataclass(frozen=True)
class DangerHeads:
    """The heads of alerts, and the thresholds that go with them."""

    heads: Heads

    @property
    def raising(self) -> float:
        """Log odds of danger from which an alert is raised."""
        return float(self.heads.tables["thresholds"][0])

    @property
    def withdrawing(self) -> float:
        """Log odds from which a caller takes an alarm back."""
        return float(self.heads.tables["thresholds"][1])

    def judge(self, turn: AlertTurn, before: Sequence[AlertTurn], vector: Callable[[str], Vectors]) -> Judged:
        """An utterance after the ones `before` it, given the vector of each of its `windows`."""
        if turn.speaker == "agent":
            said = np.stack([vector(text) for text in _pieces(turn.text)])
            dangers = -odds_of(self.heads["matter"], NONE, said)
            return Judged(
                rescue=float(odds_of(self.heads["rescue"], "yes", said).max()),
                danger=float(dangers.max()),
                matter=self._matter(said[dangers.argmax()][None])[0],
            )
        texts = _windows(turn, before)
        wide = np.stack([vector(text) for text in texts[1:]])
        own = np.stack([vector(text) for text in texts[:2]])
        head = self.heads["matter"]
        matter, share = self._matter(wide)
        return Judged(
            danger=float(-odds_of(head, NONE, wide).mean()),
            alone=float(-odds_of(head, NONE, own[:1])[0]),
            critical=float(odds_of(self.heads["level"], CRITICAL, own).mean()),
            matter=matter,
            certain=float(as_odds(np.array([share], dtype=np.float32))[0]),
            withdrawn=float(odds_of(self.heads["withdrawn"], "yes", own[:1])[0]),
        )

    def _matter(self, vectors: Vectors) -> tuple[str, float]:
        """The likeliest matter of what is told, and its probability."""
        head = self.heads["matter"]
        shares = head.probabilities(vectors).mean(axis=0)
        matters = {label: float(share) for label, share in zip(head.labels, shares, strict=True) if label != NONE}
        matter = max(matters, key=lambda label: matters[label])
        return matter, matters[matter]


def windows(turn: AlertTurn, before: Sequence[AlertTurn]) -> Iterator[str]:
    """Every text that judging this utterance looks at."""
    yield from _pieces(turn.text) if turn.speaker == "agent" else _windows(turn, before)


def _windows(turn: AlertTurn, before: Sequence[AlertTurn]) -> list[str]:
    """The utterance alone, then after what both said, then after what the caller said."""
    callers = [each for each in before if each.speaker == turn.speaker]
    last = [before[-(size - 1) :] for size in _TURNS] + [callers[-(size - 1) :] for size in _CALLERS_TURNS]
    return [turn.text, *(_after(turn.text, turns) for turns in last)]


def _after(text: str, turns: Sequence[AlertTurn]) -> str:
    words = " ".join(turn.text for turn in turns).split()
    return " ".join([*words[-_CONTEXT_WORDS:], text])


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((text, *sentences(text))))


def odds_of(head: LinearHead, label: str, vectors: Vectors) -> Table:
    """Log odds of one label, one per vector."""
    return as_odds(head.probabilities(vectors)[:, head.labels.index(label)])


def as_odds(probabilities: Table) -> Table:
    """Log odds, as far as probabilities are told apart."""
    kept = np.clip(probabilities, _TINY, 1 - _TINY)
    return np.asarray(np.log(kept / (1 - kept)), dtype=np.float32)
