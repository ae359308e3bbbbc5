"""`callbus reanalyse`: a new model over past calls, and how its judgements differ from those that stand there."""

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import INTERRUPTED, print_json, quiet, say, two_signals, write_page
from callbus.clock import now_ms
from callbus.errors import InputError
from callbus.kafka import DEFAULT_BROKERS

if TYPE_CHECKING:
    from callbus.reanalyse.form import Report
    from callbus.topology import Topology

EXAMPLES = options.examples(
    "callbus reanalyse --since 7d --stage classification --option heads=new-heads",
    "callbus reanalyse --since 7d --stage qa --model minilm-new --report qa.md  # an entry of `models:`, or a folder",
    "callbus reanalyse --since 7d --stage qa --model checkpoints/qa-2 --card qa-2.yaml  # a helpline's own checkpoint",
    "callbus reanalyse --since 30d --stage classification --option heads=new-heads --keep work.jsonl  # goes on later",
    "callbus reanalyse --since 7d --stage alerts --option heads=new-alerts --json | jq .aspects.danger",
)


def reanalyse(
    stage: Annotated[
        str, typer.Option(metavar="GROUP", help="classification, qa, summary or alerts.", show_default=False)
    ],
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="Calls since then: 7d ago, or a time like 2026-01-31.", show_default=False),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER", help="An entry of `models:`, or a model's folder.", show_default="as it is"
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What the labels of --model mean in ours: then it judges by itself, in place of the group's "
            "checkpoint or beside its encoder.",
            show_default="as in `models:`",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Another of the group's options. Repeatable.", show_default="as it is"),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what is compared, and go on from it the next time.", show_default=False
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a Markdown page too.", show_default=False, dir_okay=False),
    ] = None,
    json: options.Json = False,
    brokers: options.Brokers = DEFAULT_BROKERS,
    registry: options.Registry = None,
    topology: options.TopologyFile = None,
) -> None:
    """Judge past calls anew, and show how that differs from what was said of them live.

    Runs beside the live group and disturbs nothing: it is in no consumer group, and publishes nothing. Only calls that
    are over are compared. Ctrl-C ends it with what it has; the exit code is then 130.
    """
    quiet()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a model that is not here is an error, no download
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    from callbus.cli.reanalyse_view import page, print_report
    from callbus.dead_letters.selection import moment_ms
    from callbus.reanalyse.form import plain

    try:
        since_ms = moment_ms(since, now_ms())
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="--since") from None
    if card is not None and model is None:
        raise typer.BadParameter("say with --model whose card it is", param_hint="--card")
    graph = options.load_topology(topology)
    tried = {"model": model or "", "card": str(card or ""), **dict(_named(each) for each in option or ())}
    variant = _variant(graph, stage, model, card, option or [])
    if report is not None:
        write_page(report, "")  # before the work, not after it
    made = asyncio.run(_run(graph, variant, stage, since_ms, tried, keep, brokers, registry))
    if report is not None:
        write_page(report, page(made))
        say(f"wrote {report}")
    if json:
        print_json(plain(made))
    else:
        print_report(made)
    if made.course.stopped:
        raise typer.Exit(INTERRUPTED)
    if not made.course.found:
        raise InputError(f"no call since {since} that {stage} could judge; name an earlier time with --since")


def _named(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _variant(graph: "Topology", stage: str, model: str | None, card: Path | None, given: list[str]) -> "Topology":
    from callbus.reanalyse.aspects import COMPARED
    from callbus.variant import with_model, with_options

    graph.group(stage)
    able = [name for name, group in graph.groups.items() if graph.topic(group.outputs[0]).schema in COMPARED]
    if stage not in able:
        raise InputError(f"what {stage} makes can't be compared call by call; say {', '.join(able)}")
    if model is not None:
        graph = with_model(graph, stage, model, card)
    return with_options(graph, stage, given)


def what(variant: "Topology", stage: str) -> dict[str, str]:
    """What a file of kept pairs is of: stage, models and options, folders and cards by what is in them."""
    from hashlib import sha256

    from callbus.models import digest

    settings = variant.settings(stage)
    models = {"models": ", ".join(f"{model.name} {model.version}" for model in settings.models)}
    cards = {
        f"card of {model.name}": sha256(model.card.read_bytes()).hexdigest()[:16]
        for model in settings.models
        if model.card
    }
    paths = {name: settings.root / str(value) for name, value in settings.options.items()}
    known = {name: digest(path) if path.is_dir() else str(settings.options[name]) for name, path in paths.items()}
    return {"stage": stage} | models | cards | known


async def _run(
    graph: "Topology",
    variant: "Topology",
    stage: str,
    since_ms: int,
    tried: dict[str, str],
    keep: Path | None,
    brokers: str,
    registry: str | None,
) -> "Report":
    from callbus.cli.evaluate_view import bar
    from callbus.codec import codec_of
    from callbus.loading import consumer_of
    from callbus.reanalyse.aspects import COUNTED
    from callbus.reanalyse.course import Task
    from callbus.reanalyse.difference import difference
    from callbus.reanalyse.form import Report
    from callbus.reanalyse.judging import judge
    from callbus.reanalyse.kept import Kept

    group = variant.group(stage)
    output = group.outputs[0]
    kept = Kept.of(keep, what(variant, stage))
    with bar() as show, two_signals("stopping") as stopping:
        show("loading", 0, 1)
        consumer = await asyncio.to_thread(consumer_of, variant, group)
        keeps_ms = {name: topic.retention_ms for name, topic in graph.topics.items()}
        task = Task(group=group, consumer=consumer, output=output, since_ms=since_ms, keeps_ms=keeps_ms)
        course = await judge(options.connection(brokers), codec_of(graph, registry), task, kept, show, stopping)
    return Report(
        stage=stage,
        tried={name: value for name, value in tried.items() if value},
        since_ms=since_ms,
        counted=graph.topic(output).schema in COUNTED,
        course=course,
        difference=difference(course.pairs),
    )
