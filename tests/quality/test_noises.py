"""What comes out of a minute of what is not speech: nothing. Real VAD, real model."""

from typing import Any

import numpy as np
import pytest

from consumers.transcription import Transcription, load
from consumers.transcription.recognizer import Recognizer
from consumers.transcription.recognizer import load as load_recognizer
from consumers.transcription.sound import Sound
from schemas.records import PartialUtterance, Utterance
from tests.partials import steps
from tests.quality.noises import NOISES, RATE_HZ, SECONDS, Samples, as_int16, singing, through_mulaw
from tests.sounds import chunks, sample, whisper

SUNG = (2, 6, 26)  # of 40 seeds, those of which most came through
MOST_SUNG = 12  # utterances a minute

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return load(whisper())


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return load_recognizer(whisper())


def words(consumer: Transcription, samples: Samples) -> list[Utterance | PartialUtterance]:
    """What is heard in one channel of a live call, and what is shown of it meanwhile."""
    call = chunks(samples[np.newaxis], RATE_HZ, channels=("caller",))
    said = [event for result in steps(consumer, call) for event in result.events]
    assert [one for one in said if isinstance(one, Utterance)][-1].kind == "end"
    return [one for one in said if isinstance(one, Utterance | PartialUtterance) and one.text]


def finals(consumer: Transcription, samples: Samples) -> list[Utterance]:
    return [one for one in words(consumer, samples) if isinstance(one, Utterance)]


@pytest.mark.parametrize("coded", [as_int16, through_mulaw])
@pytest.mark.parametrize("noise", NOISES)
def test_noise_has_no_words(consumer: Transcription, noise: str, coded: Any) -> None:
    """Ringing, tones, digits, noise and hold music are no utterances and no partials, as 16 bits and as \u00b5-law."""
    samples = coded(NOISES[noise]())
    assert len(samples) == SECONDS * RATE_HZ
    assert words(consumer, samples) == []


def test_speech_between_noises_is_heard(consumer: Transcription) -> None:
    """The same way hears a caller between ringing and hold music; a way that is deaf would hear no noise either."""
    samples, rate_hz = sample("physical_abuse_hold")
    assert rate_hz == RATE_HZ
    around = [as_int16(NOISES[noise]()[: 5 * RATE_HZ]) for noise in ("ringing, 425 Hz", "music with a beat")]
    caller = samples[1][7 * RATE_HZ : 16 * RATE_HZ]
    said = finals(consumer, np.concatenate([around[0], caller, around[1]]))
    assert "my name is Daniel" in " ".join(one.text for one in said)
    assert all(one.start_ms >= 5_000 and one.end_ms <= 14_500 for one in said)


@pytest.mark.parametrize("noise", NOISES)
def test_noise_that_is_taken_for_speech_is_doubted(recognizer: Recognizer, noise: str, record_property: Any) -> None:
    """Where the VAD errs, the recogniser drops what Whisper invents, or says that it doubts it."""
    samples = through_mulaw(NOISES[noise]())
    pieces = [Sound(samples[start * RATE_HZ : end * RATE_HZ], RATE_HZ) for start, end in ((0, 1), (1, 4), (4, 12))]
    heard = [one for one in recognizer.recognize(pieces) if one.text]
    record_property("heard", [(one.text, one.confidence, one.doubts) for one in heard])
    assert all(one.doubts for one in heard)
    assert len(heard) <= 1


@pytest.mark.parametrize("seed", SUNG)
def test_singing_without_words_is_mostly_left_out(consumer: Transcription, seed: int, record_property: Any) -> None:
    """A voice that sings vowels is speech to any VAD. What Whisper makes of it is short, and seldom comes through."""
    said = finals(consumer, through_mulaw(singing(seed)))
    record_property("sung", [(one.text, one.confidence, one.doubts) for one in said])
    assert len(said) <= MOST_SUNG
    assert sum(len(one.text.split()) for one in said) <= 2 * MOST_SUNG
