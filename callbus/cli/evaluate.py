"""`callbus evaluate`: how good the consumers are, on calls of which the truth is known."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from callbus.cli import options
from callbus.cli.shell import UNEXPECTED, print_json, quiet, say, say_error, write_page
from callbus.errors import InputError

if TYPE_CHECKING:
    from callbus.evaluate.reading import TrueCall

EXAMPLES = options.examples(
    "callbus evaluate samples/",
    "callbus evaluate samples/ --only text --report quality.md",
    "callbus evaluate samples/ --call bullying_school  # one call alone",
    "callbus evaluate calls/ --heads new-heads  # before and after, side by side",
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
    heads: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Measure these trained heads too, beside those of the graph.", show_default=False
        ),
    ] = None,
    topology: options.TopologyFile = None,
) -> None:
    """Measure how good the consumers are, on calls of which the truth is known.

    Puts every call through the real consumers of topology.yaml, without Kafka: audio in live chunks,
    written turns as what was said. A folder is read with all in it; a measure without truth is left out.
    What is wrong with one field of a file costs that field, with a warning. A `main_category` and a
    `sub_category` that are both null say that no label fits; a key that is missing says nothing.

    The exit code is 7 if a file can't be used, and 70 if a consumer broke on a call; the others are
    measured all the same, and `not_measured` of --json names what is missing.
    """
    quiet()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a model that is not here is an error, no download
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)  # it warns of the defaults that it takes
    from callbus.cli.evaluate_calls import Trial, hear
    from callbus.cli.evaluate_view import bar, print_evaluation, print_trial
    from callbus.evaluate.form import plain
    from callbus.evaluate.measures import measure
    from callbus.evaluate.redaction import entity_labels
    from callbus.evaluate.report import page
    from callbus.variant import with_heads

    graph = options.load_topology(topology)
    trial = Trial.of(*with_heads(graph, heads)) if heads is not None else None
    calls, errors, missing = _read(folders, only, call or (), tuple(entity_labels(graph)))
    for error in errors:
        say_error(str(error))
    for warning in (each for one in calls for each in one.left_out):
        say(f"warning: {warning}")
    with bar() as show:
        hearing = hear(calls, graph, show, trial)
    for one in hearing.unusable:
        say_error(one.why)
    evaluation = measure(hearing.heard, graph, [*missing, *(one.call for one in hearing.unusable)])
    other = measure(hearing.tried, graph) if trial else None
    if report is not None and calls:
        write_page(report, page(evaluation, other))
        say(f"wrote {report}")
    if json:
        print_json(plain(evaluation) | ({"tried": plain(other)} if other else {}))
    elif calls:
        print_evaluation(evaluation)
        if other:
            print_trial(evaluation, other)
    if any(one.is_fault for one in hearing.unusable):
        raise typer.Exit(UNEXPECTED)
    if errors or hearing.unusable:
        raise typer.Exit(InputError.exit_code)


def _read(
    folders: Sequence[Path], only: str | None, ids: Sequence[str], labels: Sequence[str]
) -> "tuple[list[TrueCall], list[InputError], list[str]]":
    """The calls that were asked for, what was wrong, and the names of the files that are no call."""
    from callbus.evaluate.reading import read_folders
    from producers.player import AUDIO

    try:
        found, errors = read_folders(folders, AUDIO, labels)
    except InputError as error:
        return [], [error], []
    missing = [each.path.name for each in errors]
    try:
        calls = _chosen(found, only, ids)
    except InputError as error:
        return [], [*errors, error], missing
    if not calls and not errors:
        none = InputError(f"{', '.join(map(str, folders))}: no call of {only} in it; leave out --only")
        return [], [none], missing
    return calls, list(errors), missing


def _chosen(calls: "Sequence[TrueCall]", only: str | None, ids: Sequence[str]) -> "list[TrueCall]":
    """Those that were asked for. InputError for an id that no call has."""
    from callbus.topology.source import nearest

    known = {each.id: each for each in calls}
    for name in ids:
        if name not in known:
            raise InputError(f"no call {name} in what was named; {nearest(name, known)}")
    chosen = [known[name] for name in dict.fromkeys(ids)] if ids else list(calls)
    return [each for each in chosen if only is None or (only == "audio") == (each.audio is not None)]
