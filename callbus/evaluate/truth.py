"""What is true of a call: one JSON file per call, and beside it, under the same name, its audio if it has any.

Every part may be missing: a measure for which a call has no truth leaves that call out. What a file says beyond these
fields is left alone. A `main_category` and a `sub_category` that are there and both null say that no label fits: the
call should be left `undetermined`. A key that is missing says nothing.

    {"id": "…", "language": "en", "medium": "phone" | "chat", "channels": ["agent", "caller"],
     "turns": [{"speaker": "agent" | "caller" | "hold", "start_ms": 0, "end_ms": 900, "text": "…",
                "reference_en": "…"}],
     "entities": [{"turn": 0, "text": "…", "label": "NAME"}],
     "main_category": "…", "sub_category": "…", "also_acceptable": [["main", "sub"]], "priority": "…",
     "intervention": "…", "also_acceptable_interventions": ["…"],
     "qa": {"criterion": true | false | null} or "qa_expected": {"head": 1.0 | 0.0 | null},
     "expect_alert": true | false, "alert_matters": ["…"]}

Without times the turns are laid one after the other, and nothing is measured that needs times.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.records import Speaker

UNDETERMINED = "undetermined"
"""What is said of a call of which too little is known."""

_WORD_MS, _BETWEEN_MS = 400, 450  # 2.5 words a second

_ROLES = {
    "agent": ("counsellor", "counselor", "operator", "helpline", "responder", "call_taker"),
    "caller": ("child", "client", "user"),
    "hold": ("silence",),
}
_SPEAKERS = {name: role for role, names in _ROLES.items() for name in (role, *names)}
_LANGUAGES = {"english": "en", "eng": "en", "portuguese": "pt", "por": "pt"}
_LABELS = {
    **dict.fromkeys(("PERSON", "PER"), "NAME"),
    **dict.fromkeys(("GPE", "LOC", "PLACE"), "LOCATION"),
    **{"FAC": "LANDMARK", "ORG": "ORGANIZATION", "PHONE": "PHONE_NUMBER", "ID": "ID_NUMBER"},
}


def _speaker(said: object) -> object:
    return _SPEAKERS.get(said.strip().lower(), said) if isinstance(said, str) else said


def _language(said: object) -> object:
    plain = said.strip().lower() if isinstance(said, str) else said
    return _LANGUAGES.get(plain, plain) if isinstance(plain, str) else plain


def _label(said: object) -> object:
    plain = said.strip().upper().replace(" ", "_") if isinstance(said, str) else said
    return _LABELS.get(plain, plain) if isinstance(plain, str) else plain


def _whole(said: object) -> object:
    return round(said) if isinstance(said, float) and math.isfinite(said) else said


def _name(said: object) -> object:
    return str(said) if isinstance(said, int) and not isinstance(said, bool) else said


Language = Annotated[str, BeforeValidator(_language), Field(pattern=r"^[a-z]{2,3}([-_][a-z0-9]+)*$")]
Milliseconds = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Channel = Annotated[Speaker, BeforeValidator(_speaker)]


class _Said(BaseModel):
    """What is null is as if it were not there, but for what the file may well say is nothing."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, said: object) -> object:
        if not isinstance(said, dict):
            return said
        return {key: its for key, its in said.items() if its is not None or key in ("main_category", "sub_category")}


class TrueTurn(_Said):
    """What one side said; of `hold`, that nobody spoke."""

    speaker: Annotated[Literal["agent", "caller", "unknown", "hold"], BeforeValidator(_speaker)] = "unknown"
    text: str = ""
    start_ms: Milliseconds | None = None
    end_ms: Milliseconds | None = None
    language: Language | None = None  # where it is not the call's
    reference_en: str | None = None

    @property
    def spoken_by(self) -> Speaker | None:
        """Who spoke, if anybody did."""
        return None if self.speaker == "hold" or not self.text.strip() else self.speaker


class TrueEntity(_Said):
    """A particular: `text` as it stands in the turn of that number, or anywhere in the call where it has none."""

    text: str = Field(min_length=1)
    label: Annotated[str, BeforeValidator(_label), Field(min_length=1)]
    turn: int | None = Field(default=None, ge=0)


class Truth(_Said):
    """One file. `unsure`: turns of which a particular had to be left out, so that their list is not complete."""

    id: Annotated[str, BeforeValidator(_name)] = ""
    language: Language | None = None
    medium: Literal["phone", "chat", "recording"] | None = None
    channels: tuple[Channel, ...] = ()
    turns: tuple[TrueTurn, ...] = ()
    entities: tuple[TrueEntity, ...] | None = None
    unsure: frozenset[int] = Field(default=frozenset(), validation_alias="(no key of a file)")
    main_category: str | None = None
    sub_category: str | None = None
    also_acceptable: tuple[tuple[str | None, str | None], ...] = ()
    priority: str | None = None
    intervention: str | None = None
    also_acceptable_interventions: tuple[str, ...] = ()
    qa: Mapping[str, bool | None] | None = None
    qa_expected: Mapping[str, float | None] | None = None
    expect_alert: bool | None = None
    alert_matters: tuple[str, ...] = ()

    @property
    def main(self) -> str | None:
        """The main category; `undetermined` where the file says that none fits, None where it says nothing."""
        return UNDETERMINED if self._is_unclear else self.main_category

    @property
    def sub(self) -> str | None:
        """Likewise."""
        return UNDETERMINED if self._is_unclear else self.sub_category

    @property
    def _is_unclear(self) -> bool:
        said = {"main_category", "sub_category"} <= self.model_fields_set
        return said and self.main_category is None and self.sub_category is None

    @property
    def by_turn(self) -> bool:
        """Whether every particular names its turn. Such a list is complete; another one names each particular of the
        call once, and not necessarily all."""
        return self.entities is not None and all(entity.turn is not None for entity in self.entities)

    @property
    def timed(self) -> bool:
        """Whether every turn says when it was."""
        return all(turn.start_ms is not None and turn.end_ms is not None for turn in self.turns)

    def times(self) -> list[tuple[int, int]]:
        """Start and end of each turn, in ms; where a file gives none, at the pace of a calm talk."""
        times: list[tuple[int, int]] = []
        for turn in self.turns:
            after = times[-1][1] + _BETWEEN_MS if times else 0
            start_ms = after if turn.start_ms is None else turn.start_ms
            length_ms = _WORD_MS * len(turn.text.split())
            times.append((start_ms, max(start_ms, start_ms + length_ms if turn.end_ms is None else turn.end_ms)))
        return times
