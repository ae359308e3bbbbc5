"""Kafka's jars in the user's cache: fetched once, their bytes proved at every start."""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from callbus.broker.pins import KAFKA_VERSION, Pin, read_pins
from callbus.caches import cache_root
from callbus.errors import BrokerError

LEFTOVER_AFTER_S = 3600


def cache_folder() -> Path:
    """`$CALLBUS_CACHE/kafka/<version>`, or the same under the user's cache folder."""
    return cache_root() / "kafka" / KAFKA_VERSION


def fetch_jars(
    on_progress: Callable[[int, int | None], None] | None = None,
    *,
    folder: Path | None = None,
    pins: Sequence[Pin] | None = None,
    repository_url: str | None = None,
) -> list[Path]:
    """The jars' paths in classpath order, every one with the pinned sha256.

    Only what is missing or has other bytes is downloaded; `on_progress(done_bytes, total_bytes)` counts
    those and is never called when nothing is missing. Each file appears whole or not at all, so neither
    an interrupted run nor a second process at the same time does harm.
    Raises `BrokerError` when the repository can't be reached or the cache can't be written.
    """
    folder = folder or cache_folder()
    pins = read_pins() if pins is None else pins
    missing = _missing(pins, folder)
    if missing:
        from callbus.broker.download import download  # 0.7 s of imports, once per machine

        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(folder)
            download(missing, folder, on_progress, repository_url)
        except OSError as fault:
            raise BrokerError(disk_message(fault, folder, missing)) from fault
    return [folder / pin.file_name for pin in pins]


def _missing(pins: Sequence[Pin], folder: Path) -> list[Pin]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        intact = pool.map(lambda pin: _is_intact(folder / pin.file_name, pin), pins)
        return [pin for pin, good in zip(pins, intact, strict=True) if not good]


def _is_intact(file: Path, pin: Pin) -> bool:
    try:
        if file.stat().st_size != pin.size_bytes:
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == pin.sha256
    except OSError:
        return False


def _remove_leftovers(folder: Path) -> None:
    """Part files of a run that was killed; a younger one may belong to a process at work."""
    for part in folder.glob(".*.part"):
        if part.stat().st_mtime < time.time() - LEFTOVER_AFTER_S:
            part.unlink(missing_ok=True)


def disk_message(fault: OSError, folder: Path, missing: Sequence[Pin]) -> str:
    need_mb = sum(pin.size_bytes for pin in missing) / 1e6
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space left for Kafka's jars: {folder} needs {need_mb:.0f} MB. "
            "Free some, or set CALLBUS_CACHE to a folder on another disk."
        )
    return (
        f"can't write Kafka's jars to {folder}: {fault.strerror or fault}. Set CALLBUS_CACHE to a folder you can write."
    )
