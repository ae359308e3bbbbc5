"""`callbus schemas`: the Avro schemas of every event."""

from typing import Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json
from callbus.errors import SchemaError

app = typer.Typer(
    no_args_is_help=True,
    help="The Avro schemas of all events.",
    epilog=options.examples("callbus schemas show CallInsight", "callbus schemas check"),
)


@app.command(epilog=options.examples("callbus schemas check", "callbus schemas check --json"))
def check(json: options.Json = False) -> None:
    """Compare every schema with all its released versions: readers and events, old and new, must fit both ways.

    The exit code is 3 if one doesn't.
    """
    from schemas import store

    found = _problems()
    if json:
        print_json({"ok": not found, "schemas": store.names(), "problems": found})
    if found and json:
        raise typer.Exit(SchemaError.exit_code)
    _refuse(found)
    if not json:
        print(f"ok: {len(store.names())} schemas fit all their released versions")


@app.command(epilog=options.examples("callbus schemas release"))
def release(json: options.Json = False) -> None:
    """Keep every schema that has changed as its next released version. Refused (exit code 3) if one doesn't fit."""
    from schemas import gate

    _refuse(_problems())
    done = gate.release()
    if json:
        print_json({"released": done})
    else:
        print("\n".join(done) or "nothing new")


@app.command(epilog=options.examples("callbus schemas show CallInsight", "callbus schemas show Utterance | jq .fields"))
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="A record's or an enumeration's name.")]) -> None:
    """Print a schema, whole in itself, with the meaning and the unit of every field."""
    from callbus.topology.source import nearest
    from schemas import store

    if name not in store.names():
        raise SchemaError(f"no schema {name}; {nearest(name, store.names())}")
    print(store.text(name))


def _problems() -> list[str]:
    from schemas import gate, store

    return [problem for name in store.names() for problem in gate.problems(name)]


def _refuse(problems: list[str]) -> None:
    if problems:
        mend = "give new fields a default, add instead of renaming, never remove what has none"
        raise SchemaError("\n".join([*problems, mend]))
