"""`callbus dlq`: what groups gave up: to see it, to send it back into its group, or to let it be."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, say, wide_console
from callbus.clock import now_ms
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.dead_letters.ledger import How

app = typer.Typer(
    no_args_is_help=True,
    help="What groups gave up: see it, send it back, or drop it; and let a group go on that gave up too much.",
    epilog=options.examples(
        "callbus dlq list --since 2h",
        "callbus dlq show 5d1c92ab",
        "callbus dlq replay --group translation --error Reject",
        "callbus dlq drop 5d1c92ab",
        "callbus dlq resume translation",
    ),
)

Letters = Annotated[
    list[str] | None,
    typer.Argument(metavar="LETTER", help="Their ids, or how these begin: 8 characters or more.", show_default=False),
]
Groups = Annotated[
    list[str] | None, typer.Option("--group", metavar="NAME", help="Only of this group.", show_default="all")
]
_ERROR = "Only with this class of error: CodecError (no event), Reject, or Retry (tried too often)."
Error = Annotated[str | None, typer.Option(metavar="CLASS", help=_ERROR, show_default=False)]
Call = Annotated[str | None, typer.Option(metavar="ID", help="Only of this call.", show_default=False)]
Source = Annotated[
    str | None, typer.Option("--topic", metavar="NAME", help="Only what came from this topic.", show_default=False)
]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN", help="Given up since then: 2h ago, or a time like 2026-01-31T09:00.", show_default=False
    ),
]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Given up before then.", show_default=False)]
Every = Annotated[bool, typer.Option("--all", help="Every open letter, where nothing narrows them down.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
_AT_ONCE = 100
AtOnce = Annotated[int, typer.Option(min=1, max=_AT_ONCE, metavar="N", help="Letters per transaction.")]


@app.command(
    "list",
    epilog=options.examples(
        "callbus dlq list",
        "callbus dlq list --group translation --since 2h --clear  # with the messages, which may quote callers",
        "callbus dlq list --all --json | jq '.letters[] | {id, error, state}'",
    ),
)
def list_(
    letters: Letters = None,
    group: Groups = None,
    error: Error = None,
    call: Call = None,
    topic: Source = None,
    since: Since = None,
    until: Until = None,
    all_: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    clear: options.Clear = False,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """List the letters that are open, the newest last.

    Messages may quote what was said: they are shown as «7 words» unless you say --clear.
    """
    quiet()
    graph = options.load_topology(topology)
    from callbus.cli import dlq_view, dlq_work

    desk = dlq_work.Desk.of(graph, brokers, registry)
    selection = dlq_work.selection(letters, error, call, topic, since, until)
    its = [each for _, each in dlq_work.matching(desk.look(group), selection) if all_ or each.open]
    found = sorted(its, key=lambda each: each.said.at_ms)
    if json:
        print_json(dlq_view.plain_list(found, clear=clear))
        return
    if found:
        console = wide_console()
        console.print(dlq_view.table(found, now_ms(), console.width, clear=clear))
    print(dlq_view.counted(found))
    if found and not clear:
        say("hidden here: the messages; --clear shows them")


@app.command(
    epilog=options.examples(
        "callbus dlq show 5d1c92ab",
        "callbus dlq show 5d1c92ab --clear --json | jq .event",
        "callbus dlq show 5d1c92ab --original > value.bin  # the bytes that could not be worked on",
    )
)
def show(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="Its id, or how it begins.", show_default=False)],
    original: Annotated[
        bool, typer.Option("--original", help="Only the input's value, byte for byte, on stdout.")
    ] = False,
    group: Groups = None,
    clear: options.Clear = False,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """Show a letter: where it came from, why it was given up, the event in it, and what became of it.

    Personal words are hidden unless you say --clear. The exit code is 7 if there is no such letter.
    """
    quiet()
    graph = options.load_topology(topology)
    from callbus.cli import dlq_letter, dlq_work

    desk = dlq_work.Desk.of(graph, brokers, registry)
    found = desk.bring(group, letter)
    if original:
        dlq_letter.write_original(found.whole.value)
    elif json:
        print_json(dlq_letter.plain_letter(found, clear=clear))
    else:
        dlq_letter.print_letter(found, clear=clear)


def _settling(how: "How") -> Callable[..., None]:
    """A command that settles letters so: it selects and asks alike, whatever becomes of them."""

    def command(
        letters: Letters = None,
        group: Groups = None,
        error: Error = None,
        call: Call = None,
        topic: Source = None,
        since: Since = None,
        until: Until = None,
        all_: Every = False,
        yes: Yes = False,
        dry_run: DryRun = False,
        at_once: AtOnce = _AT_ONCE,
        json: options.Json = False,
        brokers: options.Brokers = DEFAULT_BROKERS,
        registry: options.Registry = None,
        topology: options.TopologyFile = None,
    ) -> None:
        quiet()
        graph = options.load_topology(topology)
        from callbus.cli import dlq_work

        selection = dlq_work.selection(letters, error, call, topic, since, until)
        desk = dlq_work.Desk.of(graph, brokers, registry)
        desk.settle(how, group, selection, every=all_, yes=yes, dry_run=dry_run, at_once=at_once, as_json=json)

    return command


app.command(
    "replay",
    help="""Send letters back into the group that gave them up, as they were and in their order.

    No other group sees them again, and each is sent back exactly once.
    After a crash the same command goes on where it stopped; a second one takes over from the first.
    What is given up again is a letter again.
    """,
    epilog=options.examples(
        "callbus dlq replay 5d1c92ab",
        "callbus dlq replay --group translation --since 2h --dry-run",
        "callbus dlq replay --all --yes  # in a script",
    ),
)(_settling("replayed"))
app.command(
    "drop",
    help="""Say of letters that nothing is to be done about them.

    They are not open any more. `list --all` shows them, with who dropped them, until their retention is over.
    """,
    epilog=options.examples(
        "callbus dlq drop 5d1c92ab", "callbus dlq drop --call call-17", "callbus dlq drop --until 30d --yes"
    ),
)(_settling("dropped"))


@app.command(epilog=options.examples("callbus dlq resume translation"))
def resume(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Which one stopped.", show_default=False)],
    brokers: options.Brokers = DEFAULT_BROKERS,
    topology: options.TopologyFile = None,
) -> None:
    """Let a group start again that stopped because it gave up too much.

    Until then it ends with status 10 whenever it is started, so that no restart empties a topic into the bin.
    Its processes begin with their next start; what it had not committed comes again.
    """
    quiet()
    its = options.load_topology(topology).group(group)
    from callbus.cli import dlq_resume

    reason = asyncio.run(dlq_resume.resume(options.connection(brokers), its))
    print(f"{group} may start again" if reason else f"{group} has not stopped itself: nothing is to be done")
    if reason:
        say(f"it had stopped: {reason}")
