"""From coded audio to samples, for whoever reads what doors take in. A codec more is one entry in CODECS."""

import io
from collections.abc import Callable, Mapping

import numpy as np
import soxr
from numpy.typing import NDArray

from callbus.audio import Samples

LONGEST_S = 60
"""Of compressed audio: a few kB of silence would otherwise fill the memory with days."""

_OPUS_HZ = 48_000  # what Opus decodes to, whatever was recorded
_OPUS_PACKET = _OPUS_HZ * 120 // 1000  # the longest: what a decoder may hold back at the end

Audio = NDArray[np.float32]


def _pcm_s16le(payload: bytes, _rate_hz: int) -> Samples:
    if len(payload) % 2:
        raise ValueError(f"{len(payload)} bytes are not whole samples of 2 bytes")
    return np.frombuffer(payload, dtype="<i2").astype(np.int16, copy=False)


def mulaw_table() -> Samples:
    """The sample of each byte of µ-law: sign, 3 bits of exponent, 4 of mantissa, inverted (ITU-T G.711, table 2a)."""
    code = np.arange(256) ^ 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def alaw_table() -> Samples:
    """The sample of each byte of A-law: the same, but that every second bit is inverted (ITU-T G.711, table 1a)."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, ((code & 0x0F) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 0x100) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_MULAW, _ALAW = mulaw_table(), alaw_table()


def _mulaw(payload: bytes, _rate_hz: int) -> Samples:
    return _MULAW[np.frombuffer(payload, dtype=np.uint8)]


def _alaw(payload: bytes, _rate_hz: int) -> Samples:
    return _ALAW[np.frombuffer(payload, dtype=np.uint8)]


def _ogg_opus(payload: bytes, rate_hz: int) -> Samples:
    """A whole stream, at `rate_hz`; as long as its pages say, for that is what doors count (RFC 7845 § 4)."""
    if not payload:
        return np.zeros(0, dtype=np.int16)
    import av  # FFmpeg takes a tenth of a second to load

    try:
        audio = _opus(payload)
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error
    if rate_hz != _OPUS_HZ:
        audio = soxr.resample(audio, _OPUS_HZ, rate_hz)[: len(audio) * rate_hz // _OPUS_HZ]
    samples: Samples = np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)
    return samples


def _opus(payload: bytes) -> Audio:
    import av

    with av.open(io.BytesIO(payload), format="ogg", metadata_errors="ignore") as container:
        names = [stream.codec_context.name for stream in container.streams]
        if names not in (["opus"], ["libopus"]):
            raise ValueError(f"holds {', '.join(names) or 'nothing'}; expected one Opus stream")
        stream = container.streams.audio[0]
        if stream.channels != 1:
            raise ValueError(f"has {stream.channels} channels; expected 1, each voice on a channel of its own")
        pre_skip = int.from_bytes(stream.codec_context.extradata[10:12], "little")  # RFC 7845 § 5.1
        stated = max(0, int(stream.duration or 0) - pre_skip)
        audio, decoded = np.zeros(stated if stated <= LONGEST_S * _OPUS_HZ else 0, dtype=np.float32), 0
        for frame in container.decode(stream):
            block = frame.to_ndarray()[0]
            block = block / np.float32(32768) if block.dtype == np.int16 else block
            if max(stated, decoded + len(block)) > LONGEST_S * _OPUS_HZ:
                raise ValueError(f"is longer than {LONGEST_S} s; publish a finished call as a Recording")
            room = audio[decoded : decoded + len(block)]
            room[:] = block[: len(room)]
            decoded += len(block)
        if decoded < stated - _OPUS_PACKET:  # FFmpeg passes over a damaged page without a word
            raise ValueError(f"holds {decoded / _OPUS_HZ:.2f} s though its pages say {stated / _OPUS_HZ:.2f} s")
    return audio


CODECS: Mapping[str, Callable[[bytes, int], Samples]] = {
    "pcm_s16le": _pcm_s16le,
    "mulaw": _mulaw,
    "alaw": _alaw,
    "ogg_opus": _ogg_opus,
}
"""By the names of `AudioChunk.codec`: payload and rate in Hz to samples. ValueError for what is not of that codec."""
