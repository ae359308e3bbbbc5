"""`callbus evaluate`: how good the consumers are, on calls of which the truth is known."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, say, say_error
from callbus.errors import InputError

if TYPE_CHECKING:
    from callbus.evaluate.truth import TrueCall

EXAMPLES = options.examples(
    "callbus evaluate samples/",
    "callbus evaluate samples/ --only text --report quality.md",
    "callbus evaluate samples/ --call bullying_school  # one call alone",
    "callbus evaluate calls/ --json | jq '.per_call[] | select(.right.main == false) | .id'",
)


def evaluate(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER…", help="Calls with their truth: .json, audio beside it.", show_default=False),
    ],
    json: options.Json = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a Markdown page too.", show_default=False, dir_okay=False),
    ] = None,
    only: Annotated[
        Literal["text", "audio"] | None,
        typer.Option(metavar="text|audio", help="Only calls of this kind.", show_default="both"),
    ] = None,
    call: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this call. Repeatable.", show_default="all")
    ] = None,
    topology: options.TopologyFile = None,
) -> None:
    """Measure how good the consumers are, on calls of which the truth is known.

    Puts every call through the real consumers of topology.yaml, without Kafka: audio in live chunks,
    written turns as what was said. A folder is read with all in it; a measure without truth is left out.

    The exit code is 7 if a file can't be used; the others are measured all the same.
    """
    quiet()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a model that is not here is an error, no download
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)  # it warns of the defaults that it takes
    from callbus.cli.evaluate_calls import hear
    from callbus.cli.evaluate_view import bar, print_evaluation
    from callbus.evaluate.form import plain
    from callbus.evaluate.measures import measure
    from callbus.evaluate.report import page
    from callbus.evaluate.truth import read_folders
    from producers.player import AUDIO

    graph = options.load_topology(topology)
    found, errors = read_folders(folders, AUDIO)
    calls = _chosen(found, only, call or ())
    for error in errors:
        say_error(str(error))
    if calls or not errors:
        if not calls:
            raise InputError(f"{', '.join(map(str, folders))}: no call of {only} in it; leave out --only")
        with bar() as show:
            heard, unusable = hear(calls, graph, show)
        for error in unusable:
            say_error(str(error))
        errors += unusable
        evaluation = measure(heard, graph)
        if report is not None:
            _write(report, page(evaluation))
            say(f"wrote {report}")
        if json:
            print_json(plain(evaluation))
        else:
            print_evaluation(evaluation)
    if errors:
        raise typer.Exit(InputError.exit_code)


def _chosen(calls: "Sequence[TrueCall]", only: str | None, ids: Sequence[str]) -> "list[TrueCall]":
    """Those that were asked for. InputError for an id that no call has."""
    from callbus.topology.source import nearest

    known = {each.id: each for each in calls}
    for name in ids:
        if name not in known:
            raise InputError(f"no call {name} in what was named; {nearest(name, known)}")
    chosen = [known[name] for name in dict.fromkeys(ids)] if ids else list(calls)
    return [each for each in chosen if only is None or (only == "audio") == (each.audio is not None)]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: can't be written ({error.strerror}); name a file in a folder that is there"
        ) from error
