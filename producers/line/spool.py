"""The folder where a door keeps what Kafka does not have yet: bounded, and one process's alone."""

import fcntl
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from callbus.errors import InputError
from producers.line.journal import Journal

SMALLEST_BYTES = 256 * 1024
LIFECYCLE_BYTES = 4_096
"""Kept free for each call: its last chunks and its end always fit."""
_RESERVE_BYTES = 4 << 20  # likewise for the calls that may come while audio is refused; an eighth of a small spool


class Spool:
    """A folder with a journal for each call. `used_bytes` is what they hold now."""

    def __init__(self, folder: Path, limit_bytes: int = 1 << 30) -> None:
        """InputError for a limit that leaves no room to work in."""
        if limit_bytes < SMALLEST_BYTES:
            raise InputError(f"a spool of {limit_bytes} bytes is too small; give {SMALLEST_BYTES} or more")
        self.folder, self.limit_bytes = folder, limit_bytes
        self.used_bytes = 0
        self._journals: set[Journal] = set()
        self._lock: TextIO | None = None

    def open(self, door: str) -> None:
        """Take the folder for this process. InputError where it can't be written, or is another process's or door's."""
        if self._lock is not None:
            return
        try:
            self._calls.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)  # what was said is in it
            lock = (self.folder / "lock").open("a+", encoding="utf-8")
        except OSError as problem:
            raise InputError(
                f"{self.folder}: can't be written ({problem.strerror}); name a folder of the door's own with --spool"
            ) from problem
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            lock.close()
            raise InputError(
                f"{self.folder}: another process works with this spool; each door process needs its own --spool"
            ) from problem
        lock.seek(0)
        if (owner := lock.read().strip() or door) != door:
            lock.close()
            raise InputError(f"{self.folder}: is the spool of door {owner}; give {door} one of its own with --spool")
        lock.truncate(0)
        lock.write(door)
        lock.flush()
        self._lock = lock

    def close(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def journal(self, call_id: str) -> Journal:
        """A new call's journal."""
        journal = Journal(self._calls / hashlib.sha256(call_id.encode()).hexdigest()[:32], self._grown)
        self._journals.add(journal)
        return journal

    def left(self) -> list[tuple[Journal, bytes, list[bytes]]]:
        """What a process before this one left, as `Journal.reopened`. InputError where it can't be read."""
        try:
            found = [Journal.reopened(folder, self._grown) for folder in sorted(self._calls.iterdir())]
        except (OSError, ValueError) as problem:
            raise InputError(
                f"{self._calls}: can't be read ({problem}); see to its files and their rights"
            ) from problem
        left = [each for each in found if each is not None]
        self._journals.update(journal for journal, _, _ in left)
        return left

    def gone(self, journal: Journal) -> None:
        """This call is in Kafka, or never was: its journal goes."""
        journal.remove()
        self._journals.discard(journal)

    def takes_call(self, size_bytes: int) -> bool:
        """Whether one more call can be begun, and ended."""
        return self._fits(size_bytes + LIFECYCLE_BYTES * (len(self._journals) + 1))

    def takes_audio(self, size_bytes: int) -> bool:
        """Whether so much more can be kept, beside what is kept free for the calls' ends."""
        reserve = max(min(self.limit_bytes // 8, _RESERVE_BYTES), LIFECYCLE_BYTES * len(self._journals))
        return self._fits(size_bytes + reserve)

    def _fits(self, size_bytes: int) -> bool:
        if self.used_bytes + size_bytes > self.limit_bytes:
            for journal in self._journals:
                with suppress(OSError):
                    journal.turn()
        return self.used_bytes + size_bytes <= self.limit_bytes

    @property
    def _calls(self) -> Path:
        return self.folder / "calls"

    def _grown(self, change_bytes: int) -> None:
        self.used_bytes += change_bytes
