"""Avro's binary encoding of the typed records, compiled once per record type into straight Python.

fastavro goes through a schema anew for every field, and stops at dictionaries. Here the schema is gone through once;
what is left per event are its fields, read into slots and written from them, with no call per field. Only what was
written with the very schema that is read passes here: what another release wrote is resolved by fastavro, and the tests
hold every byte against it.

The format: Avro specification 1.12, Binary Encoding.
"""

import struct
import typing
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any

from schemas import store

_ONE_BYTE, _TWO_BYTES = 1 << 7, 1 << 14
_NUMBERS = tuple(bytes([z] if z < _ONE_BYTE else [z & 127 | 128, z >> 7]) for z in range(_TWO_BYTES))
_DOUBLE = struct.Struct("<d")
_BITS = {"int": 32, "long": 64}
_MOST_SHIFT = 63  # a long has ten bytes of seven bits


@cache
def writer(name: str, kind: type[Any]) -> Callable[[Any], bytes]:
    """The function that encodes a record of type `kind` by the current schema `name`.

    It raises TypeError, AttributeError, KeyError, ValueError or struct.error if a value is not of its field's type.
    """
    known: dict[str, Any] = {"number": _NUMBERS, "long": _number, "double": _DOUBLE.pack, "octets": bytes}
    body = _Writing(known).lines(store.parsed(name), "r")
    source = ["def convert(r):", *_inner(["parts = []", "add = parts.append", *body, 'return b"".join(parts)'])]
    return _compiled(source, known, f"{name} writer")


@cache
def reader(name: str, kind: type[Any]) -> Callable[[bytes, int], Any]:
    """The function that decodes a record of type `kind`, written by the current schema `name`, from a place in bytes.

    It raises ValueError, IndexError or struct.error if these bytes are no such record, or more or less than one.
    """
    known: dict[str, Any] = {"new": object.__new__, "rest": _rest, "double": _DOUBLE.unpack_from, "wrong": _wrong}
    body = _Reading(known).lines(store.parsed(name), kind, "r")
    source = ["def convert(b, p):", *_inner([*body, "if p != len(b): wrong('its length')", "return r"])]
    return _compiled(source, known, f"{name} reader")


class _Compiling:
    """What both directions need on their way through a schema: its named types, and names for variables."""

    def __init__(self, known: dict[str, Any]) -> None:
        self._known = known
        self._named: dict[str, store.Schema] = {}
        self._numbers = count()

    def _resolved(self, schema: Any) -> tuple[str, Any]:
        """The type and its schema: types are spelled out where they first come, and only named afterwards."""
        if isinstance(schema, str) and schema in self._named:
            schema = self._named[schema]
        if isinstance(schema, list):
            return "union", schema
        if isinstance(schema, str):
            return schema, {}
        if "name" in schema:
            self._named[schema["name"]] = schema
        return schema["type"], schema

    def _new(self, prefix: str, value: Any = None) -> str:
        """A name that no other variable has; `value` is what it stands for, if it is known already."""
        name = f"{prefix}{next(self._numbers)}"
        if value is not None:
            self._known[name] = value
        return name


class _Writing(_Compiling):
    def lines(self, schema: Any, value: str) -> list[str]:
        """Statements that add the bytes of `value`, an expression."""
        kind, schema = self._resolved(schema)
        match kind:
            case "record":
                return [line for f in schema["fields"] for line in self.lines(f["type"], f"{value}.{f['name']}")]
            case "string" | "bytes":
                it = self._new("s")
                made = f"{value}.encode()" if kind == "string" else f"{value}"
                return [f"{it} = {made}", *self._number(f"len({it})", 64), f"add({it})"]
            case "int" | "long":
                return self._number(value, _BITS[kind])
            case "double":
                return [f"add(double({value}))"]
            case "boolean":
                return [f'add(b"\\1" if {value} else b"\\0")']
            case "enum":
                symbols = {symbol: _NUMBERS[place << 1] for place, symbol in enumerate(schema["symbols"])}
                return [f"add({self._new('symbols', symbols)}[{value}])"]
            case "array":
                item = self._new("i")
                return self._block(value, f"for {item} in {value}:", self.lines(schema["items"], item))
            case "map":
                key, item = self._new("k"), self._new("i")
                inner = [*self.lines("string", key), *self.lines(schema["values"], item)]
                return self._block(value, f"for {key}, {item} in {value}.items():", inner)
            case "union":
                it = self._new("u")
                inner = ["else:", *_inner(['add(b"\\2")', *self.lines(_optional(schema), it)])]
                return [f"{it} = {value}", f'if {it} is None: add(b"\\0")', *inner]
        raise NotImplementedError(f"Avro type {kind}")

    def _number(self, value: str, bits: int) -> list[str]:
        z = self._new("n")
        return [
            f"{z} = {value} << 1",
            f"add(number[{z}] if 0 <= {z} < {_TWO_BYTES} else long({z}, {bits}))",
        ]

    def _block(self, value: str, loop: str, inner: list[str]) -> list[str]:
        """One block of all items, and the empty one at the end."""
        return [f"if {value}:", *_inner([*self._number(f"len({value})", 64), loop, *_inner(inner)]), 'add(b"\\0")']


