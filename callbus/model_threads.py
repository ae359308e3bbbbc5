"""The threads that models run in. A call of a model can't be broken off: the process may end while one is at work."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from callbus.topology import Group

P = ParamSpec("P")
T = TypeVar("T")

_END_S = 1.0  # for those that are at nothing
_NAME = "model-"


class ModelThread(Executor):
    """One thread, one call after the other. Python waits for those of concurrent.futures when it ends; not for this."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=_NAME + name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[P, T], /, *args: P.args, **settings: P.kwargs) -> "Future[T]":
        """As any executor's: what the call returns or raises, once it has had its turn."""
        future: Future[T] = Future()
        self._calls.put((future, lambda: call(*args, **settings)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End once all calls are done. `wait` for that; but a process that ends need not.

        `cancel_futures` drops those that have not begun.
        """
        while cancel_futures and not self._calls.empty():
            if waiting := self._calls.get():
                waiting[0].cancel()
        self._calls.put(None)
        if wait:
            self._thread.join()

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, after `shutdown`, for so long at most."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (next_one := self._calls.get()) is not None:
            future, call = next_one
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as problem:  # whoever waits for the future is told, whatever it is
                future.set_exception(problem)


class ModelThreads:
    """A thread per GPU, so that one runs one model call at a time; on a CPU a thread per group, shared by the cores.

    A context, whose end breaks nothing off and waits for nothing that is at work: see `at_work`.
    """

    def __init__(self) -> None:
        self._threads: dict[str, ModelThread] = {}

    def __enter__(self) -> "ModelThreads":
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)
        deadline_s = time.monotonic() + _END_S
        for thread in self._threads.values():
            thread.ends_within(deadline_s - time.monotonic())

    def of(self, group: Group) -> Executor:
        """The thread of this group's model."""
        on_gpu = group.device.startswith("cuda") or (group.device == "auto" and Path("/dev/nvidia0").exists())
        name = group.device if group.models and on_gpu else group.name
        if name not in self._threads:
            self._threads[name] = ModelThread(name)
        return self._threads[name]


def at_work() -> bool:
    """Whether a model's thread is left in this process. Python must not be taken down under its native code: a process
    that is to end now ends by `os._exit`."""
    return any(thread.name.startswith(_NAME) for thread in threading.enumerate())
