"""Recording calls: while one runs, the samples of each leg go to a file of their own; of those, one FLAC file is made.

    FOLDER/unfinished/<name>.<leg>.pcm   s16le, each sample at its place: a hole is silence, and takes no room
    FOLDER/<name>.flac                   when the call is over; the `.pcm` files go once Kafka knows of it

**The disk.** A call is recorded only if more than `free_bytes` of it are free as the call begins; else it is heard live
alone, and its `mode` says so. What is kept free is for the calls that run by then. If the disk takes no more in the
middle of a call: a hybrid one goes on live alone (`heard_again` is false from then on, and `failed` is said once), its
recording goes. A post-call one has nothing else: what can't be written is silence in its recording, said as `failed`
once and counted in seconds like audio that a spool refuses; recording goes on as soon as there is room. Making the file
is tried until it works. Finished recordings are never deleted here.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from callbus.errors import InputError
from callbus.sound_codecs import CODECS
from producers.line.chunks import Slice, Sounding
from producers.line.flac import LAYOUTS, SAMPLE_BYTES, write_flac
from schemas.records import Speaker

log = structlog.get_logger(__name__)

_UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that is whole."""

    path: Path
    sha256: str
    duration_ms: int


class Recordings:
    """The folder where a door's recordings lie; other doors may use it too."""

    def __init__(self, folder: Path, free_bytes: int = 1 << 30) -> None:
        self.folder, self.free_bytes = folder, free_bytes
        self._told_full = False

    def open(self) -> None:
        """InputError where it can't be written."""
        try:
            for folder in (self.folder, self.folder / _UNFINISHED):
                if not folder.is_dir():
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what was said is in it
            probe = self.folder / _UNFINISHED / f".{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as problem:
            raise InputError(
                f"{self.folder}: can't be written ({problem.strerror}); name another folder with --recordings"
            ) from problem

    def has_room(self) -> bool:
        """Whether a call more may be recorded."""
        try:
            room = shutil.disk_usage(self.folder).free > self.free_bytes
        except OSError:
            room = False
        if not room and not self._told_full:
            log.warning("not_recorded", folder=str(self.folder), then="calls are heard live alone until there is room")
        self._told_full = not room
        return room

    def begin(self, door: str, call_id: str, at_ms: int, legs: Sequence[Speaker], sounding: Sounding) -> "Recorder":
        """The recorder of a call that began at `at_ms`. Raises OSError."""
        name = hashlib.sha256(call_id.encode()).hexdigest()[:32]
        target = (self.folder / f"{door}-{at_ms}-{name}.flac").resolve()
        return Recorder(target, legs, sounding, new=True)


class Recorder:
    """The recording of one call. `make` may run in a thread of its own once it is closed."""

    def __init__(self, target: Path, legs: Sequence[Speaker], sounding: Sounding, new: bool = False) -> None:
        """Goes on with what is there, if it is not `new`. Raises OSError."""
        self.target, self.sounding = target, sounding
        self._paths = {leg: target.parent / _UNFINISHED / f"{target.stem}.{leg}.pcm" for leg in legs}
        self._files: dict[Speaker, int] = {}
        self._lengths = dict.fromkeys(legs, 0)  # in samples
        self.written_ms = 0  # when it was written last before, Unix time in ms
        try:
            for leg, path in self._paths.items():
                self._files[leg] = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_EXCL if new else 0), 0o600)
                there = os.fstat(self._files[leg])
                self._lengths[leg] = there.st_size // SAMPLE_BYTES
                if there.st_size:
                    self.written_ms = max(self.written_ms, there.st_mtime_ns // 1_000_000)
        except OSError:
            self.close()
            raise

    @property
    def samples(self) -> int:
        """How long it is by now."""
        return max(self._lengths.values())

    @property
    def length_ms(self) -> int:
        """The same in time."""
        return self.samples * 1000 // self.sounding.rate_hz

    def write(self, leg: Speaker, slice_: Slice) -> None:
        """The slice's samples at their place; an empty one says how far the leg has come.

        Raises OSError, and ValueError for a payload that can't be decoded.
        """
        samples = CODECS[self.sounding.codec](slice_.payload, self.sounding.rate_hz)
        data = memoryview(samples.astype("<i2", copy=False).tobytes())[: slice_.samples * SAMPLE_BYTES]
        file, at = self._files[leg], slice_.start_sample * SAMPLE_BYTES
        length = slice_.start_sample + slice_.samples
        while data:
            written = os.pwrite(file, data, at)
            data, at = data[written:], at + written
        if length > self._lengths[leg]:
            os.ftruncate(file, length * SAMPLE_BYTES)  # a hole at the end is silence too
            self._lengths[leg] = length

    def make(self) -> Recorded | None:
        """The finished file; the same again, if it was there. None where nothing is left of it. Raises OSError."""
        if not self.samples:
            return None
        temporary = self.target.parent / _UNFINISHED / self.target.name
        sha256 = write_flac(list(self._paths.values()), self.sounding.rate_hz, temporary)
        temporary.replace(self.target)
        return Recorded(self.target, sha256, self.length_ms)

    def close(self) -> None:
        """No more is written."""
        for file in self._files.values():
            os.close(file)
        self._files = {}

    def discard(self) -> None:
        """What it was made of goes, or all of it where it was not made."""
        self.close()
        for path in self._paths.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)


def can_record(legs: Sequence[Speaker]) -> bool:
    """Whether one file has a channel for each of these legs."""
    return len(legs) <= len(LAYOUTS)
