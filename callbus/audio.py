"""Audio files in any usual form as plain samples: for the player, and for transcription's recordings."""

import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from callbus.errors import InputError

Samples = NDArray[np.int16]

_FORMS = "wav, flac, mp3, ogg or m4a"
_EXACT_LENGTH = frozenset({"flac", "wav", "w64", "aiff", "caf", "mov", "ogg"})  # mp3 headers only estimate it
_PRIMING_S = 0.1  # what a codec may add or trim at the ends; more is missing audio


def decode_file(source: str | Path | bytes, name: str | None = None) -> tuple[Samples, int]:
    """All of an audio file: samples as int16 of shape [channels, samples] at the file's own rate, and that rate in Hz.

    `source` is a path or the file's bytes; `name` is what an error calls it. Raises `InputError` for a file that is
    missing, empty, not audio, damaged, or that is shorter than its own header says.
    """
    called = name or ("the audio" if isinstance(source, bytes) else str(source))
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise InputError(f"{called}: no such file; name an audio file ({_FORMS})")
    blocks = list(decode(io.BytesIO(source) if isinstance(source, bytes) else str(source), called))
    return np.concatenate([samples for samples, _ in blocks], axis=1), blocks[0][1]


def decode(source: BinaryIO | str, called: str) -> Iterator[tuple[Samples, int]]:
    """The same block by block, a fraction of a second each. A damaged file raises where the damage is, one that is too
    short at its end: what came before is not to be believed until all of it has come."""
    import av  # FFmpeg takes a tenth of a second to load

    try:
        yield from _decode(source, called)
    except (av.FFmpegError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{called}: can't be decoded ({reason}); expected {_FORMS}, whole") from error


def _decode(source: BinaryIO | str, called: str) -> Iterator[tuple[Samples, int]]:
    import av
    from av.audio.resampler import AudioResampler

    options = {"err_detect": "crccheck+explode"}  # or FFmpeg plays on over damaged frames
    with av.open(source, mode="r", metadata_errors="ignore", options=options) as container:
        if not container.streams.audio:
            raise InputError(f"{called}: has no audio in it; expected {_FORMS}")
        stream = container.streams.audio[0]
        stream.codec_context.options = options
        rate_hz = int(stream.rate)
        resampler = AudioResampler(format="s16p", layout=stream.layout, rate=rate_hz)
        exact = not _EXACT_LENGTH.isdisjoint(container.format.name.split(","))
        length = 0
        for frame in chain(container.decode(stream), (None,)):
            for block in resampler.resample(frame):
                length += block.samples
                yield block.to_ndarray().astype(np.int16, copy=False), rate_hz
        stated_s = float(stream.duration * stream.time_base) if exact and stream.duration else 0.0
    length_s = length / rate_hz
    if length_s < stated_s - _PRIMING_S:
        raise InputError(
            f"{called}: ends after {length_s:.1f} s though its header says {stated_s:.1f} s; it is damaged or cut "
            "short, copy it again"
        )
    if not length:
        raise InputError(f"{called}: holds no audio; expected {_FORMS} with at least one sample")
