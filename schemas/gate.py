"""The compatibility gate: no schema may change so that an old reader or an old event breaks.

Every schema must be FULL_TRANSITIVE compatible with all its released versions: each of them can read it, and it can
read each of them. `python -m schemas.gate` checks; `python -m schemas.gate release` keeps the current ones as released.
"""

import sys

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import Schema, parse

from schemas import store


def problems(name: str, candidate: str | None = None) -> list[str]:
    """Why `name` (or the text of a `candidate` for it) may not be released; empty if it may."""
    new = parse(candidate or store.text(name))
    found = []
    for version, schema in store.released(name):
        old = parse(store.as_text(schema))
        for reader, writer, what in ((new, old, "can't read events of"), (old, new, "is not readable by readers of")):
            found += [f"{name} {what} version {version}: {reason}" for reason in _differences(reader, writer)]
    return found


def release() -> list[str]:
    """Keep every schema that differs from its last released version as the next one. Says which."""
    done = []
    for name in store.names():
        versions = dict(store.released(name))
        if versions and store.as_text(versions[max(versions)]) == store.text(name):
            continue
        target = store.RELEASED / name / f"{max(versions, default=0) + 1}.avsc"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(store.text(name) + "\n")
        done.append(f"{name} {target.stem}")
    return done


def _differences(reader: Schema, writer: Schema) -> list[str]:
    result = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        # The checker looks at short names only: records of one name in two namespaces pass it.
        full = [schema.props.get("namespace") for schema in (reader, writer)]
        return [] if full[0] == full[1] else [f"namespace {full[1]} became {full[0]}"]
    places = ", ".join(sorted(result.locations)) or "/"
    return [f"{message} (at {places})" for message in sorted(result.messages)] or [f"incompatible (at {places})"]


def main(arguments: list[str]) -> int:
    found = [problem for name in store.names() for problem in problems(name)]
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        print("Give new fields a default, add instead of renaming, never remove what has none.", file=sys.stderr)
        return 3
    if arguments == ["release"]:
        print("\n".join(release()) or "nothing new")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
