"""Texts through a checkpoint: tokens, windows, batches of like length that fit the device, and back to the texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.fitting import fitting
from callbus.worker.halving import Room
from consumers.checkpoints.windows import Table, Window, cut

BATCH = 32

Forward = Callable[[Any, Any], Any]
"""Token ids and attention mask, shape (windows, tokens), to torch's float tensor with a row per window."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as its tokenizer has it, without the model's marks."""

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]  # (start, end) of each token in the text
    words: tuple[int | None, ...]  # which word of the text each token is of


@dataclass(frozen=True, slots=True)
class Read:
    """A text with what the checkpoint says of each of its windows; a text without a token has no window."""

    tokens: Tokens
    windows: Sequence[Window]
    values: Sequence[Table]


class Cutter:
    """Cuts texts into windows of a checkpoint's tokens."""

    def __init__(self, model: Model, tokenizer: Any, window: int, overlap: float) -> None:
        """`window` counts the model's marks too, `overlap` is a share of it. `ModelError` if that leaves no room."""
        self.tokenizer = tokenizer
        self.before, self.after = marks(tokenizer)
        self.most = window - len(self.before) - len(self.after)  # tokens of a text in one window
        if self.most < 2:
            raise ModelError(f"model {model.name}: a window of {window} tokens leaves no room for text; mend its card")
        self._overlap = min(self.most - 1, round(window * overlap))

    def tokens(self, text: str) -> Tokens:
        """The text's tokens."""
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return Tokens(tuple(found["input_ids"]), tuple(map(tuple, found["offset_mapping"])), tuple(found.word_ids()))

    def spans(self, tokens: Tokens) -> list[tuple[int, int]]:
        """(start, end) of the windows over a text's tokens; none over a text without any."""
        return cut(len(tokens.ids), self.most, self._overlap) if tokens.ids else []

    def parts(self, text: str) -> list[str]:
        """The text in overlapping parts that each fit one window."""
        tokens = self.tokens(text)
        return [
            text[tokens.offsets[start][0] : tokens.offsets[end - 1][1]].strip() for start, end in self.spans(tokens)
        ]


class Reader:
    """Runs `forward` over texts of any length."""

    def __init__(self, cutter: Cutter, device: str, forward: Forward) -> None:
        import torch

        self.cutter = cutter
        self._torch = torch
        self._device = device
        self._forward = forward
        self._room = Room()

    def read(self, texts: Sequence[str]) -> list[Read]:
        """Each text with its windows' values, in order; windows of all texts share batches, the longest first."""
        tokens = [self.cutter.tokens(text) for text in texts]
        windows = [
            Window(index, start, each.ids[start:end])
            for index, each in enumerate(tokens)
            for start, end in self.cutter.spans(each)
        ]
        order = sorted(range(len(windows)), key=lambda at: -len(windows[at].ids))
        found = fitting(self._run, [windows[at] for at in order], BATCH, self._room)
        values = dict(zip(order, found, strict=True))
        of_text: dict[int, list[int]] = {}
        for at, window in enumerate(windows):
            of_text.setdefault(window.text, []).append(at)
        return [
            Read(each, [windows[at] for at in of_text.get(index, ())], [values[at] for at in of_text.get(index, ())])
            for index, each in enumerate(tokens)
        ]

    def _run(self, batch: Sequence[Window]) -> list[Table]:
        torch = self._torch
        rows = [(*self.cutter.before, *window.ids, *self.cutter.after) for window in batch]
        width = max(map(len, rows))
        pad = self.cutter.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self._device)
        with torch.inference_mode():
            return list(self._forward(ids, mask).float().cpu().numpy())


def marks(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that a model of this tokenizer finds before and after every text."""
    found = tokenizer("a", return_special_tokens_mask=True)
    special = found["special_tokens_mask"]
    first, last = special.index(0), len(special) - special[::-1].index(0)
    return tuple(found["input_ids"][:first]), tuple(found["input_ids"][last:])
