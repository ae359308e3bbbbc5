"""Pinned jars over the network: in parallel, with retries, each file whole or not there at all."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import httpx
import jgo

from callbus.broker.pins import Pin
from callbus.errors import BrokerError

OnProgress = Callable[[int, int | None], None]
"""Called with (bytes done, bytes in all), by one thread at a time."""

PARALLEL = 8
PAUSES_S = (0.5, 1.0, 2.0)
READ_TIMEOUT_S = 10.0
BLOCK_BYTES = 1 << 16


class _WrongBytes(Exception):
    """What arrived is not what was pinned."""


class _Progress:
    def __init__(self, total_bytes: int, on_progress: OnProgress | None) -> None:
        self._total_bytes, self._on_progress = total_bytes, on_progress
        self._done_bytes = 0
        self._lock = threading.Lock()

    def add(self, count_bytes: int) -> None:
        with self._lock:
            self._done_bytes += count_bytes
            if self._on_progress:
                self._on_progress(self._done_bytes, self._total_bytes)


@dataclass(frozen=True)
class _Run:
    """What the parallel downloads share; `stop` is set once one has failed, or on Ctrl-C."""

    http: httpx.Client
    url: str
    folder: Path
    progress: _Progress
    stop: threading.Event


def download(
    pins: Sequence[Pin], folder: Path, on_progress: OnProgress | None, repository_url: str | None = None
) -> None:
    """Fetch `pins` into `folder` from a Maven repository (default: Maven Central).

    Raises `BrokerError` when the repository can't be reached, lacks a jar or serves other bytes, and
    `OSError` when the folder can't be written.
    """
    url = (repository_url or jgo.MAVEN_CENTRAL_URL).rstrip("/")
    progress = _Progress(sum(pin.size_bytes for pin in pins), on_progress)
    plain = {"accept-encoding": "identity"}
    http = httpx.Client(timeout=READ_TIMEOUT_S, follow_redirects=True, headers=plain)
    run = _Run(http, url, folder, progress, threading.Event())
    with http, ThreadPoolExecutor(PARALLEL) as pool:
        jobs = [pool.submit(_fetch, run, pin) for pin in pins]
        try:
            wait(jobs, return_when=FIRST_EXCEPTION)
        finally:
            run.stop.set()
    for job in jobs:
        job.result()


def _fetch(run: _Run, pin: Pin) -> None:
    for pause_s in (*PAUSES_S, None):
        if run.stop.is_set():
            return
        try:
            return _fetch_once(run, pin)
        except (httpx.TransportError, httpx.HTTPStatusError, _WrongBytes) as fault:
            if pause_s is None or _is_final(fault):
                raise BrokerError(_message(run, pin, fault)) from fault
        run.stop.wait(pause_s)


def _fetch_once(run: _Run, pin: Pin) -> None:
    received_bytes = 0
    digest = hashlib.sha256()
    handle, part = tempfile.mkstemp(dir=run.folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, run.http.stream("GET", f"{run.url}/{pin.path}") as response:
            response.raise_for_status()
            for block in response.iter_bytes(BLOCK_BYTES):
                if run.stop.is_set():
                    return
                file.write(block)
                digest.update(block)
                received_bytes += len(block)
                run.progress.add(len(block))
        if digest.hexdigest() != pin.sha256:
            got = f"{received_bytes} bytes with sha256 {digest.hexdigest()}"
            raise _WrongBytes(got)  # noqa: TRY301 -- the clean-up below is for every fault alike
        Path(part).chmod(0o644)
        Path(part).replace(run.folder / pin.file_name)
    except BaseException:
        run.progress.add(-received_bytes)
        raise
    finally:
        Path(part).unlink(missing_ok=True)


def _is_final(fault: Exception) -> bool:
    """A client error other than 408 and 429 will be the same the next time."""
    if not isinstance(fault, httpx.HTTPStatusError):
        return False
    code = fault.response.status_code
    return 400 <= code < 500 and code not in (408, 429)


def _message(run: _Run, pin: Pin, fault: Exception) -> str:
    if isinstance(fault, _WrongBytes):
        return (
            f"{run.url} serves other bytes for {pin.coordinate} than pinned (sha256 {pin.sha256}): {fault}. "
            "A proxy may be answering in its place; nothing was kept. Try another network."
        )
    why = str(fault).partition("\n")[0] or type(fault).__name__
    return (
        f"can't fetch {pin.coordinate} for the embedded Kafka from {run.url}: {why}. It is needed once: check "
        f"the network (HTTPS_PROXY is honoured) and try again, or copy {run.folder} from a machine that has it."
    )
