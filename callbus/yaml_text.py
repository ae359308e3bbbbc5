"""YAML of some size, read by libyaml where PyYAML has it: ten times as fast, to the same values."""

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str | bytes) -> Any:
    """The one document in `text`, of plain values only. Raises `yaml.YAMLError` if it is not YAML."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - either loader is a safe one
