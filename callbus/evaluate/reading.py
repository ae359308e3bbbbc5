"""Files of truth, read leniently: what is wrong with one field costs that field and no more, and is told.

A call is refused only if nothing of it can be judged: it is no JSON object, or nothing is said in it and no audio lies
beside it.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from callbus.errors import InputError
from callbus.evaluate.truth import TrueEntity, TrueTurn, Truth

_FORM = "a call's truth is an object with an `id`, `turns` of `speaker` and `text`, and what is true of it"
_LISTS = ("entities", "also_acceptable", "also_acceptable_interventions", "alert_matters")
_TABLES = ("qa", "qa_expected")
_GONE = object()


class NoCall(InputError):
    """A file that is no call."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


@dataclass(frozen=True, slots=True)
class TrueCall:
    """A truth with where it stands. `id` is unique among those read together; `left_out` says what of the file could
    not be used."""

    id: str
    path: Path
    audio: Path | None
    truth: Truth
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A field that can't be used, and why. Quotes nothing of it."""

    where: tuple[str | int, ...]
    why: str


def read_folders(
    folders: Sequence[Path], sound: Sequence[str], labels: Collection[str] = ()
) -> tuple[list[TrueCall], list[NoCall]]:
    """The calls of these folders (and of all in them) by path, and an error for each file that is none.

    `sound` are the endings of audio files, `labels` those that a particular can have (none: any). A second call of an
    id takes its file's path for that; a file is read once. InputError for a folder that is not there, or holds no JSON.
    """
    calls: dict[str, TrueCall] = {}
    errors: list[NoCall] = []
    once = {path.resolve(): (folder, path) for folder, path in chain.from_iterable(map(_files, folders))}
    for folder, path in once.values():
        try:
            call = read_call(path, sound, labels)
        except NoCall as error:
            errors.append(error)
            continue
        if call.id in calls:
            call = replace(call, id=f"{folder.name}/{path.relative_to(folder).with_suffix('').as_posix()}")
        if call.id in calls:
            call = replace(call, id=str(path))
        calls[call.id] = call
    return list(calls.values()), errors


def read_call(path: Path, sound: Sequence[str], labels: Collection[str] = ()) -> TrueCall:
    """A file with the audio beside it. NoCall if it is none, or nothing is said in it."""
    truth, wrong = read_truth(path, labels)
    audio = next((found for end in sound for e in (end, end.upper()) if (found := path.with_suffix(e)).is_file()), None)
    if audio is None and not any(turn.spoken_by for turn in truth.turns):
        why = f" ({_place(wrong[0].where)}: {wrong[0].why})" if wrong else ""
        raise NoCall(path, f"turns: nothing is said in it{why} and no audio lies beside it; {_FORM}")
    return TrueCall(truth.id or path.stem, path, audio, truth, tuple(_told(path, wrong)))


def read_truth(path: Path, labels: Collection[str] = ()) -> tuple[Truth, list[_Wrong]]:
    """One file, and what had to be left out. NoCall if it can't be read or is no object."""
    said = _object(path)
    wrong: list[_Wrong] = []
    unsure: set[int] = set()
    while True:
        try:
            truth = Truth.model_validate(said)
            break
        except ValidationError as error:
            found = [_Wrong(each["loc"], each["msg"].removeprefix("Value error, ")) for each in error.errors()]
            for one in found:
                if not one.where:
                    raise NoCall(path, f"{one.why}; {_FORM}") from error
                unsure |= set(_turn_of(said, one.where))
                _leave_out(said, one.where)
            for name in _LISTS:
                if isinstance(its := said.get(name), list):
                    said[name] = [each for each in its if each is not _GONE]
            wrong += found
    return _consistent(truth, wrong, unsure, labels), wrong


