"""Where utterances are cut: at pauses, never too long, and never where nobody speaks."""

from collections.abc import Callable

import numpy as np
import pytest
import soxr

from consumers.transcription import Transcription
from consumers.transcription.call import Call, listen
from consumers.transcription.pieces import Segment
from consumers.transcription.segmenter import LONGEST, SPEECH, best_pause
from consumers.transcription.vad import RATE_HZ as VAD_RATE_HZ
from consumers.transcription.vad import WINDOW, Carried, Vad
from schemas.records import Utterance
from tests.sounds import CALLS, Digests, Samples, chunks, play, sample, whisper

RATE_HZ = 8000
MINUTE = np.arange(60 * RATE_HZ) / RATE_HZ


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return Transcription("transcription", whisper().model, Vad(), Digests())


def speech(consumer: Transcription, samples: Samples, rate_hz: int = RATE_HZ) -> list[Utterance]:
    said, _ = play(consumer, chunks(samples[np.newaxis], rate_hz, channels=("unknown",)))
    return [one for one in said if one.kind == "speech"]


def tones(*hertz: float, on: float = 1, period: float = 1) -> Samples:
    wave = sum(np.sin(2 * np.pi * each * MINUTE) for each in hertz) / len(hertz)
    audio: Samples = (wave * (MINUTE % period < on) * 12000).astype(np.int16)
    return audio


def dial() -> Samples:
    """Every DTMF digit, 100 ms each, twice a second (ITU-T Q.23)."""
    low, high = (697, 770, 852, 941), (1209, 1336, 1477)
    digits = np.stack([tones(a, b) for a in low for b in high])
    step = (MINUTE * 2).astype(int)
    audio: Samples = digits[step % len(digits), np.arange(len(MINUTE))] * (MINUTE % 0.5 < 0.1)
    return audio.astype(np.int16)


