"""The helpline's own list of labels (domain/entities.yaml), and which of them are personal data."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from callbus.errors import TopologyError

# VICTIM and PERPETRATOR are not among them: a part needs the evidence of the whole call, and stands in its summary.
_FOUND = (
    *("NAME", "LOCATION", "LANDMARK", "ORGANIZATION", "AGE", "DATE", "PHONE_NUMBER", "ID_NUMBER", "EMAIL"),
    *("GENDER", "INCIDENT_TYPE"),
)


class _Label(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pii: bool


class _Labels(BaseModel):
    model_config = ConfigDict(extra="forbid")

    labels: dict[str, _Label]


def read_labels(path: Path) -> dict[str, bool]:
    """The labels of domain/entities.yaml, and whether each is personal data.

    TopologyError if it can't be read, or lacks a label that is found here.
    """
    try:
        labels = _Labels.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).labels
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise TopologyError(
            f"{path}:1: no list of entity labels; it needs `labels: {{NAME: {{pii: true}}, …}}`"
        ) from error
    if missing := [label for label in _FOUND if label not in labels]:
        raise TopologyError(f"{path}:1: label {missing[0]} is missing; say under `labels:` whether it is personal data")
    return {label: entry.pii for label, entry in labels.items()}
