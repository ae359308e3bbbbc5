"""A recording's audio on this machine's disk: checked, decoded, and read at any place. It is made piece by piece, so
that live calls pass between, and nothing of it can be read before all of it is known to be right."""

import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

import fsspec
import numpy as np

from callbus.audio import Samples, decode
from callbus.errors import InputError, Reject, Retry
from schemas.records import Recording

PIECE_BYTES = 16 << 20  # to hash at once: 20 to 150 ms
PIECE_S = 180  # of audio to decode at once: 0.1 to 0.2 s of a telephone call


class CopyFailed(Retry):
    """This machine can't write the copy, or read it or its source now: its disk is full, or does not answer. Nothing is
    wrong with the recording: its copy is to be begun anew later."""


class Copy:
    """One recording's audio. Its steps only go forward, so a batch that is tried again goes on where it was; once one
    has failed, all do.

    The decoded samples lie in a file without a name, 2 bytes each: it is gone with the process.
    """

    def __init__(self, recording: Recording) -> None:
        """Find the file. `Reject` if it isn't there; `Retry` if its store doesn't answer, `CopyFailed` if there is no
        place for it. Nothing of a file on this machine is read yet; from elsewhere it is fetched whole, to disk."""
        self.ready = False
        self.rate_hz = self.length = 0  # samples of each channel
        self._recording = recording
        self._source = _opened(recording.uri)
        try:
            self._samples: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as this does)
        except OSError as error:
            raise _failed(recording, error) from error
        self._steps = Copy._all(weakref.proxy(self))  # so that its files go with the last one who has it, and at once
        # Why it was refused, or failed; not the error, whose traceback would hold this copy.
        self._word: tuple[type[Reject | Retry], str] | None = None

    def step(self) -> None:
        """Do one more piece, until `ready`. `Reject` if the file isn't the one that was meant, isn't whole audio or
        has other channels; `CopyFailed`."""
        if self._word:
            kind, reason = self._word
            raise kind(reason)
        try:
            self.ready = next(self._steps, True)
        except (Reject, Retry) as problem:
            self._word = type(problem), str(problem)
            raise

    def read(self, start: int, end: int) -> Samples:
        """Samples of all channels, [channels, samples]; fewer at the end. `CopyFailed`."""
        width = 2 * len(self._recording.channels)
        try:
            content = os.pread(self._samples.fileno(), (end - start) * width, start * width)
        except OSError as error:
            raise _failed(self._recording, error) from error
        return np.frombuffer(content, "<i2").reshape(-1, len(self._recording.channels)).T

    def _all(self) -> Iterator[bool]:
        """False after each piece with more to come, True after the last. A small recording is one piece."""
        try:
            yield from Copy._check(self)  # not `self._check()`: that would hold more than a weak reference
            yield from Copy._decode(self)
        except InputError as error:
            raise Reject(str(error)) from error
        except OSError as error:
            raise _failed(self._recording, error) from error
        self._source.close()
        yield True

    def _check(self) -> Iterator[bool]:
        uri, stated, digest = self._recording.uri, self._recording.sha256, hashlib.sha256()
        while piece := self._source.read(PIECE_BYTES):
            digest.update(piece)
            if len(piece) == PIECE_BYTES:
                yield False
        if digest.hexdigest() != stated.lower():
            raise Reject(
                f"{uri}: sha256 is {digest.hexdigest()}, but the event says {stated}; it is another file or was "
                "changed: publish the recording again with its own digest"
            )

    def _decode(self) -> Iterator[bool]:
        self._source.seek(0)
        names, uri = self._recording.channels, self._recording.uri
        pause = PIECE_S
        for block, rate_hz in decode(self._source, uri):
            if len(names) != len(block) or len(set(names)) != len(names):
                raise Reject(
                    f"{uri}: has {len(block)} channel(s), but the event names {', '.join(names) or 'none'}; name each "
                    "of them once, in the file's order"
                )
            self._samples.write(np.ascontiguousarray(block.T, "<i2").tobytes())
            self.rate_hz = rate_hz
            self.length += block.shape[1]
            if self.length >= pause * rate_hz:
                pause += PIECE_S
                yield False
        self._samples.flush()


def _failed(recording: Recording, error: OSError) -> CopyFailed:
    return CopyFailed(
        f"{recording.uri}: can't be copied now ({error}); it is tried again: see that the disks of its file and of "
        f"{tempfile.gettempdir()} answer and are not full"
    )


def may_wait(recording: Recording) -> bool:
    """Whether its file lies on this machine, and can be opened later. What lies elsewhere is fetched while its event is
    in hand: only then can the event wait for a store that does not answer. Raises as `Copy` if it isn't there."""
    store, _ = _found(recording.uri)
    if _is_local(store):
        _opened(recording.uri).close()
    return _is_local(store)


def _found(uri: str) -> tuple[Any, str]:
    try:
        store, path = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise Reject(f"{uri}: can't be read ({error}); expected file:// or https://") from error
    return store, path


def _is_local(store: Any) -> bool:
    return "file" in (store.protocol if isinstance(store.protocol, tuple) else (store.protocol,))


def _opened(uri: str) -> BinaryIO:
    store, path = _found(uri)
    try:
        if _is_local(store):
            return Path(path).open("rb")
        fetched = tempfile.TemporaryFile()  # noqa: SIM115
        store.get_file(path, fetched)
        fetched.seek(0)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Reject(f"{uri}: no such file; publish the recording again once it is where its uri says") from error
    except Exception as error:  # each store has its own errors
        raise Retry(f"{uri}: its store does not answer ({error})") from error
    return fetched
