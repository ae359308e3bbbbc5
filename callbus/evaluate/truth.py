"""What is true of a call: one JSON file per call, and beside it, under the same name, its audio if it has any.

Every part may be missing: a measure for which a call has no truth leaves that call out. What a file says beyond these
fields is left alone. Times that are missing are those of a calm talk. A `main_category` that is there and null says
that the call is unclear: it should be left `undetermined`.

    {"id": "…", "language": "en", "medium": "phone" | "chat",
     "turns": [{"speaker": "agent" | "caller" | "hold", "start_ms": 0, "end_ms": 900, "text": "…",
                "reference_en": "…"}],
     "entities": [{"turn": 0, "text": "…", "label": "NAME"}],
     "main_category": "…", "sub_category": "…", "also_acceptable": [["main", "sub"]], "priority": "…",
     "intervention": "…", "also_acceptable_interventions": ["…"],
     "qa": {"criterion": true | false | null} or "qa_expected": {"head": 1.0 | 0.0 | null},
     "expect_alert": true | false}
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from callbus.errors import InputError
from schemas.records import Speaker

UNDETERMINED = "undetermined"
"""What is said of a call of which too little is known."""

_NEVER_NULL = ("id", "turns", "also_acceptable", "also_acceptable_interventions")
_WORD_MS, _BETWEEN_MS = 350, 450
_FORM = "a call's truth is an object with an `id`, `turns` of `speaker` and `text`, and what is true of it"


class TrueTurn(BaseModel):
    """What one side said; of `hold`, that nobody spoke."""

    model_config = ConfigDict(frozen=True)

    speaker: Literal["agent", "caller", "unknown", "hold"]
    text: str = ""
    start_ms: int | None = Field(default=None, ge=0)
    end_ms: int | None = Field(default=None, ge=0)
    language: str | None = None  # where it is not the call's
    reference_en: str | None = None

    @property
    def spoken_by(self) -> Speaker | None:
        """Who spoke, if anybody did."""
        return None if self.speaker == "hold" or not self.text.strip() else self.speaker


class TrueEntity(BaseModel):
    """A particular: `text` as it stands in the turn of that number, or anywhere in the call where it has none."""

    model_config = ConfigDict(frozen=True)

    text: str = Field(min_length=1)
    label: str = Field(min_length=1)
    turn: int | None = Field(default=None, ge=0)


class Truth(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True)

    id: str = ""
    language: str | None = None
    medium: Literal["phone", "chat", "recording"] | None = None
    turns: tuple[TrueTurn, ...] = ()
    entities: tuple[TrueEntity, ...] | None = None
    main_category: str | None = None
    sub_category: str | None = None
    also_acceptable: tuple[tuple[str, str], ...] = ()
    priority: str | None = None
    intervention: str | None = None
    also_acceptable_interventions: tuple[str, ...] = ()
    qa: Mapping[str, bool | None] | None = None
    qa_expected: Mapping[str, float | None] | None = None
    expect_alert: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_null(cls, said: object) -> object:
        """A list that is null is empty."""
        if isinstance(said, dict):
            return {key: value for key, value in said.items() if value is not None or key not in _NEVER_NULL}
        return said

    @model_validator(mode="after")
    def _turns_are_there(self) -> Self:
        for number, entity in enumerate(self.entities or ()):
            if entity.turn is not None and entity.turn >= len(self.turns):
                raise ValueError(
                    f"entities.{number}.turn is {entity.turn}, but the turns are 0 to {len(self.turns) - 1}"
                )
        for number, turn in enumerate(self.turns):
            if turn.start_ms is not None and turn.end_ms is not None and turn.end_ms < turn.start_ms:
                raise ValueError(f"turns.{number}.end_ms {turn.end_ms} is before its start_ms {turn.start_ms}")
        return self

    @property
    def main(self) -> str | None:
        """The main category; `undetermined` where the file says that there is none, None where it says nothing."""
        return UNDETERMINED if self._is_unclear else self.main_category

    @property
    def sub(self) -> str | None:
        """Likewise."""
        return UNDETERMINED if self._is_unclear and self.sub_category is None else self.sub_category

    @property
    def _is_unclear(self) -> bool:
        return self.main_category is None and "main_category" in self.model_fields_set

    @property
    def by_turn(self) -> bool:
        """Whether every particular names its turn. Such a list is complete; another one names each particular of the
        call once, and not necessarily all."""
        return self.entities is not None and all(entity.turn is not None for entity in self.entities)

    def times(self) -> list[tuple[int, int]]:
        """Start and end of each turn, in ms; where a file gives none, at the pace of a calm talk."""
        times: list[tuple[int, int]] = []
        for turn in self.turns:
            after = times[-1][1] + _BETWEEN_MS if times else 0
            start_ms = after if turn.start_ms is None else turn.start_ms
            length_ms = _WORD_MS * len(turn.text.split())
            times.append((start_ms, max(start_ms, start_ms + length_ms if turn.end_ms is None else turn.end_ms)))
        return times


@dataclass(frozen=True, slots=True)
class TrueCall:
    """A truth with where it stands. `id` is unique among those read together."""

    id: str
    path: Path
    audio: Path | None
    truth: Truth


def read_folders(folders: Sequence[Path], sound: Sequence[str]) -> tuple[list[TrueCall], list[InputError]]:
    """The calls of these folders (and of all in them) by path, and an error for each file that is none.

    `sound` are the endings of audio files. A second call of an id takes its file's path for that. InputError for a
    folder that is not there, or holds no JSON file.
    """
    calls: dict[str, TrueCall] = {}
    errors: list[InputError] = []
    for folder, path in chain.from_iterable(map(_files, folders)):
        try:
            call = read_call(path, sound)
        except InputError as error:
            errors.append(error)
            continue
        if call.id in calls:
            call = replace(call, id=f"{folder.name}/{path.relative_to(folder).with_suffix('').as_posix()}")
        calls[call.id] = call
    return list(calls.values()), errors


def read_call(path: Path, sound: Sequence[str]) -> TrueCall:
    """A file with the audio beside it. InputError if it is no call, or nothing is said in it."""
    truth = read_truth(path)
    audio = next((found for end in sound if (found := path.with_suffix(end)).is_file()), None)
    if audio is None and not any(turn.spoken_by for turn in truth.turns):
        raise InputError(f"{path}: turns: nothing is said in it and no audio lies beside it; {_FORM}")
    return TrueCall(truth.id or path.stem, path, audio, truth)


def read_truth(path: Path) -> Truth:
    """One file. InputError names it and the field that is wrong."""
    try:
        return Truth.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); name files that you may read") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {f'{where}: ' if where else ''}{said}; {_FORM}") from error


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    if folder.is_file():
        return iter([(folder.parent, folder)])
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one that holds calls with their truth as .json")
    found = sorted(path for path in folder.rglob("*.json") if path.is_file())
    if not found:
        raise InputError(f"{folder}: no .json file in it; put calls there, each with what is true of it")
    return ((folder, path) for path in found)
