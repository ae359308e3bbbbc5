"""Audio files in any usual form as plain samples: for the player, and for transcription's recordings."""

import io
from pathlib import Path

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
    import av  # FFmpeg takes a tenth of a second to load

    try:
        samples, rate_hz = _decode(io.BytesIO(source) if isinstance(source, bytes) else str(source), called)
    except (av.FFmpegError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{called}: can't be decoded ({reason}); expected {_FORMS}, whole") from error
    if samples.shape[1] == 0:
        raise InputError(f"{called}: holds no audio; expected {_FORMS} with at least one sample")
    return samples, rate_hz


def _decode(source: io.BytesIO | str, called: str) -> tuple[Samples, int]:
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
        blocks = [block.to_ndarray() for frame in container.decode(stream) for block in resampler.resample(frame)]
        blocks += [block.to_ndarray() for block in resampler.resample(None)]
        exact = not _EXACT_LENGTH.isdisjoint(container.format.name.split(","))
        stated_s = float(stream.duration * stream.time_base) if exact and stream.duration else 0.0
        channels = int(stream.channels)
    samples = np.concatenate([np.zeros((channels, 0), dtype=np.int16), *blocks], axis=1, dtype=np.int16)
    length_s = samples.shape[1] / rate_hz
    if length_s < stated_s - _PRIMING_S:
        raise InputError(
            f"{called}: ends after {length_s:.1f} s though its header says {stated_s:.1f} s; it is damaged or cut "
            "short, copy it again"
        )
    return samples, rate_hz
