"""A call as QA reads it: the counsellor's turns in pieces, and how far each piece fulfils or breaks each criterion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from consumers.encoder import Encoder, clauses, sentences
from consumers.heads import Heads, Table
from consumers.qa.rubric import Rubric, Where
from schemas.records import CallDocument, Turn

_EDGE_TURNS = 2  # counsellor's turns that count as the opening and as the closing
_STORY_WORDS = 180  # of what a caller says first: the matter is in it, and an encoder's window holds it


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence of a counsellor's turn, a clause of it, or two sentences in a row."""

    turn: Turn
    turn_index: int  # among all turns of the call
    agent_index: int  # among the counsellor's turns
    text: str
    whole: bool  # one sentence
    pairs: tuple[int, ...] = ()  # of a sentence: the pieces of the call that pair it with its neighbours


@dataclass(frozen=True)
class Speech:
    """A call's turns, and its counsellor's pieces with their probabilities."""

    document: CallDocument
    agent: tuple[Turn, ...]
    pieces: tuple[Piece, ...]
    echoes: Table  # (pieces,), cosine of the piece's turn with what the caller had said before
    probabilities: dict[str, Table]  # by name of head, each (pieces,)

    def strongest(self, head: str, where: Where = "anywhere") -> tuple[float, Piece | None]:
        """The piece with the highest probability in that part of the call, and that probability."""
        return self._best(self.probabilities[head], where)

    def clearest(self, criterion: str, where: Where) -> tuple[float, Piece | None]:
        """The piece that most likely fulfils a criterion and does not break it in the same breath."""
        shows, lacks = self.probabilities[f"shows:{criterion}"], self.probabilities[f"lacks:{criterion}"]
        return self._best(np.minimum(shows, 1 - lacks), where)

    def strongest_echo(self, head: str, where: Where) -> tuple[float, Piece | None]:
        """Likewise, where half of it is to say again what the caller said: the geometric mean of form and matter."""
        return self._best(np.sqrt(self.probabilities[head] * np.maximum(self.echoes, 0.0)), where)

    def worst(self, criterion: str) -> tuple[float, Piece | None]:
        """The sentence that most likely breaks a criterion; one that fulfils any criterion hardly does.

        Out of its context many a short sentence sounds bad ("Then leave it."), so a sentence counts as the geometric
        mean of itself and of the worse of the two pairs that it forms with its neighbours in the turn.
        """
        good = np.max([each for name, each in self.probabilities.items() if name.startswith("shows:")], axis=0)
        broken = self.probabilities[f"lacks:{criterion}"] * (1 - good)
        in_context = np.zeros_like(broken)
        for index, piece in enumerate(self.pieces):
            if piece.whole:
                pairs = [float(broken[pair]) for pair in piece.pairs]
                in_context[index] = np.sqrt(broken[index] * max(pairs)) if pairs else broken[index]
        return self._best(in_context, "anywhere")

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
    stories = [_stories(document) for document in documents]
    turns = [text for one in stories for pair in one.values() for text in pair]
    encoder.embed([piece.text for pieces in split for piece in pieces] + turns)
    return [
        _speech(document, pieces, story, rubric, heads, encoder)
        for document, pieces, story in zip(documents, split, stories, strict=True)
    ]


def _speech(
    document: CallDocument,
    pieces: tuple[Piece, ...],
    stories: Mapping[int, tuple[str, str]],
    rubric: Rubric,
    heads: Heads,
    encoder: Encoder,
) -> Speech:
    vectors = encoder.embed([piece.text for piece in pieces])
    probabilities = {}
    for criterion in rubric.judged:
        for name in (f"shows:{criterion}", f"lacks:{criterion}"):
            if name in heads.heads:
                head = heads[name]
                probabilities[name] = head.probabilities(vectors)[:, head.labels.index("yes")]
    return Speech(
        document=document,
        agent=tuple(turn for turn in document.turns if turn.speaker == "agent" and turn.text),
        pieces=pieces,
        echoes=_echoes(pieces, stories, encoder),
        probabilities=probabilities,
    )


def _pieces(document: CallDocument) -> tuple[Piece, ...]:
    found: list[Piece] = []
    agent_index = -1
    for turn_index, turn in enumerate(document.turns):
        if turn.speaker != "agent" or not turn.text:
            continue
        agent_index += 1
        whole = sentences(turn.text)
        pairs = [f"{first} {second}" for first, second in pairwise(whole)]
        texts = [*whole, *(part for sentence in whole for part in clauses(sentence)), *pairs]
        at = {text: len(found) + position for position, text in enumerate(dict.fromkeys(texts))}
        near: dict[str, list[int]] = {}
        for (first, second), pair in zip(pairwise(whole), pairs, strict=True):
            near.setdefault(first, []).append(at[pair])
            near.setdefault(second, []).append(at[pair])
        found += [Piece(turn, turn_index, agent_index, text, text in whole, tuple(near.get(text, ()))) for text in at]
    return tuple(found)


def _stories(document: CallDocument) -> dict[int, tuple[str, str]]:
    """By index of the counsellor's turns that come after a caller's: the turn's text, and what the caller had said."""
    found: dict[int, tuple[str, str]] = {}
    story: list[str] = []
    for index, turn in enumerate(document.turns):
        if turn.speaker == "caller":
            story += [word for text in sentences(turn.text) if len(text.split()) > 3 for word in text.split()]
        elif turn.speaker == "agent" and turn.text and story:
            found[index] = turn.text, " ".join(story[:_STORY_WORDS])
    return found


def _echoes(pieces: Sequence[Piece], stories: Mapping[int, tuple[str, str]], encoder: Encoder) -> Table:
    said = encoder.embed([text for text, _ in stories.values()])
    heard = encoder.embed([text for _, text in stories.values()])
    near = dict(zip(stories, (said * heard).sum(axis=1).tolist(), strict=True))
    return np.array([near.get(piece.turn_index, 0.0) for piece in pieces], dtype=np.float32)
