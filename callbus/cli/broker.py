"""`callbus broker`: a real Kafka on this machine, with no Docker and no Java installed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, quiet, say
from callbus.errors import BrokerError

app = typer.Typer(
    no_args_is_help=True,
    help="A real Kafka, with no Docker and no Java.",
    epilog=options.examples("callbus broker start", "callbus broker status --json", "callbus broker stop"),
)

DataDir = Annotated[
    Path | None,
    typer.Option(help="The folder that holds its data.", metavar="FOLDER", show_default="in the user's data folder"),
]


@app.command(epilog=options.examples("callbus broker start", "callbus broker start --data-dir ./kafka --port 0"))
def start(
    data_dir: DataDir = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = options.DEFAULT_PORT,
    json: options.Json = False,
) -> None:
    """Start the broker, and print its address once it answers.

    It goes on after this command, until `callbus broker stop`. One that runs already is left as it is.
    The first time, Kafka is fetched (43 MB).
    """
    quiet()
    from callbus.broker import start_detached

    with fetching() as on_progress:
        status = start_detached(data_dir, port=port, on_progress=on_progress)
    if json:
        print_json(asdict(status))
    else:
        print(status.bootstrap_servers)


@app.command(epilog=options.examples("callbus broker stop", "callbus broker stop --data-dir ./kafka"))
def stop(data_dir: DataDir = None, json: options.Json = False) -> None:
    """Stop the broker in order. Its data stay; nothing happens if it isn't running."""
    quiet()
    from callbus.broker import default_data_dir, stop_detached

    was_running = stop_detached(data_dir)
    folder = (data_dir or default_data_dir()).absolute()
    if json:
        print_json({"data_dir": str(folder), "was_running": was_running})
    else:
        print(f"stopped; its data are in {folder}" if was_running else f"no broker was running in {folder}")


@app.command(epilog=options.examples("callbus broker status", "callbus broker status --json | jq .memory_bytes"))
def status(data_dir: DataDir = None, json: options.Json = False) -> None:
    """Say whether the broker runs. The exit code is 5 if it doesn't answer."""
    quiet()
    from callbus import broker

    found = broker.status(data_dir)
    if json:
        print_json(asdict(found))
    elif found.running:
        memory = f", {found.memory_bytes / 1e6:.0f} MB" if found.memory_bytes else ""
        how = "answers" if found.answering else "does not answer yet"
        print(f"{found.bootstrap_servers} {how}: pid {found.pid}{memory}, since {found.started_at}")
        print(f"data in {found.data_dir}, log in {found.log_file}")
    else:
        print(f"not running: {found.data_dir}")
    if not found.answering:
        raise typer.Exit(BrokerError.exit_code)


@app.command(epilog=options.examples("callbus broker fetch  # while there is a network"))
def fetch(json: options.Json = False) -> None:
    """Fetch Kafka (43 MB) without starting it; nothing happens if it is there."""
    quiet()
    from callbus.broker import KAFKA_VERSION, fetch_jars

    with fetching() as on_progress:
        jars = fetch_jars(on_progress)
    folder = jars[0].parent
    if json:
        print_json({"kafka": KAFKA_VERSION, "folder": str(folder), "jars": len(jars)})
    else:
        print(f"Kafka {KAFKA_VERSION} is in {folder}")


@contextmanager
def fetching() -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr while Kafka is fetched; off a terminal one line; nothing if it needn't be."""
    if not sys.stderr.isatty():
        told: list[int] = []

        def tell(_done_bytes: int, total_bytes: int | None) -> None:
            if not told:
                told.append(1)
                say(f"fetching Apache Kafka, {(total_bytes or 0) / 1e6:.0f} MB, this once")

        yield tell
        return

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (TextColumn("fetching Apache Kafka"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task: list[TaskID] = []

        def draw(done_bytes: int, total_bytes: int | None) -> None:
            if not task:
                task.append(progress.add_task("", total=total_bytes))
            progress.update(task[0], completed=done_bytes)

        yield draw
