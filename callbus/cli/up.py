"""`callbus up`: the broker, its topics and every group on this machine, until Ctrl-C."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from callbus.broker import start_detached, status, stop_detached
from callbus.cli.stack import Groups, apply_topics
from callbus.kafka import Connection
from callbus.topology import Topology


def until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`; Ctrl-C and SIGTERM cancel it, and it cleans up before this returns."""

    async def run() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    asyncio.run(run())


async def up(topology: Topology, brokers: str | None) -> None:
    """Start what is missing, say when all is ready, and stop it in order when cancelled.

    `brokers` None: the broker of `callbus broker start`, which is started, and stopped at the end, if it isn't running.
    """
    console, started = Console(stderr=True, highlight=False), time.monotonic()
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="callbus-up-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if brokers is None and not status().running:
            stack.callback(stop_detached)
        connection = Connection.from_environment(brokers or (await asyncio.to_thread(start_detached)).bootstrap_servers)
        plan = await apply_topics(topology, connection)
        console.print(f"[green]✓[/] {'broker':<15} {connection.brokers}, {len(plan.create)} topics created")
        groups = Groups(
            topology, connection, folder, lambda group, doing: console.print(f"  {group:<15} {escape(doing)}")
        )
        stack.push_async_callback(groups.stop)
        groups.start()
        await groups.ready()
        console.print(f"[green]✓[/] {'ready':<15} {time.monotonic() - started:.1f} s; Ctrl-C stops everything")
        await groups.unless_failed(asyncio.get_running_loop().create_future())
