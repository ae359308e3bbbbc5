"""The graph with one group changed as an operator would try it: another model, other options. Nothing is written."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import InputError, ModelError
from callbus.models import ModelSpec
from callbus.topology import Topology, module_of
from callbus.topology.source import nearest


def with_model(topology: Topology, group_name: str, model: str) -> Topology:
    """The group with this one model: an entry of `models:`, or a directory, run by the engine of the group's first.

    Raises `ModelError` if it is neither.
    """
    group = topology.group(group_name)
    if model in topology.models:
        return _with(topology, group_name, models=(model,))
    path = Path(model)
    if not path.is_dir():
        raise ModelError(
            f"no model {model} in `models:` of {topology.path.name}, and no such directory; "
            f"{nearest(model, topology.models)}"
        )
    if not group.models:
        raise ModelError(f"group {group_name} runs no model, so none can be tried in its place")
    engine = topology.models[group.models[0]].engine
    spec = ModelSpec(name=path.resolve().name, engine=engine, directory=str(path.resolve()))
    return _with(replace(topology, models={**topology.models, spec.name: spec}), group_name, models=(spec.name,))


def with_heads(topology: Topology, folder: Path) -> tuple[Topology, tuple[str, ...]]:
    """Every group whose trained heads have names that those of `folder` have too, with these; and which groups.

    Raises `ModelError` for a folder without heads, or if no group has such heads.
    """
    new = _names(folder)
    groups = tuple(
        name
        for name, group in topology.groups.items()
        if "heads" in group.options and new & _names(topology.root / str(group.options["heads"]))
    )
    if not groups:
        raise ModelError(f"{folder}: no group of {topology.path.name} has heads like these")
    for name in groups:
        topology = with_options(topology, name, [f"heads={folder}"])
    return topology, groups


def _names(folder: Path) -> set[str]:
    try:
        heads = json.loads((folder / "heads.json").read_text(encoding="utf-8"))["heads"]
        return {head["name"] for head in heads}
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ModelError(
            f"no trained heads in {folder}; make some with `python -m consumers.heads train --heads {folder}`"
        ) from problem


def with_options(topology: Topology, group_name: str, given: Sequence[str]) -> Topology:
    """The group with these of its `options:`, each `NAME=VALUE` in YAML. A path is one from where we are.

    Raises `InputError` for an option that the group does not have.
    """
    group = topology.group(group_name)
    known = getattr(getattr(module_of(topology, group_name), "Options", None), "model_fields", {})
    options = dict(group.options)
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{text!r}: write it like heads=FOLDER")
        if name not in known:
            raise InputError(f"group {group_name} has no option {name}; {nearest(name, known)}")
        options[name] = _value(known[name].annotation, value)
    return _with(topology, group_name, options=options)


def _value(kind: Any, text: str) -> Any:
    if kind is Path:
        path = Path(text).resolve()
        if not path.exists():
            raise InputError(f"{text}: there is no such file or folder")
        return str(path)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise InputError(f"{text!r} is no value of YAML; put it in quotes") from problem


def _with(topology: Topology, name: str, **changed: Any) -> Topology:
    return replace(topology, groups={**topology.groups, name: replace(topology.groups[name], **changed)})
