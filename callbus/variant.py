"""The graph with one group changed as an operator would try it: another model, other options. Nothing is written."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import InputError, ModelError
from callbus.models import Engine, ModelSpec
from callbus.topology import Topology, module_of
from callbus.topology.source import nearest


def with_model(topology: Topology, group_name: str, model: str, card: Path | None = None) -> Topology:
    """The group with this model: an entry of `models:`, or a directory. `card`: what its labels mean, if it has a card.

    A checkpoint, which is a model with a card, takes the place of the group's checkpoint, or stands beside its other
    model if it has none; a model without takes the place of that other one, whose engine runs it if it is a directory.
    Raises `ModelError` if it is neither entry nor directory, or the group has no other model to stand beside.
    """
    group = topology.group(group_name)
    plain = [name for name in group.models if topology.models[name].card is None]
    judging = [name for name in group.models if topology.models[name].card is not None]
    if not plain:
        raise ModelError(f"group {group_name} runs no model, so none can be tried in its place")
    if model in topology.models:
        spec = topology.models[model]
        spec = spec if card is None else replace(spec, card=str(card.resolve()))
    else:
        spec = _folder(topology, model, card, topology.models[plain[0]].engine)
    models = (spec.name, *judging) if spec.card is None else (*plain, spec.name)
    return _with(replace(topology, models={**topology.models, spec.name: spec}), group_name, models=models)


def _folder(topology: Topology, folder: str, card: Path | None, engine: Engine) -> ModelSpec:
    path = Path(folder)
    if not path.is_dir():
        raise ModelError(
            f"no model {folder} in `models:` of {topology.path.name}, and no such directory; "
            f"{nearest(folder, topology.models)}"
        )
    known = ModelSpec(name=path.resolve().name, engine=engine, directory=str(path.resolve()))
    return known if card is None else replace(known, engine="transformers", card=str(card.resolve()))


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
