"""What a person names on the command line, read into calls: an audio file, a written call (JSON), or a folder of them.

A JSON file beside an audio file of the same name is about it (who speaks on which channel) and is not played itself.
A JSON file on its own is a written call, of this form (anything else in it is left alone):

    {"language": "pt", "medium": "chat",
     "turns": [{"speaker": "caller", "start_ms": 21000, "end_ms": 21000, "text": "Bom dia."}]}
"""

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from callbus.audio import Samples, decode_file
from callbus.errors import InputError
from callbus.modes import Mode, Rule, mode_of
from schemas.records import Medium, Speaker

AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".m4a")
Form = TypeVar("Form", bound=BaseModel)
_FORM = "a written call has `language` and `turns` of `speaker`, `start_ms`, `end_ms` and `text`"
_CHANNELS: dict[int, tuple[Speaker, ...]] = {1: ("unknown",), 2: ("agent", "caller")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One file to be played as one call."""

    path: Path
    call_id: str = ""  # empty: named after the file, with an ending that no other run has
    as_recording: bool = False  # a finished call by reference, at once: nothing of it is live
    mode: Mode | None = None  # how the call is heard; None: as the rules of topology.yaml say
    attributes: Mapping[str, str] = field(default_factory=dict)  # of its `started`

    def named(self) -> "Play":
        """The same with a call_id. Two runs of one file are two calls."""
        stem = re.sub(r"[^\w.-]+", "-", self.path.stem).strip("-") or "call"
        return replace(self, call_id=self.call_id or f"{stem}-{uuid.uuid4().hex[:8]}")

    def chosen(self, rules: Sequence[Rule], call: "AudioCall | WrittenCall", running: int) -> "Play":
        """The same with the mode that the rules choose, unless it has one; what is no live call has none to choose."""
        if self.mode is not None or self.as_recording or isinstance(call, WrittenCall):
            return self
        return replace(self, mode=mode_of(rules, self.attributes, expected_ms=call.duration_ms, running=running))


class WrittenTurn(BaseModel):
    """What one side said, already in writing."""

    speaker: Speaker
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    text: str = Field(min_length=1)
    language: str | None = None  # where it is not the call's

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_ms < self.start_ms:
            raise ValueError(f"end_ms {self.end_ms} is before start_ms {self.start_ms}")
        return self


class WrittenCall(BaseModel):
    """A call that is text: a chat, or a call that somebody wrote down."""

    language: str = Field(min_length=2)
    medium: Literal["phone", "chat"] = "chat"
    turns: tuple[WrittenTurn, ...] = Field(min_length=1)

    @property
    def duration_ms(self) -> int:
        return max(turn.end_ms for turn in self.turns)


class _AboutAudio(BaseModel):
    channels: tuple[Speaker, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioCall:
    """A call as sound."""

    path: Path
    channels: tuple[Speaker, ...]
    samples: Samples  # [channels, samples]
    sample_rate_hz: int
    sha256: str  # of the file

    @property
    def duration_ms(self) -> int:
        return round(int(self.samples.shape[1]) * 1000 / self.sample_rate_hz)

    @property
    def medium(self) -> Medium:
        return "phone"


def find(paths: Sequence[Path]) -> list[Path]:
    """The files to play: each named file, and for a folder what is in it, by name. Raises InputError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += _in_folder(path)
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path}: no such file or folder; name an audio file, a written call (.json) or a folder")
    return found


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    sound = [path for path in files if path.suffix.lower() in AUDIO]
    heard = {path.stem for path in sound}
    written = [path for path in files if path.suffix.lower() == ".json" and path.stem not in heard]
    if not sound and not written:
        raise InputError(f"{folder}: nothing to play in this folder; put {', '.join(AUDIO)} or .json files in it")
    return sorted(sound + written)


def read(path: Path, *, beside: bool = True) -> AudioCall | WrittenCall:
    """A file's call, whole in memory. Raises InputError if it is damaged or not a call.

    `beside`: of audio, whether the JSON beside it is asked who speaks on which channel.
    """
    if path.suffix.lower() == ".json":
        return _parse(WrittenCall, path, _FORM)
    content = _content(path)
    samples, sample_rate_hz = decode_file(content, str(path))
    return AudioCall(
        path=path,
        channels=_channels(path, samples.shape[0], beside=beside),
        samples=samples,
        sample_rate_hz=sample_rate_hz,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _channels(path: Path, count: int, *, beside: bool) -> tuple[Speaker, ...]:
    """Who speaks on which channel: as the JSON beside the file says, else agent and caller, or unknown for one."""
    if count not in _CHANNELS:
        raise InputError(f"{path}: has {count} channels; a call has one (both voices) or two (agent, caller)")
    about = path.with_suffix(".json")
    told = beside and about.is_file()
    named = _parse(_AboutAudio, about, "`channels` names agent, caller").channels if told else None
    if named is None:
        return _CHANNELS[count]
    if len(named) != count or len(set(named)) != count:
        raise InputError(
            f"{about}: channels is {list(named)}, but {path.name} has {count} channel{'s' if count > 1 else ''}; "
            "name each once, or leave it out"
        )
    return named


def _parse(form: type[Form], path: Path, hint: str) -> Form:
    try:
        return form.model_validate_json(_content(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InputError(f"{path}: {f'{where}: ' if where else ''}{first['msg']}; {hint}") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); name a file that you may read") from error
