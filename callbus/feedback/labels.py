"""The labels that a correction may name: those of the helpline's own files, as the graph's groups name them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from callbus.errors import InputError
from callbus.topology import Topology
from callbus.topology.source import nearest

LEVELS = ("high", "critical")
NO_DANGER = "none"


@dataclass(frozen=True, slots=True)
class Labels:
    """Everything that can be right."""

    subs: Mapping[str, Sequence[str]]  # by main category
    priorities: Sequence[str]
    interventions: Sequence[str]
    criteria: Sequence[str]
    entities: Mapping[str, bool]  # whether it is personal, by label
    matters: Sequence[str]

    @classmethod
    def of(cls, topology: Topology) -> "Labels":
        """From taxonomy, rubric, entity labels and heads of danger. InputError for a file that is not in its form."""
        taxonomy = _yaml(topology, "taxonomy", "domain/taxonomy.yaml")
        rubric = _yaml(topology, "rubric", "domain/qa_rubric.yaml")
        entities = _yaml(topology, "entities", "domain/entities.yaml")
        try:
            return cls(
                subs={main: tuple(one["sub_categories"]) for main, one in taxonomy["main_categories"].items()},
                priorities=tuple(taxonomy["priorities"]),
                interventions=tuple(taxonomy["interventions"]),
                criteria=tuple(criterion for criteria in rubric["heads"].values() for criterion in criteria),
                entities={label: bool(facts["pii"]) for label, facts in entities["labels"].items()},
                matters=_matters(topology),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"taxonomy, rubric or entity labels are not in their form ({error!r}); compare their keys with domain/"
            ) from error

    def case(self, main: str | None, sub: str | None) -> tuple[str | None, str | None]:
        """Main and sub category that go together; the main of a sub that only one has need not be said.

        Raises InputError for a label that is not known, and for one that needs the other.
        """
        if main is not None:
            known("main category", main, self.subs)
        if sub is None:
            if main is not None:
                raise InputError(f"main category {main} has sub-categories; say which with --sub")
            return None, None
        if main is not None:
            known(f"sub-category of {main}", sub, self.subs[main])
            return main, sub
        mains = [each for each, subs in self.subs.items() if sub in subs]
        if len(mains) > 1:
            raise InputError(f"{sub} is a sub-category of {' and of '.join(mains)}; say which with --main")
        known("sub-category", sub, [each for subs in self.subs.values() for each in subs])
        return mains[0], sub


def known(what: str, name: str, names: "Sequence[str] | Mapping[str, Any]") -> str:
    """The name, if it is one of those. InputError otherwise."""
    if name not in names:
        raise InputError(f"no {what} {name}; {nearest(name, list(names))}")
    return name


def _matters(topology: Topology) -> tuple[str, ...]:
    path = _path(topology, "heads", "domain/alerts", schema="Alert") / "heads.json"
    try:
        heads = json.loads(path.read_text(encoding="utf-8"))["heads"]
        return tuple(label for head in heads if head["name"] == "matter" for label in head["labels"] if label != "none")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no heads of danger can be read ({error!r})") from error


def _yaml(topology: Topology, option: str, usual: str) -> Any:
    path = _path(topology, option, usual)
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path} can't be read ({error})") from error


def _path(topology: Topology, option: str, usual: str, schema: str = "") -> Path:
    """What the first group names that has this option; with `schema`, one that writes it."""
    named = (
        group.options[option]
        for group in topology.groups.values()
        if option in group.options and (not schema or any(topology.topic(o).schema == schema for o in group.outputs))
    )
    return topology.root / str(next(named, usual))
