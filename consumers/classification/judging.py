"""What a call says of its case, and how four heads judge it: sentences, windows of them, the turns that decide."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consumers.case import CaseHeads, View
from consumers.encoder import Encoder, sentences
from consumers.heads import Table, Vectors
from schemas.records import Alternative, CallDocument, Judgement, Turn

UNDETERMINED = "undetermined"

_WINDOWS_WORDS = (150, 60, 0)  # the longest fits the encoder's 256 tokens, the shortest is a sentence
_ALTERNATIVES = 3
_EVIDENCE = 3  # turns at most
_MATTER = 0.5  # probability of saying something of the case, from which a sentence counts
_NO_CASE = 1.95  # log odds; a case that is taken for none goes unheard, which is the worse mistake
_MATTERS_SHARE = 0.25  # what could be the case speaks twice: among all that the caller says, and alone
_CLEAR_CASE = -1.0  # log odds; what is so clearly a case alone is one, however much is chatted around it
_REACHES = ("PHONE_NUMBER", "EMAIL", "ID_NUMBER")
_REACHES_WORDS = 14  # a longer sentence with a number in it may well say more
_EVIDENCE_SHARE = 0.5  # of the strongest turn's support
_SOUND = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")  # "(rain on a roof)", "[music]": heard, not said


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence of a turn."""

    utterance_id: str
    by_agent: bool
    text: str
    vector: Vectors
    content: float  # probability that it says something of the case

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True)
class Judge:
    """Reads documents into sentences, and judges the case that a call's sentences tell of."""

    encoder: Encoder
    heads: CaseHeads
    fewest_words: int

    def read(self, documents: Sequence[CallDocument]) -> dict[str, list[Said]]:
        """The sentences of every document, embedded all at once."""
        found = [
            (document.event_id, turn, text)
            for document in documents
            for turn in document.turns
            for text in sentences(_SOUND.sub("\n", turn.text))
        ]
        vectors = self.encoder.embed([text for _, _, text in found])
        content = self.heads.content(vectors)
        said: dict[str, list[Said]] = {document.event_id: [] for document in documents}
        for (document_id, turn, text), vector, share in zip(found, vectors, content, strict=True):
            matter = 0.0 if _gives_a_number(turn, text) else float(share)
            said[document_id].append(Said(turn.utterance_id, turn.speaker == "agent", text, vector, matter))
        return said

    def judge(self, said: Sequence[Said]) -> tuple[Judgement, Judgement, Judgement, Judgement]:
        """Main, sub, priority and intervention."""
        matter = [one for one in said if one.content >= _MATTER]
        caller = [one for one in matter if not one.by_agent]
        if sum(one.words for one in caller) < self.fewest_words:
            return (unclear(),) * 4
        callers = self._view(caller)
        if self._has_no_case(callers, said):
            return (unclear(),) * 4
        counsellor = [one for one in said if one.by_agent]
        told = [one for one in matter if one.by_agent]
        case = self.heads.judge(
            callers, self._view(matter), self._stack(counsellor), self._view(told) if told else None
        )
        heads, support = self.heads, self._support(caller)
        main = int(case.main.argmax())
        within = [index for index, (name, _) in enumerate(heads.subs) if name == heads.mains[main]]
        sub = max(within, key=lambda index: float(case.sub[index]))
        priority, intervention = int(case.priority.argmax()), int(case.intervention.argmax())
        announced = self._announced(counsellor, intervention)
        return (
            judgement(heads.mains, case.main, main, _strongest(caller, heads.main_of(support.sub)[:, main])),
            judgement([name for _, name in heads.subs], case.sub, sub, _strongest(caller, support.sub[:, sub])),
            judgement(heads.priorities, case.priority, priority, _strongest(caller, support.priority[:, priority])),
            judgement(
                heads.interventions,
                case.intervention,
                intervention,
                _strongest(
                    [*counsellor, *caller], np.concatenate([announced, support.intervention[:, intervention] / 2])
                ),
            ),
        )

    def _has_no_case(self, matter: View, said: Sequence[Said]) -> bool:
        """Whether the caller only plays, tests the line or has dialled wrongly. What else they say is read only where
        the matter does not tell."""
        alone = self.heads.no_case(matter)
        if alone <= _CLEAR_CASE:
            return False
        everything = self._view([one for one in said if not one.by_agent])
        return self.heads.no_case(everything) + _MATTERS_SHARE * alone > _NO_CASE

    def _view(self, said: Sequence[Said]) -> View:
        windows = [window for most in _WINDOWS_WORDS for window in _windows(said, most)]
        vectors = self.encoder.embed([" ".join(one.text for one in window) for window in windows])
        return View(vectors, np.array([sum(one.words for one in window) for window in windows], dtype=np.float32))

    def _stack(self, said: Sequence[Said]) -> Vectors:
        return np.array([one.vector for one in said], dtype=np.float32).reshape(len(said), self.encoder.dimensions)

    def _support(self, said: Sequence[Said]) -> "Support":
        vectors, share = self._stack(said), np.array([[one.content] for one in said], dtype=np.float32)
        sub, priority, intervention = (
            share * self.heads.heads[head].probabilities(vectors) for head in ("sub", "priority", "intervention")
        )
        return Support(sub, priority, intervention)

    def _announced(self, counsellor: Sequence[Said], intervention: int) -> Table:
        if not counsellor:
            return np.zeros(0, dtype=np.float32)
        loud, which = self.heads.actions(self._stack(counsellor))
        return np.asarray(loud * which[:, intervention], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Support:
    """How much each of the caller's sentences speaks for each label, alone: shape (sentences, labels)."""

    sub: Table
    priority: Table
    intervention: Table


def _windows(said: Sequence[Said], most_words: int) -> list[list[Said]]:
    windows: list[list[Said]] = [[]]
    for one in said:
        if windows[-1] and sum(each.words for each in windows[-1]) + one.words > most_words:
            windows.append([])
        windows[-1].append(one)
    return windows


def unclear(label: str = UNDETERMINED) -> Judgement:
    """No judgement, or the label that a call without a case has."""
    return Judgement(label=label, score=0.0, evidence=(), alternatives=())


def _gives_a_number(turn: Turn, text: str) -> bool:
    """Whether a sentence says how somebody is reached, and so nothing of the case, however near to it that sounds."""
    short = len(text.split()) <= _REACHES_WORDS
    return short and any(entity.label in _REACHES and entity.text in text for entity in turn.entities)


def judgement(labels: Sequence[str], scores: Table, chosen: int, evidence: tuple[str, ...]) -> Judgement:
    """The label that was chosen, with the likeliest others."""
    others = [index for index in np.argsort(-scores, kind="stable") if index != chosen][:_ALTERNATIVES]
    return Judgement(
        label=labels[chosen],
        score=_score(scores[chosen]),
        evidence=evidence,
        alternatives=tuple(Alternative(label=labels[index], score=_score(scores[index])) for index in others),
    )


def _score(probability: float) -> float:
    return round(min(1.0, max(0.0, float(probability))), 3)  # the same on any machine and in any batch


def _strongest(said: Sequence[Said], support: Table) -> tuple[str, ...]:
    """The turns with the most support, strongest first."""
    by_turn: dict[str, float] = {}
    for one, value in zip(said, support, strict=True):
        by_turn[one.utterance_id] = max(by_turn.get(one.utterance_id, 0.0), float(value))
    ranked = sorted(by_turn, key=lambda turn: -by_turn[turn])[:_EVIDENCE]
    return tuple(turn for turn in ranked if by_turn[turn] >= _EVIDENCE_SHARE * by_turn[ranked[0]])
