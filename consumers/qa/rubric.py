"""The rubric of domain/qa_rubric.yaml, typed: heads, criteria, how each is judged, bands and grades."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from callbus.errors import ModelError

Where = Literal["anywhere", "opening", "after_opening", "closing"]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(_Form):
    """Some counsellor's sentence fulfils it."""

    how: Literal["shown"] = "shown"
    where: Where = "anywhere"
    echoes: bool = False  # its turn must say again what the caller said
    clean: bool = False  # the sentence must not break it in the same breath
    only_if: Literal["hold", "case"] | None = None
    enough: float = Field(default=0.5, gt=0, lt=1)  # probability of fulfilling it that a sentence must have


class Sound(_Form):
    """No counsellor's sentence breaks it, and one of `needs` is shown (if there are any)."""

    how: Literal["sound"]
    words: tuple[str, ...] = ()  # which break it whatever the sentence means
    tolerated: float = Field(default=0.4, gt=0, lt=1)  # probability of breaking it that a sentence may have
    needs: tuple[str, ...] = ()
    guessing_counts: bool = False  # who sounds unsure and asks nobody is tolerated half as much


class Consults(_Form):
    """Whoever sounds unsure asks somebody who knows; not applicable where nobody was unsure and nobody was asked."""

    how: Literal["consults"]
    enough: float = Field(default=0.5, gt=0, lt=1)  # probability of asking that a sentence must have
    tolerated: float = Field(default=0.6, gt=0, lt=1)  # probability of guessing that a sentence may have


class Words(_Form):
    """One of each list is said."""

    how: Literal["words"]
    all_of: tuple[tuple[str, ...], ...] = Field(min_length=1)


class Overlap(_Form):
    """The counsellor does not cut the caller off."""

    how: Literal["overlap"]
    tolerated_ms: int = Field(ge=0)


class Pauses(_Form):
    """Between which lengths a silence of the counsellor's in mid-sentence is one of hesitation."""

    from_ms: int = Field(gt=0)
    below_ms: int = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.below_ms <= self.from_ms:
            raise ValueError("below_ms must be more than from_ms")
        return self


class Fluency(_Form):
    """Few fillers, hedges and pauses."""

    how: Literal["fluency"]
    fillers: tuple[str, ...]
    hedges: tuple[str, ...]
    pauses: Pauses | None = None  # without it none counts


Judge = Annotated[Shown | Sound | Consults | Words | Overlap | Fluency, Field(discriminator="how")]


class Rubric(_Form):
    """The whole file. A criterion that `judged_by` leaves out is `shown` anywhere."""

    heads: Mapping[str, tuple[str, ...]]
    no_case: str | None = None  # the examples by which a counsellor says that there is no case (`only_if: case`)
    judged_by: Mapping[str, Judge] = {}
    threshold: float = Field(default=0.5, ge=0, le=1)
    bands: Mapping[str, float]
    grades: Mapping[str, float]

    @model_validator(mode="after")
    def _known(self) -> Self:
        criteria = {criterion for criteria in self.heads.values() for criterion in criteria}
        named = set(self.judged_by) | {
            need for judge in self.judged_by.values() if isinstance(judge, Sound) for need in judge.needs
        }
        if unknown := sorted(named - criteria):
            raise ValueError(f"judged_by names {unknown[0]!r}, which no head has")
        return self

    @property
    def judged(self) -> tuple[str, ...]:
        """What there may be heads for: all criteria, and whether there is a case."""
        criteria = tuple(criterion for criteria in self.heads.values() for criterion in criteria)
        return criteria if self.no_case is None else (*criteria, self.no_case)

    def judge(self, criterion: str) -> Judge:
        """How a criterion is judged."""
        return self.judged_by.get(criterion, Shown())

    def band(self, overall: float) -> str:
        """The band of an overall score of 0 to 1."""
        return _named(self.bands, overall)

    def grade(self, overall: float) -> str:
        """The grade of an overall score of 0 to 1."""
        return _named(self.grades, overall)


def _named(scale: Mapping[str, float], score: float) -> str:
    """The name with the highest floor (in percent) that the score reaches, but for a mean's rounding."""
    reached = [name for name, floor in sorted(scale.items(), key=lambda item: -item[1]) if score * 100 >= floor - 5e-7]
    return reached[0] if reached else ""


def read_rubric(path: Path) -> Rubric:
    """The rubric of a file. Raises `ModelError` naming what is wrong in it."""
    try:
        return Rubric.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"the rubric {path} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " / ".join(str(part) for part in first["loc"]) or "the whole file"
        raise ModelError(f"the rubric {path} is wrong at {where}: {first['msg']}") from error
