"""What a fine-tuned token classification finds: a checkpoint of transformers with one label for each token.

A word that the tokenizer cuts is one word again, and has the label of that of its tokens which is surest to be no
ordinary word. Whatever it says only adds to what the rules find (`caution.py`).
"""

from collections.abc import Collection, Sequence

import numpy as np

from callbus.consumer import Model
from callbus.errors import ModelError
from consumers.checkpoints.card import TokensCard, mapped, read_card
from consumers.checkpoints.loading import device_of, tokenizer_of, whole
from consumers.checkpoints.reader import Cutter, Read, Reader
from consumers.checkpoints.windows import Table, merged
from consumers.heads import softmax
from consumers.ner.words import Span

_OUTSIDE = "O"
_BEGINS = "B-"
_INSIDE = ("I-", "E-", "L-", "S-", "U-")  # BIOES and BILOU
_BETWEEN = " \t\n-'\u2019"  # of the words of one name; a comma parts two


class TokenFinder:
    """A loaded checkpoint."""

    def __init__(self, model: Model, device: str, known: Collection[str]) -> None:
        """`known` are our labels. Raises `ModelError` if it can't be loaded, or its labels and the card's don't fit."""
        from transformers import AutoModelForTokenClassification

        if model.card is None:
            raise ModelError(
                f"model {model.name}: a token classification needs a `card:` that says what its labels mean"
            )
        card = read_card(model.card, TokensCard)
        self.device = device_of(device)
        network = whole(model, self.device, AutoModelForTokenClassification, "token classification")
        said = [str(network.config.id2label[index]) for index in range(network.config.num_labels)]
        bare = [_bare(label) for label in said]
        ours = mapped([label for label in bare if label != _OUTSIDE], card.ours, known, str(model.card))
        self._least = card.least
        self._labels: tuple[str, ...] = tuple(dict.fromkeys(label for label in ours if label is not None))
        wanted = iter(ours)
        self._of = [None if label == _OUTSIDE else next(wanted) for label in bare]  # ours, by the model's number
        self._begins = np.array([label.startswith(_BEGINS) for label in said])
        window = min(card.window, int(getattr(network.config, "max_position_embeddings", 0) or card.window))
        cutter = Cutter(model, tokenizer_of(model), window, card.overlap)
        self._reader = Reader(cutter, self.device, lambda ids, mask: network(input_ids=ids, attention_mask=mask).logits)

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """The finds in each text in order, none overlapping another; `score` is the model's probability."""
        return [self._spans(text, read) for text, read in zip(texts, self._reader.read(texts), strict=True)]

    def _spans(self, text: str, read: Read) -> list[Span]:
        if not read.windows:
            return []
        first = len(self._reader.cutter.before)
        rows = [row[first : first + len(window.ids)] for window, row in zip(read.windows, read.values, strict=True)]
        sure = softmax(merged(len(read.tokens.ids), read.windows, rows))
        ours = np.stack([sure[:, [of == label for of in self._of]].sum(axis=1) for label in self._labels], axis=1)
        begins = sure[:, self._begins].sum(axis=1) if self._begins.any() else np.zeros(len(sure), dtype=np.float32)
        found: list[Span] = []
        for tokens in _by_word(read.tokens.words, read.tokens.offsets, text):
            found = self._with(found, text, read.tokens.offsets, tokens, ours, begins)
        return found

    def _with(
        self,
        found: list[Span],
        text: str,
        offsets: Sequence[tuple[int, int]],
        tokens: Sequence[int],
        ours: Table,
        begins: Table,
    ) -> list[Span]:
        """`found` with one more word, if it has a label."""
        best = max(tokens, key=lambda token: float(ours[token].max()))
        label, sure = self._labels[int(ours[best].argmax())], float(ours[best].max())
        if sure < self._least:
            return found
        start, end = _stripped(text, offsets[tokens[0]][0], offsets[tokens[-1]][1])
        last = found[-1] if found else None
        if last and last.label == label and not text[last.end : start].strip(_BETWEEN) and begins[tokens[0]] < 0.5:
            return [*found[:-1], Span(last.start, end, label, max(last.score, sure))]
        return [*found, Span(start, end, label, sure)]


def _bare(label: str) -> str:
    return label[2:] if label.startswith((_BEGINS, *_INSIDE)) else label


def _by_word(words: Sequence[int | None], offsets: Sequence[tuple[int, int]], text: str) -> list[list[int]]:
    """The tokens of each word. Tokens that touch are of one word, though a tokenizer takes "0712-345" for three."""
    groups: list[list[int]] = []
    for token, (start, end) in enumerate(offsets):
        if not text[start:end].strip():
            continue
        last = groups[-1][-1] if groups else None
        if last is not None and (
            (words[token] is not None and words[token] == words[last])
            or (offsets[last][1] >= start and text[start].isalnum() and text[offsets[last][1] - 1].isalnum())
        ):
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the space that some tokenizers count to a token."""
    said = text[start:end]
    return start + len(said) - len(said.lstrip()), end - (len(said) - len(said.rstrip()))
