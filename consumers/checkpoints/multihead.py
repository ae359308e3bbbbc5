"""Linear heads over one encoder's first token (DistilBERT, BERT), as helplines train them.

No library has a class for such a checkpoint, so its weights are put together here by their names. What is missing or of
another shape is an error: an encoder that was left at random would judge children's calls without a word.
"""

import json
from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callbus.consumer import Model
from callbus.errors import ModelError
from consumers.checkpoints.card import Head, HeadsCard, mapped
from consumers.checkpoints.loading import device_of, directory_of, placed, tokenizer_of, weights_in
from consumers.checkpoints.reader import Cutter, Read, Reader
from consumers.checkpoints.windows import Table, averaged

_REMEMBERED = 4096  # texts: a growing call only pays for its new turns
_NOT_NEEDED = "pooler."  # of a BERT; the heads stand on the first token itself


@dataclass(frozen=True, slots=True)
class Logits:
    """What the heads say of a text: by head, one number per label, for each of its windows and in the mean of them."""

    windows: Sequence[Mapping[str, Table]]
    mean: Mapping[str, Table]


class MultiHead:
    """A loaded checkpoint."""

    def __init__(self, model: Model, device: str, card: HeadsCard, known: Mapping[str, Container[str]]) -> None:
        """`known` are our labels by head. Raises `ModelError` if card, weights and labels don't fit each other."""
        import torch

        for head in card.heads:
            if head not in known:
                raise ModelError(f"{model.card}: no head {head!r} is judged here; known: {', '.join(known)}")
        directory = directory_of(model)
        self.device = device_of(device)
        self.labels: dict[str, tuple[str | None, ...]] = {}  # ours, by head, in the order of its outputs
        weights = weights_in(model, directory)
        layers = [_linear(model, weights, (name,)) for name in card.hidden]
        heads = {}
        for head, entry in card.heads.items():
            names = _names(model, directory, entry)
            heads[head] = _linear(model, weights, entry.weights)
            if heads[head].out_features != len(names):
                raise ModelError(
                    f"model {model.name}: head {head} has {heads[head].out_features} outputs but {len(names)} labels; "
                    f"mend `names:` in {model.card}"
                )
            self.labels[head] = mapped(names, entry.ours, known[head], f"{model.card}, head {head}")
        self._sizes = {head: layer.out_features for head, layer in heads.items()}
        encoder = _encoder(model, directory, weights)
        between = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.ReLU())))
        last = torch.nn.ModuleList(heads.values())
        try:
            network = placed(torch.nn.ModuleList([encoder, between, last]), self.device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(
                f"model {model.name} can't run on {device} ({error}); name a device that exists"
            ) from error

        def forward(ids: Any, mask: Any) -> Any:
            first = network[0](input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
            hidden = network[1](first)
            return torch.cat([head(hidden) for head in network[2]], dim=1)

        window = min(card.window, int(getattr(encoder.config, "max_position_embeddings", 0) or card.window))
        cutter = Cutter(model, tokenizer_of(model, directory), window, card.overlap)
        self._reader = Reader(cutter, self.device, forward)
        self._known: OrderedDict[str, Logits | None] = OrderedDict()

    def read(self, texts: Sequence[str]) -> list[Logits | None]:
        """Each text's logits; None for one without a token. A repeated text costs nothing."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        fresh = dict(zip(new, map(self._logits, self._reader.read(new)), strict=True))
        found = [fresh[text] if text in fresh else self._known[text] for text in texts]
        for text, logits in zip(texts, found, strict=True):
            self._known[text] = logits
            self._known.move_to_end(text)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _logits(self, read: Read) -> Logits | None:
        if not read.windows:
            return None
        mean = averaged(read.windows, read.values)
        return Logits([self._by_head(row) for row in read.values], self._by_head(mean))

    def _by_head(self, row: Table) -> dict[str, Table]:
        parts: dict[str, Table] = {}
        start = 0
        for head, size in self._sizes.items():
            parts[head] = row[start : start + size]
            start += size
        return parts


def _names(model: Model, directory: Path, head: Head) -> tuple[str, ...]:
    if not isinstance(head.names, str):
        return head.names
    file = directory / head.names
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"model {model.name}: no labels in {file} ({error}); copy it beside the weights") from error
    if not isinstance(names, list):
        raise ModelError(f"model {model.name}: {file} is no list of labels; write them in order under `names:`")
    return tuple(map(str, names))


def _linear(model: Model, weights: Mapping[str, Any], names: Sequence[str]) -> Any:
    import torch

    name = next((name for name in names if f"{name}.weight" in weights), None)
    if name is None:
        raise ModelError(
            f"model {model.name}: its weights have no {' or '.join(names)}; mend `weights:` in {model.card}"
        )
    weight = weights[f"{name}.weight"]
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    bias = weights.get(f"{name}.bias", torch.zeros(weight.shape[0]))
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _encoder(model: Model, directory: Path, weights: Mapping[str, Any]) -> Any:
    """The encoder that config.json describes, with its weights, whatever prefix they were saved under."""
    from transformers import AutoConfig, AutoModel

    try:
        encoder: Any = AutoModel.from_config(AutoConfig.from_pretrained(directory, local_files_only=True))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"model {model.name}: {directory} has no config.json of an encoder ({error}); copy it beside the weights"
        ) from error
    wanted = [name for name in encoder.state_dict() if not name.startswith(_NOT_NEEDED)]
    ends = wanted[0]
    prefixes = [name.removesuffix(ends) for name in weights if name == ends or name.endswith(f".{ends}")]
    for prefix in prefixes:
        if all(f"{prefix}{name}" in weights for name in wanted):
            try:
                encoder.load_state_dict({name: weights[f"{prefix}{name}"] for name in wanted}, strict=False)
            except RuntimeError as error:
                raise ModelError(f"model {model.name}: config.json and weights don't fit ({error})") from error
            return encoder
    raise ModelError(
        f"model {model.name}: the weights in {directory} lack some of its encoder (like {ends}); copy all of it"
    )
