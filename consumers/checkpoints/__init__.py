"""Checkpoints of transformers that judge by themselves: a helpline's own fine-tuned models.

In topology.yaml such a model has a `card:` (`card.py`), a file that says what its own files don't: its window, its
heads, and which of our labels each of its labels is. It stands in its group beside the model that is always there
(spaCy, or the sentence encoder) and takes over what it was trained for:

* `ner`: a token classification adds spans to those of the rules (`consumers/ner/tokens.py`);
* `classification`: heads over one encoder give main, sub, priority, intervention (`case.py`);
* `qa`: heads over one encoder judge criteria (`consumers/qa/checkpoint.py`);
* `summary`: a sequence-to-sequence model writes sentences (`abstracts.py`), which are checked (`support.py`).

A text of any length is read whole, in windows that overlap (`windows.py`).
"""

import hashlib
from dataclasses import replace

from callbus.consumer import Model, Settings
from callbus.errors import ModelError

HEADS = ("main", "sub", "priority", "intervention")
"""What a case is judged by."""


def apart(settings: Settings) -> tuple[Settings, Model | None]:
    """The group's settings without its checkpoint that has a card, and that checkpoint. `ModelError` if it has two."""
    judging = [model for model in settings.models if model.card is not None]
    if len(judging) > 1:
        raise ModelError(
            f"group {settings.group}: {judging[0].name} and {judging[1].name} both have a card; name one of them"
        )
    plain = replace(settings, models=tuple(model for model in settings.models if model.card is None))
    return plain, judging[0] if judging else None


def signed(model: Model, judging: Model | None) -> Model:
    """What provenance names: the model, and before it the checkpoint with a digest of its card."""
    if judging is None or judging.card is None:
        return model
    digest = hashlib.sha256(judging.card.read_bytes()).hexdigest()[:8]
    return replace(
        model,
        name=f"{judging.name}+{model.name}",
        version=f"{judging.version}+card.{digest}+{model.version}",
    )
