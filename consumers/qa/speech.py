"""A call as QA reads it: the counsellor's turns in pieces, and how far each piece fulfils or breaks each criterion."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from consumers.encoder import Encoder, clauses, sentences
from consumers.heads import Heads, Table, Vectors
from consumers.qa.rubric import Rubric, Where
from schemas.records import CallDocument, Turn

_EDGE_TURNS = 2  # counsellor's turns that count as the opening and as the closing
_ECHO = 0.45  # cosine from which a sentence is about the same matter as another


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence of a counsellor's turn, a clause of it, or two sentences in a row."""

    turn: Turn
    turn_index: int  # among all turns of the call
    agent_index: int  # among the counsellor's turns
    text: str
    whole: bool  # one sentence


@dataclass(frozen=True)
class Speech:
    """A call's turns, and its counsellor's pieces with their probabilities."""

    document: CallDocument
    agent: tuple[Turn, ...]
    pieces: tuple[Piece, ...]
    echoes: Table  # (pieces,), cosine with what the caller had said before that comes closest
    probabilities: dict[str, Table]  # by name of head, each (pieces,)

    def strongest(self, head: str, where: Where = "anywhere") -> tuple[float, Piece | None]:
        """The piece with the highest probability in that part of the call, and that probability."""
        return self._best(self.probabilities[head], where)

    def clearest(self, criterion: str, where: Where) -> tuple[float, Piece | None]:
        """The piece that most likely fulfils a criterion and does not break it in the same breath."""
        shows, lacks = self.probabilities[f"shows:{criterion}"], self.probabilities[f"lacks:{criterion}"]
        return self._best(np.minimum(shows, 1 - lacks), where)

    def strongest_echo(self, head: str, where: Where) -> tuple[float, Piece | None]:
        """Likewise, where half of it is to say again what the caller said."""
        near = 1 / (1 + np.exp(-12 * (self.echoes - _ECHO)))
        # A question asks for something new, however near it comes.
        asks = np.array([piece.text.endswith("?") for piece in self.pieces], dtype=np.float32)
        return self._best(np.sqrt(self.probabilities[head] * near) * (1 - 0.3 * asks), where)

    def worst(self, criterion: str) -> tuple[float, Piece | None]:
        """The whole sentence that most likely breaks a criterion; one that fulfils any criterion hardly does."""
        good = np.max([each for name, each in self.probabilities.items() if name.startswith("shows:")], axis=0)
        whole = np.array([piece.whole for piece in self.pieces], dtype=np.float32)
        return self._best(self.probabilities[f"lacks:{criterion}"] * (1 - good) * whole, "anywhere")

    def _best(self, values: Table, where: Where) -> tuple[float, Piece | None]:
        allowed = [index for index, piece in enumerate(self.pieces) if self._within(piece, where)]
        if not allowed:
            return 0.0, None
        best = max(allowed, key=lambda index: float(values[index]))
        return float(values[best]), self.pieces[best]

    def _within(self, piece: Piece, where: Where) -> bool:
        if where == "opening":
            return piece.agent_index < _EDGE_TURNS
        if where == "after_opening":
            return piece.agent_index > 0
        if where == "closing":
            return piece.agent_index >= len(self.agent) - _EDGE_TURNS
        return True


def read(documents: Sequence[CallDocument], rubric: Rubric, heads: Heads, encoder: Encoder) -> list[Speech]:
    """Every document's speech; all texts of the batch are embedded together."""
    split = [_pieces(document) for document in documents]
    heard = [_heard(document) for document in documents]
    encoder.embed([piece.text for pieces in split for piece in pieces] + [text for one in heard for _, text in one])
    return [
        _speech(document, pieces, texts, rubric, heads, encoder)
        for document, pieces, texts in zip(documents, split, heard, strict=True)
    ]


def _speech(
    document: CallDocument,
    pieces: tuple[Piece, ...],
    heard: Sequence[tuple[int, str]],
    rubric: Rubric,
    heads: Heads,
    encoder: Encoder,
) -> Speech:
    vectors = encoder.embed([piece.text for piece in pieces])
    probabilities = {}
    for criterion in (criterion for criteria in rubric.heads.values() for criterion in criteria):
        for name in (f"shows:{criterion}", f"lacks:{criterion}"):
            if name in heads.heads:
                head = heads[name]
                probabilities[name] = head.probabilities(vectors)[:, head.labels.index("yes")]
    return Speech(
        document=document,
        agent=tuple(turn for turn in document.turns if turn.speaker == "agent" and turn.text),
        pieces=pieces,
        echoes=_echoes(pieces, vectors, heard, encoder.embed([text for _, text in heard])),
        probabilities=probabilities,
    )


def _pieces(document: CallDocument) -> tuple[Piece, ...]:
    found = []
    agent_index = -1
    for turn_index, turn in enumerate(document.turns):
        if turn.speaker != "agent" or not turn.text:
            continue
        agent_index += 1
        whole = sentences(turn.text)
        texts = [*whole, *(part for sentence in whole for part in clauses(sentence))]
        texts += [f"{first} {second}" for first, second in pairwise(whole)]
        found += [Piece(turn, turn_index, agent_index, text, text in whole) for text in dict.fromkeys(texts)]
    return tuple(found)


def _heard(document: CallDocument) -> list[tuple[int, str]]:
    """The caller's sentences that are long enough to be said again, each with the index of its turn."""
    return [
        (index, text)
        for index, turn in enumerate(document.turns)
        if turn.speaker == "caller"
        for text in (*sentences(turn.text), turn.text)
        if len(text.split()) > 3
    ]


def _echoes(pieces: Sequence[Piece], vectors: Vectors, heard: Sequence[tuple[int, str]], said: Vectors) -> Table:
    if not pieces or not heard:
        return np.zeros(len(pieces), dtype=np.float32)
    before = np.array([[index < piece.turn_index for index, _ in heard] for piece in pieces])
    return np.asarray(np.where(before, vectors @ said.T, 0.0).max(axis=1, initial=0.0), dtype=np.float32)
