"""Waiting for something to become true."""

import asyncio
import inspect
from collections.abc import Callable, Collection
from typing import Any

LIMIT_S = 60.0


async def until(true: Callable[[], Any], tasks: Collection["asyncio.Task[Any]"] = (), limit_s: float = LIMIT_S) -> None:
    """Wait for a condition, which may have to be awaited itself.

    Fails after the limit (TimeoutError), and as soon as one of the tasks that it takes is over (AssertionError).
    """
    async with asyncio.timeout(limit_s):
        while not await _answer(true):
            for task in tasks:
                assert not task.done(), task
            await asyncio.sleep(0.02)


async def _answer(true: Callable[[], Any]) -> Any:
    found = true()
    return await found if inspect.isawaitable(found) else found