def music() -> Samples:
    """A plucked melody over a bass, two notes a second."""
    notes = np.array([261.6, 329.6, 392.0, 523.3, 440.0, 349.2, 293.7, 392.0])
    step, since = (MINUTE * 2).astype(int), MINUTE % 0.5
    phase = 2 * np.pi * notes[step % 8] * since
    pluck = sum(np.sin(n * phase) / n for n in (1, 2, 3, 4)) * np.exp(-3 * since) * np.minimum(1, since * 50)
    audio: Samples = ((pluck + np.sin(2 * np.pi * notes[step // 4 * 3 % 8] / 2 * MINUTE)) * 5000).astype(np.int16)
    return audio


def noise() -> Samples:
    audio: Samples = np.random.default_rng(0).normal(0, 2000, len(MINUTE)).astype(np.int16)
    return audio


NOBODY: dict[str, Callable[[], Samples]] = {
    "silence": lambda: np.zeros(len(MINUTE), dtype=np.int16),
    "noise": noise,
    "ringing, North America": lambda: tones(440, 480, on=2, period=6),
    "ringing, Europe and Kenya": lambda: tones(425, on=1, period=5),
    "busy": lambda: tones(425, on=0.5, period=1),
    "dialling": dial,
    "hold music": music,
}


@pytest.mark.parametrize("sound", NOBODY)
def test_nobody_speaks(consumer: Transcription, sound: str) -> None:
    """A minute of a line's own sounds is not speech."""
    assert speech(consumer, NOBODY[sound]()) == []


def test_a_hold_is_not_speech(consumer: Transcription) -> None:
    """The six seconds of hold in the sample call belong to no utterance."""
    samples, rate_hz = sample("physical_abuse_hold")
    said, _ = play(consumer, chunks(samples, rate_hz))
    hold = [one for one in said if one.kind == "speech" and one.start_ms < 59_400 and one.end_ms > 53_600]
    assert hold == []


def test_speech_without_a_pause_is_cut_all_the_same(consumer: Transcription) -> None:
    """Pauses shorter than half a second do not end an utterance, but 17 s do, and no audio between is lost."""
    samples, rate_hz = sample("physical_abuse_hold")
    said = speech(consumer, samples[1, 7 * rate_hz : 16 * rate_hz])
    [one] = said
    words = samples[1, 7 * rate_hz + one.start_ms * 8 : 7 * rate_hz + one.end_ms * 8]
    tiled = np.tile(words, 5)
    events = chunks(tiled[np.newaxis], rate_hz, channels=("unknown",))
    pieces = [piece for piece in listen(Call(), events, Vad()).pieces if isinstance(piece, Segment)]
    assert len(pieces) >= 3
    assert all(piece.offset - piece.onset <= LONGEST * 256 for piece in pieces)
    whole = np.concatenate([piece.sound.samples for piece in pieces])
    assert np.array_equal(whole, tiled[: len(whole)])
    assert len(whole) > len(tiled) - rate_hz // 2


def hurried(vad: Vad) -> tuple[Samples, int]:
    """Real speech without any pause: of all the samples' channels, the windows in which there is certainly speech."""
    kept: list[Samples] = []
    for call in CALLS:
        samples, rate_hz = sample(call)
        for row in samples:
            audio = soxr.resample(row.astype(np.float32) / 32768, rate_hz, VAD_RATE_HZ).astype(np.float32)
            carried, step = Carried(), WINDOW * rate_hz // VAD_RATE_HZ
            for index in range(len(audio) // WINDOW):
                probability, carried = vad.probability(audio[index * WINDOW : (index + 1) * WINDOW], carried)
                if probability >= SPEECH:
                    kept.append(row[index * step : (index + 1) * step])
    return np.concatenate(kept), rate_hz


@pytest.fixture(scope="module")
def monologue() -> tuple[Samples, int]:
    return hurried(Vad())


def heard(samples: Samples, rate_hz: int) -> Samples:
    """All that is in a segment, one after the other."""
    pieces = listen(Call(), chunks(samples[np.newaxis], rate_hz, channels=("unknown",)), Vad()).pieces
    return np.concatenate([piece.sound.samples for piece in pieces if isinstance(piece, Segment)])


@pytest.mark.parametrize("start_s", [7.5, 16.5, 46.0, 48.0])
def test_what_is_left_after_a_cut_without_a_pause_is_heard(monologue: tuple[Samples, int], start_s: float) -> None:
    """Where the best place to cut was in the last tenth of a second, and the speech ends just after it."""
    speech, rate_hz = monologue
    for length_s in (16.97, 17.0, 17.1, 17.5):
        said = speech[int(start_s * rate_hz) : int((start_s + length_s) * rate_hz)]
        assert np.array_equal(heard(said, rate_hz), said), length_s


def test_of_a_monologue_of_40_s_nothing_is_lost(monologue: tuple[Samples, int]) -> None:
    """Wherever it ends."""
    speech, rate_hz = monologue
    for seconds in (40.0, 40.3, 41.1):
        said = speech[: int(seconds * rate_hz)]
        assert np.array_equal(heard(said, rate_hz), said)


def test_the_best_pause_is_the_longest_silence() -> None:
    """The middle of the longest silence; the later of two equal ones; without any, the quietest place."""
    talk = [0.9] * 40
    short, long = [*talk], [*talk]
    short[10:12] = [0.1, 0.1]
    long[10:12], long[20:25], long[30:35] = [0.1] * 2, [0.1] * 5, [0.1] * 5
    loud = [0.2] * 40
    assert best_pause(short, loud, 0, 40) == 10
    assert best_pause(long, loud, 0, 40) == 32
    assert best_pause(long, loud, 0, 28) == 22
    quiet = [*loud]
    quiet[26:29] = [0.05, 0.01, 0.05]
    assert best_pause(talk, quiet, 5, 40) == 27


@pytest.mark.parametrize("rate_hz", [11_025, 16_000, 44_100, 48_000])
def test_any_sample_rate_finds_the_same_utterances(consumer: Transcription, rate_hz: int) -> None:
    """Within three windows of the VAD (96 ms) of those at 8 kHz."""
    samples, _ = sample("physical_abuse_hold")
    resampled = soxr.resample(samples[1].astype(np.float32), RATE_HZ, rate_hz).clip(-32768, 32767)
    usual = [(one.start_ms, one.end_ms) for one in speech(consumer, samples[1])]
    other = [(one.start_ms, one.end_ms) for one in speech(consumer, resampled.astype(np.int16), rate_hz)]
    assert len(other) == len(usual)
    assert np.max(np.abs(np.array(other) - np.array(usual))) <= 100


def test_speech_that_was_going_on_at_the_start_is_not_lost() -> None:
    """Begun in the middle of a word, the network takes up to half a second to notice; the utterance has it all."""
    samples, rate_hz = sample("bullying_school")
    begun = samples[0, 3280 * 8 : 6000 * 8]
    [first, *_] = listen(Call(), chunks(begun[np.newaxis], rate_hz, channels=("unknown",)), Vad()).pieces
    assert isinstance(first, Segment)
    assert (first.start, first.onset > rate_hz // 3) == (0, True)
