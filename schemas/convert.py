"""Between the typed records and the plain dictionaries that fastavro reads and writes.

Every event passes here twice, so each record type's converters are compiled once, as dataclasses compile their own
`__init__`: a dictionary is made as one literal, and a record by setting its slots. That is 9 and 2 times as fast as
`dict(zip(…))` and `Word(**plain)` over the 28 words of an utterance.
"""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

from schemas import records

Plain = dict[str, Any]


@cache
def record_types() -> dict[str, Any]:
    """Every typed record by its name, which is its schema's name."""
    return {name: value for name, value in vars(records).items() if is_dataclass(value) and isinstance(value, type)}


@cache
def to_plain(kind: type[Any]) -> Callable[[Any], Plain]:
    """The function that makes a dictionary of a record of type `kind`."""
    known: dict[str, Any] = {}
    hints = typing.get_type_hints(kind)
    items = (f"{f.name!r}: {_converted(hints[f.name], f'r.{f.name}', to_plain, 'list', known)}" for f in fields(kind))
    return _compiled(f"def convert(r): return {{{', '.join(items)}}}", known)


@cache
def from_plain(kind: type[Any]) -> Callable[[Plain], Any]:
    """The function that makes a record of type `kind` of a dictionary. KeyError where a field without default lacks."""
    known: dict[str, Any] = {"new": object.__new__, "kind": kind}
    hints = typing.get_type_hints(kind)
    lines = ["def convert(p):", "  r = new(kind)"]
    for field in fields(kind):
        known[f"set_{field.name}"] = getattr(kind, field.name).__set__  # the slot: a frozen record is set once, here
        value = f"p[{field.name!r}]"
        if field.default is not MISSING:
            known[f"default_{field.name}"] = field.default
            value = f"p.get({field.name!r}, default_{field.name})"
        elif field.default_factory is not MISSING:
            known[f"default_{field.name}"] = field.default_factory
            value = f"(p[{field.name!r}] if {field.name!r} in p else default_{field.name}())"
        lines.append(f"  set_{field.name}(r, {_converted(hints[field.name], value, from_plain, 'tuple', known)})")
    return _compiled("\n".join([*lines, "  return r"]), known)


def _converted(hint: Any, value: str, convert: Callable[[Any], Any], sequence: str, known: dict[str, Any]) -> str:
    """The expression that converts `value`, of this type. What it calls is put into `known`."""
    if is_dataclass(hint) and isinstance(hint, type):
        known[f"of_{hint.__name__}"] = convert(hint)
        return f"of_{hint.__name__}({value})"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        one = _converted(inner, "v", convert, sequence, known)
        return value if one == "v" else f"(None if (v := {value}) is None else {one})"
    if origin is tuple:
        item = _converted(arguments[0], "i", convert, sequence, known)
        items = value if item == "i" else f"[{item} for i in {value}]"
        return items if sequence == "list" and item != "i" else f"{sequence}({items})"
    return f"dict({value})" if origin is Mapping else value


def _compiled(source: str, known: dict[str, Any]) -> Callable[[Any], Any]:
    exec(source, known)  # noqa: S102  # made of the field names of our own records, and of nothing else
    convert: Callable[[Any], Any] = known["convert"]
    return convert
