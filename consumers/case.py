"""From the vectors of a call to its labels: pure arithmetic on trained heads, the same in training and in a group.

Three views of a call are judged and multiplied: what the caller says, what the counsellor makes of it (who says the
matter again in plain words, where a caller hints), and both together. Small talk and formulas are in none. Each view
is read in pieces of several lengths, and a piece counts by its words and by how clearly it speaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from consumers.corpus import NEUTRAL
from consumers.heads import Heads, Table, Vectors, softmax

_SHARPER = 2.5  # views that say the same in other words are each less sure of a whole call than of an example
_TINY = 1e-6
_FULL = 180.0  # weight of a view that counts in full: 60 words, each in pieces of three lengths
_CLEARNESS = 2  # power of its highest probability by which a piece of a view counts
_SILENCE = 0.3  # how much a counsellor must announce before it outweighs what is usual for such a case


@dataclass(frozen=True, slots=True)
class View:
    """Part of a call in pieces that an encoder can take whole; the same words may be in pieces of several lengths."""

    vectors: Vectors  # (pieces, dimensions)
    weights: Table  # (pieces,), their number of words


@dataclass(frozen=True, slots=True)
class Case:
    """Probabilities over the labels of each head, in the heads' order (`CaseHeads`)."""

    main: Table
    sub: Table
    priority: Table
    intervention: Table


@dataclass(frozen=True)
class CaseHeads:
    """The heads that judge a case, with their labels taken apart."""

    heads: Heads

    @cached_property
    def subs(self) -> tuple[tuple[str, str], ...]:
        """(main, sub) in the order of the head."""
        pairs = (label.split(":", 1) for label in self.heads["sub"].labels)
        return tuple((main, sub) for main, sub in pairs)

    @cached_property
    def mains(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(main for main, _ in self.subs))

    @property
    def priorities(self) -> tuple[str, ...]:
        return self.heads["priority"].labels

    @property
    def interventions(self) -> tuple[str, ...]:
        return self.heads["intervention"].labels

    @cached_property
    def _belongs(self) -> Table:
        return np.array([[main == each for each in self.mains] for main, _ in self.subs], dtype=np.float32)

    def main_of(self, sub: Table) -> Table:
        """Probabilities of main categories: the sums over their sub-categories. Last axis."""
        return np.asarray(sub @ self._belongs, dtype=np.float32)

    def content(self, vectors: Vectors) -> Table:
        """The probability that a sentence says something of the case, rather than small talk."""
        head = self.heads["content"]
        return head.probabilities(vectors)[:, head.labels.index("content")]

    def no_case(self, view: View) -> float:
        """Log odds that who speaks has no case, but plays, tests the line or has dialled wrongly: a view's mean."""
        head = self.heads["case"]
        found = np.log(head.probabilities(view.vectors) + _TINY)
        odds = found[:, head.labels.index("none")] - found[:, head.labels.index("case")]
        return float(view.weights @ odds / view.weights.sum())

    def actions(self, vectors: Vectors) -> tuple[Table, Table]:
        """Of counsellor's sentences: how much each announces anything, and which intervention (in the head's order)."""
        head = self.heads["action"]
        found = head.probabilities(vectors)
        return 1 - found[:, head.labels.index(NEUTRAL)], found[:, [head.labels.index(i) for i in self.interventions]]

    def judge(self, caller: View, both: View, sentences: Vectors, counsellor: View | None = None) -> Case:
        """The case from its views: the caller's, both speakers', the counsellor's if they spoke of the matter.

        `sentences` are all of the counsellor's (maybe none): what they announce tells the intervention, and how they
        hurry tells the priority.
        """
        views = [caller, both] + ([counsellor] if counsellor else [])
        sub = softmax((_SHARPER if counsellor else 1) * self._all("sub", views))
        calibration = self.heads.tables["calibration"]
        usual = np.log(sub @ self.heads.tables["priority_by_sub"] + _TINY)
        priority = softmax((usual + self._all("priority", views) + self._urged(sentences)) / calibration[0])
        usual = np.log(sub @ self.heads.tables["intervention_by_sub"] + _TINY)
        said = np.log(self._announced(sentences)) + 0.5 * self._all("intervention", views)
        intervention = softmax((usual + said) / calibration[1])
        return Case(main=self.main_of(sub), sub=sub, priority=priority, intervention=intervention)

    def _all(self, head: str, views: Sequence[View]) -> Table:
        """The views' mean log probabilities; each counts the same, but one of few words counts less."""
        counts = np.array([min(1.0, float(view.weights.sum()) / _FULL) for view in views], dtype=np.float32)
        return np.asarray(counts @ np.array([self._log(head, view) for view in views]) / counts.sum(), dtype=np.float32)

    def _log(self, head: str, view: View) -> Table:
        return _clearest(self.heads[head].probabilities(view.vectors), view.weights, _CLEARNESS)

    def _urged(self, vectors: Vectors) -> Table:
        """Log probabilities of priorities, from how the counsellor reacts."""
        if not len(vectors):
            return np.zeros(len(self.priorities), dtype=np.float32)
        head = self.heads["urgency"]
        found = head.probabilities(vectors)[:, [head.labels.index(name) for name in self.priorities]]
        return _clearest(found, np.ones(len(found), dtype=np.float32), _CLEARNESS + 1)

    def _announced(self, vectors: Vectors) -> Table:
        total = np.full(len(self.interventions), _SILENCE / len(self.interventions), dtype=np.float32)
        if len(vectors):
            loud, which = self.actions(vectors)
            total = total + loud**2 @ which
        return np.asarray(total / total.sum(), dtype=np.float32)


def _clearest(probabilities: Table, weights: Table, power: int) -> Table:
    """The mean log probabilities of rows, each counting by its weight and by a power of its highest probability."""
    counts = weights * probabilities.max(axis=1) ** power
    return np.asarray(counts @ np.log(probabilities + _TINY) / counts.sum(), dtype=np.float32)
