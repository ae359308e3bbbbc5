"""Writes entries as a folder that is trained on beside domain/corpus. The same entries give the same bytes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import InputError
from callbus.feedback.examples import Case, Passage, Provenance, Sentence
from callbus.feedback.labels import NO_DANGER

PROVENANCE = "provenance.yaml"
_CALM = "false alarms"
_HEAD = "# Made by `callbus feedback export` from what counsellors and supervisors have corrected; don't edit.\n"

Entry = Case | Sentence | Passage


def write(folder: Path, entries: Sequence[Entry]) -> None:
    """The folder as these entries make it: what an earlier export left there and has no correction any more is gone.

    Raises InputError for a folder that holds anything else, or can't be written.
    """
    try:
        own = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        if own and PROVENANCE not in own:
            raise InputError(f"{folder} is no folder of an export; name a new one")
        files = dict(_files(entries))
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_HEAD + _text(content), encoding="utf-8")
        for name in own - files.keys():
            (folder / name).unlink()
    except OSError as problem:
        raise InputError(f"{folder}: can't be written ({problem.strerror}); name another folder") from problem


def _files(entries: Iterable[Entry]) -> Iterable[tuple[str, Any]]:
    known = list(entries)
    cases = [one for one in known if isinstance(one, Case)]
    for main in sorted({one.labels["main"] for one in cases}):
        its = [one for one in cases if one.labels["main"] == main]
        yield f"callers/{main}.yaml", {"main": main, "calls": [_call(one) for one in its]}
    sentences = [one for one in known if isinstance(one, Sentence)]
    if sentences:
        yield "counsellors.yaml", {"criteria": _criteria(sentences)}
    passages = [one for one in known if isinstance(one, Passage)]
    for matter in sorted({one.matter for one in passages if one.matter != NO_DANGER}):
        yield f"dangers/{matter}.yaml", _levels([one for one in passages if one.matter == matter])
    if calm := [one.text for one in passages if one.matter == NO_DANGER]:
        yield "dangers/calm.yaml", {"passages": {_CALM: calm}}
    yield PROVENANCE, {"entries": [_provenance(one.provenance) for one in known]}


def _call(one: Case) -> dict[str, Any]:
    labels = {name: one.labels[name] for name in ("sub", "priority", "intervention")}
    return {"call": one.entry, **labels, "says": list(one.says)}


def _criteria(sentences: Sequence[Sentence]) -> Mapping[str, Mapping[str, list[str]]]:
    names = sorted({one.criterion for one in sentences})
    return {
        name: {
            kind: list(dict.fromkeys(one.text for one in sentences if (one.criterion, one.kind) == (name, kind)))
            for kind in ("shows", "lacks")
        }
        for name in names
    }


def _levels(passages: Sequence[Passage]) -> Mapping[str, list[str]]:
    levels: dict[str, list[str]] = {}
    for one in passages:
        levels.setdefault(one.level, []).append(one.text)
    return levels


def _provenance(one: Provenance) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(one).items() if value}


def _text(content: Any) -> str:
    text: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)
    return text
