"""Between the typed records and the plain dictionaries that fastavro reads and writes.

The converters are put together once per record type, so that an audio chunk costs one attribute read per field.
"""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from schemas import records

Plain = dict[str, Any]
_Convert = Callable[[Any], Any]


@cache
def record_types() -> dict[str, Any]:
    """Every typed record by its name, which is its schema's name."""
    return {name: value for name, value in vars(records).items() if is_dataclass(value) and isinstance(value, type)}


@cache
def to_plain(kind: type[Any]) -> Callable[[Any], Plain]:
    """The function that makes a dictionary of a record of type `kind`."""
    names = [field.name for field in fields(kind)]
    read = attrgetter(*names)
    nested = _nested(kind, to_plain)
    if not nested:
        return lambda record: dict(zip(names, read(record), strict=True))

    def convert(record: Any) -> Plain:
        plain = dict(zip(names, read(record), strict=True))
        for name, inner in nested.items():
            plain[name] = inner(plain[name])
        return plain

    return convert


@cache
def from_plain(kind: type[Any]) -> Callable[[Plain], Any]:
    """The function that makes a record of type `kind` of a dictionary."""
    nested = _nested(kind, from_plain, lists=tuple)
    if not nested:
        return lambda plain: kind(**plain)

    def convert(plain: Plain) -> Any:
        return kind(**plain | {name: inner(plain[name]) for name, inner in nested.items()})

    return convert


def _nested(kind: Any, convert: Callable[..., _Convert], lists: _Convert = list) -> dict[str, _Convert]:
    """The fields of `kind` that hold other records or arrays, with what converts them."""
    found: dict[str, _Convert] = {}
    for name, hint in typing.get_type_hints(kind).items():
        inner = _field(hint, convert, lists)
        if inner is not None:
            found[name] = inner
    return found


def _field(hint: Any, convert: Callable[..., _Convert], lists: _Convert) -> _Convert | None:
    if is_dataclass(hint) and isinstance(hint, type):
        return convert(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = _field(next(a for a in arguments if a is not type(None)), convert, lists)
        return None if inner is None else lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _field(arguments[0], convert, lists)
        return lists if item is None else lambda values: lists(map(item, values))
    if origin is Mapping:
        return dict
    return None
