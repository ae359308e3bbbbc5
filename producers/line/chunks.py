"""Gathering: bytes of any size become the slices of a leg that its chunks carry. Pure: no clock, no disk, no Kafka.

Where a slice is cut depends on the bytes alone, never on how they came in; only a hole begins a new one early.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from producers.line import ogg

CHUNK_MS = 250
SLOWEST_HZ, FASTEST_HZ = 8_000, 48_000
_SAMPLE_BYTES: Mapping[str, int] = {"pcm_s16le": 2, "mulaw": 1, "alaw": 1}
_OGG = "ogg_opus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounding:
    """How a leg's bytes are to be read. ValueError for a codec or a rate that no chunk may have."""

    codec: str  # "pcm_s16le", "mulaw", "alaw", "ogg_opus": the names of AudioChunk.codec
    rate_hz: int

    def __post_init__(self) -> None:
        if self.codec not in _SAMPLE_BYTES and self.codec != _OGG:
            raise ValueError(f"codec {self.codec!r}: known are {', '.join([*_SAMPLE_BYTES, _OGG])}")
        if not SLOWEST_HZ <= self.rate_hz <= FASTEST_HZ:
            raise ValueError(f"{self.rate_hz} Hz: expected {SLOWEST_HZ} to {FASTEST_HZ} Hz")

    def samples(self, payload: bytes) -> int:
        """How many whole samples these bytes are. ValueError for what is no Ogg stream, where it should be one."""
        if self.codec == _OGG:
            return ogg.samples(payload, self.rate_hz)
        return len(payload) // _SAMPLE_BYTES[self.codec]

    @property
    def chunk_bytes(self) -> int:
        """The size of a full chunk; 0 where each payload is one."""
        return self.rate_hz * CHUNK_MS // 1000 * _SAMPLE_BYTES.get(self.codec, 0)


class Slice(NamedTuple):
    """What one chunk carries."""

    start_sample: int
    samples: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gathered:
    """A leg so far: where its next slice begins, and the bytes of it that have come. A value."""

    start_sample: int = 0
    held: bytes = b""


def heard(leg: Gathered, payload: bytes, sounding: Sounding) -> tuple[Gathered, list[Slice]]:
    """The leg with these bytes, and the slices that became full. ValueError as `Sounding.samples`."""
    size = sounding.chunk_bytes
    if not size:
        samples = sounding.samples(payload)
        return Gathered(leg.start_sample + samples), [Slice(leg.start_sample, samples, payload)]
    held, start_sample, full = leg.held + payload, leg.start_sample, []
    whole_bytes = len(held) - len(held) % size
    for begin in range(0, whole_bytes, size):
        samples = sounding.samples(held[begin : begin + size])
        full.append(Slice(start_sample, samples, held[begin : begin + size]))
        start_sample += samples
    return Gathered(start_sample, held[whole_bytes:]), full


def skipped(leg: Gathered, samples: int, sounding: Sounding) -> tuple[Gathered, list[Slice]]:
    """The leg beyond a hole of so many samples, and what was held before it. Half a sample is lost with the hole."""
    before = rest(leg, sounding)
    return Gathered(before.start_sample + before.samples + samples), [before] if before.samples else []


def rest(leg: Gathered, sounding: Sounding) -> Slice:
    """What is held: the leg's last slice, which may be empty."""
    samples = sounding.samples(leg.held) if leg.held else 0
    whole_bytes = samples * _SAMPLE_BYTES.get(sounding.codec, 0)
    return Slice(leg.start_sample, samples, leg.held[:whole_bytes])
