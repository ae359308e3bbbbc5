"""What the VAD hears of a channel at another rate."""

import numpy as np
import pytest
import soxr

from consumers.transcription.resampling import MARGIN, resampled
from consumers.transcription.vad import RATE_HZ, WINDOW

QUARTER_BIT = 0.25 / 32768


@pytest.mark.parametrize("rate_hz", [8_000, 8_250, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_a_window_is_what_soxr_makes_of_it(rate_hz: int) -> None:
    """Whatever the rate, to less than the 16 bits of the samples can tell; the loudest noise is the hardest."""
    noise = np.random.default_rng(7)
    for _ in range(20):
        raw = noise.integers(-32768, 32768, (WINDOW + 2 * MARGIN) * rate_hz // RATE_HZ).astype(np.int16)
        expected = soxr.resample(raw.astype(np.float32) / 32768, rate_hz, RATE_HZ)[MARGIN : MARGIN + WINDOW]

        assert len(expected) == WINDOW
        assert np.abs(resampled(raw, rate_hz) - expected).max() < QUARTER_BIT
