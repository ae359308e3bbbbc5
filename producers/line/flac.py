"""A call's legs, each a file of plain samples, as the channels of one FLAC file. Lossless: 16 bit, the legs' rate."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

SAMPLE_BYTES = 2
LAYOUTS = ("mono", "stereo", "3.0")
"""What FFmpeg calls one, two and three channels."""

_BLOCK = 1 << 16  # samples of each leg in memory at a time


def write_flac(legs: Sequence[Path], rate_hz: int, target: Path) -> str:
    """Write `target` (0600) with a channel for each of these files (s16le, mono); its sha256, 64 hex digits.

    As long as the longest of them: the others are silent from their end on. OSError where the disk does not take it.
    """
    import av  # FFmpeg takes a tenth of a second to load

    samples = max(leg.stat().st_size for leg in legs) // SAMPLE_BYTES
    with ExitStack() as stack:
        files = [stack.enter_context(leg.open("rb")) for leg in legs]
        private = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        file = stack.enter_context(os.fdopen(private, "wb"))
        layout = LAYOUTS[len(legs) - 1]
        try:
            with av.open(file, "w", format="flac") as container:
                stream = container.add_stream("flac", rate=rate_hz, layout=layout)
                for start in range(0, samples, _BLOCK):
                    rows = [_read(one, min(_BLOCK, samples - start)) for one in files]
                    frame = av.AudioFrame.from_ndarray(np.stack(rows, axis=1).reshape(1, -1), "s16", layout)
                    frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except av.FFmpegError as problem:
            raise OSError(problem.errno, problem.strerror) from problem
        file.flush()
        os.fsync(file.fileno())  # of a call that was not live it is all there is
    with target.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def _read(file: IO[bytes], samples: int) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    row = np.zeros(samples, dtype=np.int16)
    there = np.frombuffer(file.read(samples * SAMPLE_BYTES), dtype="<i2")
    row[: len(there)] = there
    return row
