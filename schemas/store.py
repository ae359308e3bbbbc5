"""Finds schemas: the current ones under `avro/`, and every released version under `released/`.

Schemas refer to each other by name; here they are put together, so that each is whole in itself.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
from fastavro.repository import AbstractSchemaRepository, SchemaRepositoryError
from fastavro.schema import fingerprint, load_schema, to_parsing_canonical_form

NAMESPACE = "callbus"
AVRO = Path(__file__).parent / "avro"
RELEASED = Path(__file__).parent / "released"

Schema = dict[str, Any]

_ORDER = ("type", "name", "namespace", "doc", "symbols", "items", "values", "default", "fields")


class _Folder(AbstractSchemaRepository):  # type: ignore[misc]
    """Finds `callbus.Word` in `Word.avsc`."""

    def load(self, name: str) -> Schema:
        path = AVRO / f"{name.removeprefix(NAMESPACE + '.')}.avsc"
        try:
            return json.loads(path.read_text())  # type: ignore[no-any-return]
        except (OSError, ValueError) as problem:
            raise SchemaRepositoryError(f"{path}: {problem}") from problem


def names() -> list[str]:
    """Every schema under `avro/`, records and enumerations, sorted."""
    return sorted(path.stem for path in AVRO.glob("*.avsc"))


@cache
def parsed(name: str) -> Schema:
    """The schema `name`, whole and ready for fastavro. KeyError if there is none."""
    if not (AVRO / f"{name}.avsc").exists():
        raise KeyError(name)
    return load_schema(f"{NAMESPACE}.{name}", repo=_Folder())  # type: ignore[no-any-return]


@cache
def text(name: str) -> str:
    """The schema `name` as JSON, whole in itself, documentation included: what a registry is given."""
    return as_text(parsed(name))


def as_text(schema: Schema) -> str:
    """A schema as JSON, always laid out the same."""
    return json.dumps(_public(schema), ensure_ascii=False, indent=2)


def released(name: str) -> Iterator[tuple[int, Schema]]:
    """Every released version of `name`, oldest first, as (version, schema)."""
    versions = sorted((RELEASED / name).glob("*.avsc"), key=lambda path: int(path.stem))
    for path in versions:
        yield int(path.stem), json.loads(path.read_text())


def rabin(schema: Schema) -> bytes:
    """The CRC-64-AVRO fingerprint of a schema, 8 bytes little-endian (Avro specification, Schema Fingerprints)."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


@cache
def by_fingerprint() -> dict[bytes, Schema]:
    """Every schema an event may have been written with: released versions and the current one."""
    found: dict[bytes, Schema] = {}
    for name in names():
        for _, schema in released(name):
            found[rabin(schema)] = fastavro.parse_schema(schema)
        found[rabin(parsed(name))] = parsed(name)
    return found


def _public(schema: Any) -> Any:
    """The schema without fastavro's own marks, its keys always in the same order."""
    if isinstance(schema, dict):
        keys = sorted((key for key in schema if not key.startswith("__")), key=_ORDER.index)
        return {key: _public(schema[key]) for key in keys}
    if isinstance(schema, list):
        return [_public(item) for item in schema]
    return schema
