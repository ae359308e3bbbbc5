"""From a chunk's payload to samples."""

from callbus.audio import Samples
from callbus.errors import Reject
from callbus.sound_codecs import CODECS, LONGEST_S
from schemas.records import AudioChunk

__all__ = ["FASTEST_HZ", "LONGEST_S", "SLOWEST_HZ", "decode"]

SLOWEST_HZ, FASTEST_HZ = 4_000, 192_000


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
        return CODECS[chunk.codec](chunk.payload, chunk.sample_rate_hz)
    except ValueError as error:
        raise Reject(f"{where}: its payload is not {chunk.codec}: {error}") from error
