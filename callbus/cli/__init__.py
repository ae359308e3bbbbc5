"""The command `callbus`. One small file per group of commands; what is heavy is imported by the command that needs it.

`shell` says how commands end, `options` what they share; `lines`, `masking` and the `_view` files decide what is shown.
"""

import typer

from callbus.cli import (
    broker,
    call,
    check,
    dlq,
    door,
    evaluate,
    feedback,
    groups,
    lag,
    machine,
    options,
    play,
    reanalyse,
    run,
    schemas,
    topics,
    topology,
    version,
    watch,
)
from callbus.cli.shell import Commands

_MACHINE, _WORK, _LOOK = "On one machine", "At work", "To look"

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A child helpline's calls in, what they mean out: live and exactly once, on Apache Kafka.",
    epilog=options.examples(
        "callbus demo  # see it work",
        "callbus up  # everything on this machine; in another terminal:",
        "callbus play samples/",
        "callbus watch call-insights",
    ),
)
app.command(rich_help_panel=_MACHINE, epilog=machine.DEMO_EXAMPLES)(machine.demo)
app.command(rich_help_panel=_MACHINE, epilog=machine.UP_EXAMPLES)(machine.up)
app.add_typer(broker.app, name="broker", rich_help_panel=_MACHINE)
app.command(rich_help_panel=_WORK, epilog=run.EXAMPLES)(run.run)
app.add_typer(topics.app, name="topics", rich_help_panel=_WORK)
app.command(rich_help_panel=_WORK, epilog=play.EXAMPLES)(play.play)
app.command(rich_help_panel=_WORK, epilog=door.EXAMPLES)(door.door)
app.add_typer(dlq.app, name="dlq", rich_help_panel=_WORK)
app.command(rich_help_panel=_WORK, epilog=check.EXAMPLES)(check.check)
app.command(rich_help_panel=_WORK, epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(rich_help_panel=_WORK, epilog=reanalyse.EXAMPLES)(reanalyse.reanalyse)
app.add_typer(feedback.app, name="feedback", rich_help_panel=_WORK)
app.command(rich_help_panel=_LOOK, epilog=watch.EXAMPLES)(watch.watch)
app.add_typer(call.app, name="call", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK, epilog=groups.EXAMPLES)(groups.groups)
app.command(rich_help_panel=_LOOK, epilog=lag.EXAMPLES)(lag.lag)
app.command(rich_help_panel=_LOOK, epilog=topology.EXAMPLES)(topology.topology)
app.add_typer(schemas.app, name="schemas", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK, epilog=version.EXAMPLES)(version.version)


def main() -> None:
    """The entry point of the command; ends the process."""
    app(prog_name="callbus")


__all__ = ["app", "main"]
