"""A call's journal: what Kafka does not have yet, in order, in segments that are deleted when it has them.

An entry stands as its length and its CRC-32, four bytes each, and then itself. It is written with one system call and
not forced to disk: `kill -9` takes nothing from the page cache, a power cut may. The first entry of each segment is a
header, of which readers of the journal see nothing. A file beside the segments marks how far Kafka has them: a segment
and a place in it, eight bytes each. So a process that comes later sends nothing twice but what was on its way.
"""

import os
import struct
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 128 * 1024
_FRAME = struct.Struct(">II")
_MARK = struct.Struct(">QQ")
_MARK_NAME = "acknowledged"
_CLOSED = -1


def framed(entry: bytes) -> bytes:
    """An entry as it stands in a segment."""
    return _FRAME.pack(len(entry), zlib.crc32(entry)) + entry


def entries(data: bytes) -> tuple[list[bytes], int]:
    """The entries from the beginning of `data` that are whole, and how many bytes they take.

    What comes after those is torn off, or damaged: without a frame nothing tells where the next one would begin.
    """
    found: list[bytes] = []
    position = 0
    while position + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, position)
        entry = data[position + _FRAME.size : position + _FRAME.size + length]
        if not length or len(entry) < length or zlib.crc32(entry) != checksum:
            break
        found.append(entry)
        position += _FRAME.size + length
    return found, position