class _Reading(_Compiling):
    def lines(self, schema: Any, hint: Any, into: str) -> list[str]:
        """Statements that read from place `p` of bytes `b` into the variable `into`, and move `p` on."""
        kind, schema = self._resolved(schema)
        match kind:
            case "record":
                return self._record(schema, hint, into)
            case "string" | "bytes":
                end = self._new("e")
                taken = f"b[p:{end}]" + (".decode()" if kind == "string" else "")
                return [*self._zigzag(end), f"if {end} & 1: wrong('a length')", f"{end} = p + ({end} >> 1)",
                        f"{into} = {taken}", f"p = {end}"]  # fmt: skip
            case "int" | "long":
                return [*self._zigzag(into), f"{into} = ~({into} >> 1) if {into} & 1 else {into} >> 1"]
            case "double":
                return [f"({into},) = double(b, p)", "p += 8"]
            case "boolean":
                return [f"{into} = b[p] == 1", "if b[p] > 1: wrong('a boolean')", "p += 1"]
            case "enum":
                symbols = self._new("symbols", tuple(schema["symbols"]))
                return [*self._zigzag(into), f"if {into} & 1: wrong('a symbol')", f"{into} = {symbols}[{into} >> 1]"]
            case "array":
                item, more = self._new("i"), self._new("m")
                inner = [*self.lines(schema["items"], typing.get_args(hint)[0], item), f"{more}({item})"]
                return [f"{into} = []", f"{more} = {into}.append", *self._blocks(inner), f"{into} = tuple({into})"]
            case "map":
                key, item = self._new("k"), self._new("i")
                read = [*self.lines("string", str, key), *self.lines(schema["values"], typing.get_args(hint)[1], item)]
                return [f"{into} = {{}}", *self._blocks([*read, f"{into}[{key}] = {item}"])]
            case "union":
                some = next(each for each in typing.get_args(hint) if each is not type(None))
                inner = self.lines(_optional(schema), some, into)
                return ["t = b[p]", "p += 1", f"if t == 0: {into} = None", "elif t == 2:", *_inner(inner),
                        "else: wrong('a branch')"]  # fmt: skip
        raise NotImplementedError(f"Avro type {kind}")

    def _record(self, schema: store.Schema, hint: Any, into: str) -> list[str]:
        hints = typing.get_type_hints(hint)
        lines = [f"{into} = new({self._new('kind', hint)})"]
        for field in schema["fields"]:
            name, value = field["name"], self._new("f")
            place = self._new("set", getattr(hint, name).__set__)  # the slot: a frozen record is set once, here
            lines += [*self.lines(field["type"], hints[name], value), f"{place}({into}, {value})"]
        return lines

    def _zigzag(self, into: str) -> list[str]:
        """Up to three bytes, as most times have, at once; the bits that say "more follows" are taken off again."""
        return [
            f"{into} = b[p]",
            f"if {into} < 128: p += 1",
            f"elif (c := b[p + 1]) < 128: {into} += (c << 7) - {1 << 7}; p += 2",
            f"elif (d := b[p + 2]) < 128: {into} += (c << 7) + (d << 14) - {(1 << 7) + (1 << 14)}; p += 3",
            f"else: {into}, p = rest(b, p)",
        ]

    def _blocks(self, inner: list[str]) -> list[str]:
        """Blocks of items until the empty one. A negative count says that the block's size in bytes follows."""
        n, again = self._new("n"), self._new("a")
        return [
            "while True:",
            *_inner([
                *self._zigzag(n), f"if {n} == 0: break", f"{again} = {n} >> 1",
                f"if {n} & 1:", *_inner([f"{again} += 1", *self._zigzag(n)]),
                f"for {n} in range({again}):", *_inner(inner),
            ]),
        ]  # fmt: skip


def _optional(union: list[Any]) -> Any:
    """The type that a value has if it is not null. Our schemas have no other unions, and null comes first."""
    null, some = union
    if null != "null":
        raise NotImplementedError(f"Avro union {union}")
    return some


def _number(z: int, bits: int) -> bytes:
    """The varint of a whole number, given twice it. ValueError if it has no place in so many bits."""
    if z < 0:
        z = ~z
    if z >> bits:
        raise ValueError(f"a number of more than {bits} bits")
    out = bytearray()
    while z > 127:
        out.append(z & 127 | 128)
        z >>= 7
    out.append(z)
    return bytes(out)


def _rest(b: bytes, p: int) -> tuple[int, int]:
    """The varint at `p`, and the place after it."""
    n, shift = 0, 0
    while (c := b[p]) > 127:
        n |= (c & 127) << shift
        p, shift = p + 1, shift + 7
        if shift > _MOST_SHIFT:
            _wrong("a number")
    n |= c << shift
    if n >> 64:
        _wrong("a number")
    return n, p + 1


def _wrong(what: str) -> typing.NoReturn:
    raise ValueError(f"{what} is wrong")


def _inner(lines: list[str]) -> list[str]:
    return ["  " + line for line in lines]


def _compiled(lines: list[str], known: dict[str, Any], what: str) -> Callable[..., Any]:
    """The function `convert` of these lines; `what` stands for the file in traces and profiles."""
    code = compile("\n".join(lines), f"<schemas/wire {what}>", "exec")
    exec(code, known)  # noqa: S102  # made of our own schemas' names, and of nothing else
    convert: Callable[..., Any] = known["convert"]
    return convert