def _consistent(truth: Truth, wrong: list[_Wrong], unsure: set[int], labels: Collection[str]) -> Truth:
    """Without what contradicts the rest of the file; adds to `wrong`."""
    turns = [_in_order(number, turn, wrong) for number, turn in enumerate(truth.turns)]
    moments = {(turn.start_ms, turn.end_ms) for turn in turns}
    if len(turns) > 1 and len(moments) == 1 and moments != {(None, None)}:
        wrong.append(_Wrong(("turns",), "all at one moment: their times say nothing"))
        turns = [turn.model_copy(update={"start_ms": None, "end_ms": None}) for turn in turns]
    entities: list[TrueEntity] = []
    for number, entity in enumerate(truth.entities or ()):
        if entity.turn is not None and entity.turn >= len(turns):
            why = f"is {entity.turn}, but the turns are 0 to {len(turns) - 1}"
            wrong.append(_Wrong(("entities", number, "turn"), why))
        elif labels and entity.label not in labels:
            wrong.append(_Wrong(("entities", number, "label"), f"none of {', '.join(sorted(labels))}"))
            unsure |= {entity.turn} if entity.turn is not None else set()
        else:
            entities.append(entity)
    its = {"turns": tuple(turns), "unsure": frozenset(unsure)}
    return truth.model_copy(update=its | ({} if truth.entities is None else {"entities": tuple(entities)}))


def _in_order(number: int, turn: TrueTurn, wrong: list[_Wrong]) -> TrueTurn:
    if turn.start_ms is None or turn.end_ms is None or turn.start_ms <= turn.end_ms:
        return turn
    wrong.append(_Wrong(("turns", number, "end_ms"), f"{turn.end_ms} is before its start_ms {turn.start_ms}"))
    return turn.model_copy(update={"end_ms": None})


def _object(path: Path) -> dict[str, Any]:
    try:
        said = _written_out(json.loads(path.read_bytes()))
    except OSError as error:
        raise NoCall(path, f"can't be read ({error.strerror}); name files that you may read") from error
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise NoCall(path, f"Invalid JSON{where}; {_FORM}") from error
    if not isinstance(said, dict):
        raise NoCall(path, f"Input should be an object; {_FORM}")
    return said


def _written_out(said: Any) -> Any:
    """With U+FFFD for half a character of UTF-16, which JSON can say and nothing else can write."""
    if isinstance(said, str):
        return said if said.isascii() else said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(said, dict):
        return {_written_out(key): _written_out(its) for key, its in said.items()}
    return [_written_out(its) for its in said] if isinstance(said, list) else said


def _leave_out(said: dict[str, Any], where: Sequence[str | int]) -> None:
    """Take away the smallest part that can go. A turn stays with its number: particulars name it."""
    match where:
        case ["turns", int(number)]:
            said["turns"][number] = {}
        case ["turns", int(number), str(field), *_]:
            said["turns"][number].pop(field, None)
        case [str(name), int(number), *_] if name in _LISTS:
            said[name][number] = _GONE
        case [str(name), str(key), *_] if name in _TABLES:
            said[name].pop(key, None)
        case [name, *_]:
            said.pop(str(name), None)


def _turn_of(said: Mapping[str, Any], where: Sequence[str | int]) -> Iterator[int]:
    """The turn of a particular that is to be left out, if it says so."""
    match where:
        case ["entities", int(number), *_]:
            entity = said["entities"][number]
            turn = entity.get("turn") if isinstance(entity, dict) else None
            if isinstance(turn, int):
                yield turn


def _told(path: Path, wrong: Sequence[_Wrong]) -> Iterator[str]:
    """A line per kind of fault: with its first place, and how many more have it."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in wrong:
        kind = ".".join("*" if isinstance(step, int) else step for step in one.where)
        places.setdefault((kind, one.why), []).append(_place(one.where))
    for (_, why), its in places.items():
        more = f" (and {len(its) - 1} more)" if len(its) > 1 else ""
        yield f"{path}: {its[0]}{more}: {why}; left out, the rest of the call is measured"


def _place(where: Sequence[str | int]) -> str:
    return ".".join(map(str, where))


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    if folder.is_file():
        return iter([(folder.parent, folder)])
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one that holds calls with their truth as .json")
    found = sorted(path for path in folder.rglob("*.json") if path.is_file())
    if not found:
        raise InputError(f"{folder}: no .json file in it; put calls there, each with what is true of it")
    return ((folder, path) for path in found)