class Journal:
    """The segments of one call in a folder of their own. One task reads what others append; all in one thread."""

    def __init__(self, folder: Path, grown: Callable[[int], None], segment_bytes: int = SEGMENT_BYTES) -> None:
        """`grown` is told each change of the size in bytes. An empty or new folder; `reopened` for another."""
        self.folder = folder
        self.size_bytes = 0
        self._grown = grown
        self._segment_bytes = segment_bytes
        self._sizes: dict[int, int] = {}  # by number, in order
        self._writing = _CLOSED  # the file descriptor of the newest
        self._marking = _CLOSED  # and of the mark
        self._acknowledged = 0  # up to where, in the segment that is read
        self._reading: tuple[int, int] | None = None  # segment, and where in it what was not read begins
        self._read: deque[bytes] = deque()  # ahead of `next`, from that segment
        self._unwritten: deque[bytes] = deque()  # what the disk did not take, and must not be lost
        self._handed_out = False  # the first of those
        self._header: Callable[[], bytes] | None = None

    @classmethod
    def reopened(cls, folder: Path, grown: Callable[[int], None]) -> "tuple[Journal, bytes, list[bytes]] | None":
        """What another process left: the journal, and the header and entries of its last segment.

        A torn tail is cut off. None where nothing is left of it: then nothing of it was ever sent. Raises OSError.
        """
        journal = cls(folder, grown)
        for path in sorted(folder.glob("*.log")):
            journal._resize(int(path.stem), path.stat().st_size)
        while journal._sizes:
            last = max(journal._sizes)
            data = journal._path(last).read_bytes()
            whole, size = entries(data)
            if size < len(data):
                log.warning("journal_torn", journal=folder.name, segment=last, cut_bytes=len(data) - size)
            if whole:
                os.truncate(journal._path(last), size)
                journal._resize(last, size)
                journal._writing = os.open(journal._path(last), os.O_WRONLY | os.O_APPEND)
                journal._reading = journal._marked()
                return journal, whole[0], whole[1:]
            journal._delete(last)
        journal.remove()
        return None

    def append(self, entry: bytes, header: Callable[[], bytes], must: bool = False) -> None:
        """Put an entry at the end; `header` makes that of a segment if a new one begins.

        OSError: the disk did not take it, and nothing is changed. With `must` it is kept in memory instead.
        """
        self._header = header
        try:
            while self._unwritten and not self._handed_out:
                self._write(self._unwritten[0], header)
                self._unwritten.popleft()
            if self._unwritten:
                raise BlockingIOError("an entry before this one is not on disk")
            self._write(entry, header)
        except OSError:
            if not must:
                raise
            self._unwritten.append(entry)

    def next(self) -> bytes | None:
        """The oldest entry that is not acknowledged; None if there is none now. Raises OSError."""
        while not self._read:
            if not self._read_on():
                self._handed_out = bool(self._unwritten)
                return self._unwritten[0] if self._unwritten else None
        return self._read[0]

    def acknowledge(self) -> None:
        """What `next` gave is in Kafka."""
        if self._read:
            self._acknowledged += _FRAME.size + len(self._read.popleft())
            self._mark()
        else:
            self._unwritten.popleft()
            self._handed_out = False

    def turn(self) -> None:
        """Give back the room of what is acknowledged, which else waits for its segment to be full. Raises OSError."""
        newest = max(self._sizes, default=0)
        if self._header is None or self._read or self._unwritten or self._reading != (newest, self._sizes[newest]):
            return
        head = framed(self._header())
        if self._sizes[newest] <= len(head):
            return
        self._begin_segment(head)
        self._read_on()

    def close(self) -> None:
        """Leave it as it is on disk."""
        for file in (self._writing, self._marking):
            if file != _CLOSED:
                os.close(file)
        self._writing = self._marking = _CLOSED

    def remove(self) -> None:
        """All of it is acknowledged: it goes."""
        self.close()
        for number in list(self._sizes):
            self._delete(number)
        with suppress(OSError):  # it was never made, or somebody has put something there
            (self.folder / _MARK_NAME).unlink(missing_ok=True)
            self.folder.rmdir()

    def _write(self, entry: bytes, header: Callable[[], bytes]) -> None:
        if self._writing == _CLOSED or self._sizes[max(self._sizes)] >= self._segment_bytes:
            self._begin_segment(framed(header()))
        self._put(max(self._sizes), framed(entry))

    def _begin_segment(self, head: bytes) -> None:
        self.folder.mkdir(exist_ok=True)
        number = max(self._sizes, default=0) + 1
        before = self._writing
        self._writing = os.open(self._path(number), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        self._resize(number, 0)
        try:
            self._put(number, head)
        except OSError:
            os.close(self._writing)
            self._writing = before
            self._delete(number)
            raise
        if before != _CLOSED:
            os.close(before)

    def _put(self, number: int, data: bytes) -> None:
        """All of it, or nothing."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._writing, data[written:])
        except OSError:
            os.ftruncate(self._writing, self._sizes[number])
            raise
        self._resize(number, self._sizes[number] + len(data))

    def _read_on(self) -> bool:
        """Read what has been appended since; False if nothing has. Segments that lie behind go."""
        numbers = sorted(self._sizes)
        if not numbers:
            return False
        number, position = self._reading or (numbers[0], 0)
        if position < self._sizes[number]:
            with self._path(number).open("rb") as file:
                file.seek(position)
                data = file.read(self._sizes[number] - position)
            found, size = entries(data)
            if size < len(data):
                log.error("journal_damaged", journal=self.folder.name, segment=number, lost_bytes=len(data) - size)
            self._acknowledged = position
            if position == 0 and found:
                self._acknowledged = _FRAME.size + len(found.pop(0))
            self._read.extend(found)
            self._reading = (number, self._sizes[number])
            return True
        if number == numbers[-1]:
            return False
        self._delete(number)
        self._reading = (numbers[1], 0)
        return True

    def _mark(self) -> None:
        if self._reading is None:
            return
        with suppress(OSError):  # then it comes again, if this process is killed
            if self._marking == _CLOSED:
                self._marking = os.open(self.folder / _MARK_NAME, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._marking, _MARK.pack(self._reading[0], self._acknowledged), 0)

    def _marked(self) -> tuple[int, int] | None:
        """Where the process before this one had come to. None where that can't be told: then all of it comes again."""
        first = min(self._sizes)
        try:
            number, position = _MARK.unpack((self.folder / _MARK_NAME).read_bytes())
            data = self._path(first).read_bytes()[:position]
        except (OSError, struct.error):
            return None
        return (first, position) if number == first and position and entries(data)[1] == position else None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08}.log"

    def _delete(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)
        self._resize(number, 0)
        del self._sizes[number]

    def _resize(self, number: int, size_bytes: int) -> None:
        change = size_bytes - self._sizes.get(number, 0)
        self._sizes[number] = size_bytes
        self.size_bytes += change
        self._grown(change)
