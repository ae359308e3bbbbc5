"""`callbus feedback`: what was right, from those who know; and what the example corpus learns of it."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, say
from callbus.clock import now_ms
from callbus.errors import InputError
from callbus.kafka import DEFAULT_BROKERS

app = typer.Typer(
    no_args_is_help=True,
    help="What was right, from those who know: give it, and make examples of it.",
    epilog=options.examples(
        "callbus feedback give call-17 --stage classification --by c-17 --sub 'Physical Abuse'",
        "callbus feedback export corrections/",
        "python -m consumers.heads train --corpus domain/corpus corrections/ --heads new-heads",
        "callbus evaluate calls/ --heads new-heads  # whether that helped",
    ),
)

Label = Annotated[str | None, typer.Option(metavar="LABEL", show_default=False)]


@app.command(
    epilog=options.examples(
        "callbus feedback give call-17 --stage classification --by c-17 --sub 'Child Labor' --evidence 1:05",
        "callbus feedback give call-17 --stage qa --by s-3 --criterion 'Consults if unsure=pass' --evidence 0:32",
        "callbus feedback give call-17 --stage alerts --by s-3 --alert violence=none --evidence 1:05  # a false alarm",
        "callbus feedback give call-17 --stage ner --by s-3 --entity 1:05/3-4=NAME  # words 3 and 4 are a name",
    )
)
def give(
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID", show_default=False)],
    stage: Annotated[str, typer.Option(metavar="GROUP", help="classification, qa, alerts or ner.", show_default=False)],
    by: Annotated[
        str, typer.Option(metavar="ID", help="Who says so: a counsellor's id, never a name.", show_default=False)
    ],
    main: Label = None,
    sub: Label = None,
    priority: Label = None,
    intervention: Label = None,
    criterion: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VERDICT", help="pass, fail or not_applicable. Repeatable.", show_default=False),
    ] = None,
    alert: Annotated[
        list[str] | None,
        typer.Option(metavar="MATTER=LEVEL", help="high, critical or none. Repeatable.", show_default=False),
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE/WORDS=LABEL",
            help="Words of a turn by number, as `call show --clear` has them; none: no particular. Repeatable.",
            show_default=False,
        ),
    ] = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="A turn that shows it: its time in `callbus call show`, or its utterance_id. Repeatable.",
            show_default=False,
        ),
    ] = None,
    note: Annotated[
        str, typer.Option(metavar="TEXT", help="Anything else; - reads stdin. In clear: restrict the topic.")
    ] = "",
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """Say what was right about a call. The newest word on each matter counts.

    Checked against the helpline's labels and against the call. No particular is published but in a note: words are
    named by their place. The exit code is 7 if there is no such call, label or turn.
    """
    quiet()
    graph = options.load_topology(topology)
    from callbus.cli.masking import plain
    from callbus.feedback.giving import Said

    said = Said(
        stage=stage,
        by=by,
        main=main,
        sub=sub,
        priority=priority,
        intervention=intervention,
        criteria=criterion or (),
        alerts=alert or (),
        entities=entity or (),
        evidence=evidence or (),
        note=sys.stdin.read().strip() if note == "-" else note,
    )
    from callbus.cli.feedback_work import given

    record = asyncio.run(given(call_id, said, graph, options.connection(brokers), registry, now_ms()))
    if json:
        print_json(plain(record, clear=False))
    else:
        from callbus.cli.lines import summary
        from callbus.cli.masking import masked

        print(f"{record.call_id}: {summary(masked(record))}")


@app.command(
    epilog=options.examples(
        "callbus feedback export corrections/",
        "callbus feedback export corrections/ --json | jq .left_out",
    )
)
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new one, or that of an earlier export.")],
    words: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The corpus whose words may be kept.", show_default="domain/corpus of the topology"
        ),
    ] = None,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """Make examples of what was corrected: a folder that the heads are trained on beside domain/corpus.

    Nothing personal should enter it: redacted words only, every particular of the call taken out, and turns left out in
    which a word is not of the corpus, for it may be a name that nobody has found. Read it all the same.
    The folder is made anew each time: a call that was deleted from Kafka is then in it no more.
    """
    quiet()
    graph = options.load_topology(topology)
    from callbus.cli.feedback_work import exported
    from callbus.feedback.examples import LeftOut
    from callbus.feedback.folder import write

    made, unreadable = asyncio.run(
        exported(graph, options.connection(brokers), registry, words or graph.root / "domain" / "corpus")
    )
    entries = [one for one in made if not isinstance(one, LeftOut)]
    left_out = [one for one in made if isinstance(one, LeftOut)]
    if not made:
        raise InputError("nobody has corrected anything yet; `callbus feedback give` does")
    write(folder, entries)
    if json:
        reasons = [{"call_id": one.call_id, "stage": one.stage, "reason": one.reason} for one in left_out]
        print_json({"folder": str(folder), "entries": len(entries), "left_out": reasons, "unreadable": unreadable})
        return
    for one in left_out:
        print(f"left out: {one.call_id} {one.stage}: {one.reason}")
    print(f"{len(entries)} examples in {folder}, {len(left_out)} corrections left out")
    if unreadable:
        say(f"{unreadable} records are no event, and were passed over")
