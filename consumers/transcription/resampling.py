"""One window of a channel's audio at the rate of the VAD, from any rate. Pure.

A window's samples depend on the audio around it only, never on how much came at once: what is resampled as a whole
differs in the last bits by where it begins.
"""

from functools import cache

import numpy as np
import soxr
from numpy.typing import NDArray

from callbus.audio import Samples
from consumers.transcription.vad import RATE_HZ, WINDOW, Audio

MARGIN = 640  # samples at RATE_HZ on both sides of a window, so that the filter meets no edge
_BLOCK = 64  # samples at RATE_HZ that one product with the filter makes
_EVEN = 2_000  # at multiples of it blocks, reach and margins are whole samples of the other rate too
_REACH = 200  # samples at RATE_HZ: beyond them the filter's taps are below what 16 bits can tell


def resampled(raw: Samples, rate_hz: int) -> Audio:
    """The WINDOW samples, within ±1, in the middle of `raw`, which has the margins too.

    soxr's own filter, but for telephone rates and their multiples as a product with its taps: a filter that is set up
    anew for every 32 ms costs more than its work.
    """
    audio: Audio = raw.astype(np.float32) / np.float32(32768)
    if rate_hz == RATE_HZ:
        return audio[MARGIN : MARGIN + WINDOW]
    if rate_hz % _EVEN:
        whole: Audio = soxr.resample(audio, rate_hz, RATE_HZ)
        return whole[MARGIN : MARGIN + WINDOW]
    around, taps = _filter(rate_hz)
    window: Audio = (audio[around] @ taps).ravel()
    return window


@cache
def _filter(rate_hz: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Which raw samples each block of a window is made of, and what each of these adds to each sample of the block:
    soxr's answer to impulses."""
    margin, reach, block, needed = (
        samples * rate_hz // RATE_HZ for samples in (MARGIN, _REACH, _BLOCK, _BLOCK + 2 * _REACH)
    )
    impulses = np.zeros((needed + 2 * margin, needed), dtype=np.float32)
    impulses[margin : margin + needed] = np.eye(needed, dtype=np.float32)
    answers = soxr.resample(impulses, rate_hz, RATE_HZ)[MARGIN + _REACH : MARGIN + _REACH + _BLOCK]
    begins = margin - reach + block * np.arange(WINDOW // _BLOCK)
    return begins[:, np.newaxis] + np.arange(needed), np.ascontiguousarray(answers.T)
