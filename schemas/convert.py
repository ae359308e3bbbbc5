"""Between the typed records and plain dictionaries: what fastavro makes of an older release's events, and JSON.

What this release wrote does not pass here (`schemas/wire.py`).
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from schemas import records

Plain = dict[str, Any]


@cache
def record_types() -> dict[str, Any]:
    """Every typed record by its name, which is its schema's name."""
    return {name: value for name, value in vars(records).items() if is_dataclass(value) and isinstance(value, type)}


def to_plain(record: Any) -> Plain:
    """A dictionary of a record: tuples are lists in it, records within it dictionaries."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def from_plain(kind: Any, plain: Mapping[str, Any]) -> Any:
    """A record of type `kind` of a dictionary. TypeError where a field without default lacks."""
    hints = _hints(kind)
    return kind(**{name: _typed(hints[name], value) for name, value in plain.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_plain(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _typed(hint: Any, value: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _typed(inner, value)
    if origin is tuple:
        return tuple(_typed(arguments[0], item) for item in value)
    return dict(value) if origin is Mapping else value
