"""Any usual audio file as samples, or a reason why not."""

import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from callbus.audio import decode_file
from callbus.errors import InputError
from tests.sounds import SAMPLES, Samples

SAMPLE = SAMPLES / "maintenance_custody.flac"
FORMS = [
    ("wav", "pcm_s16le", 8000),
    ("wav", "pcm_mulaw", 8000),
    ("flac", "flac", 44_100),
    ("mp3", "libmp3lame", 22_050),
    ("ogg", "libopus", 48_000),
    ("ipod", "aac", 16_000),
]


def encode(samples: Samples, form: str, codec: str, rate_hz: int) -> bytes:
    """The samples (8 kHz) as a file of this form."""
    layout = "mono" if len(samples) == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T.reshape(1, -1)), format="s16", layout=layout)
    frame.sample_rate = 8000
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        context = stream.codec_context
        resampler = av.AudioResampler(context.format, layout, rate_hz, frame_size=context.frame_size or 0)
        for ready in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(ready))
    return file.getvalue()


@pytest.fixture(scope="module")
def samples() -> Samples:
    return decode_file(SAMPLE)[0]


def test_a_sample_call() -> None:
    """Two channels at their own rate."""
    samples, rate_hz = decode_file(SAMPLE)
    assert (samples.shape, str(samples.dtype), rate_hz) == ((2, 291_930), "int16", 8000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("form", "codec", "rate_hz"), FORMS)
def test_every_form_is_read(samples: Samples, form: str, codec: str, rate_hz: int, channels: int) -> None:
    """Both channels, whole, at the file's rate, from bytes."""
    decoded, rate = decode_file(encode(samples[:channels], form, codec, rate_hz))
    assert (len(decoded), str(decoded.dtype), rate) == (channels, "int16", rate_hz)
    assert decoded.shape[1] / rate == pytest.approx(36.49, abs=0.15)
    assert np.abs(decoded).max(axis=1) == pytest.approx(np.abs(samples[:channels]).max(axis=1), rel=0.3)


def test_lossless_forms_keep_every_sample(samples: Samples) -> None:
    """WAV and FLAC at the same rate come back bit for bit."""
    for form, codec in (("wav", "pcm_s16le"), ("flac", "flac")):
        assert np.array_equal(decode_file(encode(samples, form, codec, 8000))[0], samples)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names it and what was expected."""
    with pytest.raises(InputError, match=r"gone\.wav: no such file"):
        decode_file(tmp_path / "gone.wav")


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "text": lambda content: b"this is no audio at all " * 400,
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: bytes(
        byte ^ 0x5A if len(content) // 2 <= at < len(content) // 2 + 200 else byte for at, byte in enumerate(content)
    ),
    "headless": lambda content: content[4000:],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_refused(how: str) -> None:
    """Never a part of the audio as if it were all of it."""
    with pytest.raises(InputError, match=r"^call 7: "):
        decode_file(BROKEN[how](SAMPLE.read_bytes()), "call 7")


def test_a_file_without_samples_is_refused(samples: Samples) -> None:
    """A header with nothing behind it."""
    with pytest.raises(InputError, match=r"the audio: "):
        decode_file(encode(samples, "wav", "pcm_s16le", 8000)[:44])
