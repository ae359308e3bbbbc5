"""From a chunk's payload to samples. A codec more is one entry in CODECS."""

from collections.abc import Callable, Mapping

import numpy as np

from callbus.audio import Samples
from callbus.errors import Reject
from schemas.records import AudioChunk

SLOWEST_HZ, FASTEST_HZ = 4_000, 192_000


def _pcm_s16le(payload: bytes) -> Samples:
    if len(payload) % 2:
        raise ValueError(f"{len(payload)} bytes are not whole samples of 2 bytes")
    return np.frombuffer(payload, dtype="<i2").astype(np.int16, copy=False)


CODECS: Mapping[str, Callable[[bytes], Samples]] = {"pcm_s16le": _pcm_s16le}


def decode(chunk: AudioChunk) -> Samples:
    """The chunk's samples. Raises `Reject` for a chunk that no replay could make sense of."""
    where = f"chunk {chunk.sequence} of {chunk.channel}"
    if chunk.codec not in CODECS:
        raise Reject(f"{where}: unknown codec {chunk.codec!r}; known: {', '.join(sorted(CODECS))}")
    if not SLOWEST_HZ <= chunk.sample_rate_hz <= FASTEST_HZ:
        raise Reject(f"{where}: {chunk.sample_rate_hz} Hz; expected {SLOWEST_HZ} to {FASTEST_HZ} Hz")
    if chunk.start_sample < 0 or chunk.sequence < 0:
        raise Reject(f"{where}: starts at sample {chunk.start_sample}; both count from 0")
    if chunk.channels < 1:
        raise Reject(f"{where}: says that the call has {chunk.channels} channels; expected 1 or more")
    try:
        return CODECS[chunk.codec](chunk.payload)
    except ValueError as error:
        raise Reject(f"{where}: its payload is not {chunk.codec}: {error}") from error
