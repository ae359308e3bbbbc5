"""The card of a checkpoint: a YAML file with what its own files don't say, and with our label for each of its own.

Every label that the checkpoint can give must stand in `ours:`, so that none is lost or misread by oversight; `null`
says that it is left out on purpose. domain/cards has one for each published helpline model.
"""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from callbus.errors import ModelError

Ours = Mapping[str, str | None]


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Windowed(_Form):
    window: int = Field(default=512, ge=8, description="Tokens that it was trained on, its own marks included.")
    overlap: float = Field(
        default=0.25, ge=0, le=0.5, description="The share of a window that the next one reads again."
    )


class TokensCard(_Windowed):
    """Of a token classification."""

    least: float = Field(default=0.5, gt=0, lt=1, description="The probability from which a word counts.")
    ours: Ours = Field(description="Its labels, without B- and I-: ours.")


class Head(_Form):
    """One linear layer over the encoder's first token."""

    weights: Annotated[tuple[str, ...], BeforeValidator(_several)] = Field(
        min_length=1, description="Its name in the weights; of several, the first that is there."
    )
    names: str | tuple[str, ...] = Field(
        description="Its labels in order, or the JSON file beside the weights with them."
    )
    ours: Ours = Field(description="Its labels: ours.")


class HeadsCard(_Windowed):
    """Of several heads over one encoder."""

    hidden: tuple[str, ...] = Field(default=(), description="Linear layers, each with ReLU, between encoder and heads.")
    heads: Mapping[str, Head]


class SummaryCard(_Windowed):
    """Of a sequence-to-sequence model."""

    prompt: str = Field(default="", description="What it was trained to find before the text.")
    most_tokens: int = Field(default=128, ge=8, description="Of one window's summary.")
    beam: int = Field(default=4, ge=1)


CardForm = TypeVar("CardForm", TokensCard, HeadsCard, SummaryCard)


def read_card(path: Path, form: type[CardForm]) -> CardForm:
    """The card in a file. Raises `ModelError` naming what is wrong in it."""
    try:
        return form.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"the card {path} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " / ".join(str(part) for part in first["loc"]) or "the whole file"
        raise ModelError(f"the card {path} is wrong at {where}: {first['msg']}") from error


def mapped(names: Sequence[str], ours: Ours, known: Container[str], where: str) -> tuple[str | None, ...]:
    """Our label for each of the checkpoint's. Raises `ModelError` for one that `ours` lacks, or that we don't know."""
    for name in names:
        if name not in ours:
            raise ModelError(
                f"{where}: the model has the label {name!r}; say under `ours:` which of ours it is, or null"
            )
    for name in names:
        label = ours[name]
        if label is not None and label not in known:
            raise ModelError(f"{where}: {name!r} is mapped to {label!r}, which is no label of ours; mend `ours:`")
    return tuple(ours[name] for name in names)
