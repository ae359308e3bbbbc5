"""What a telephone line carries that is not speech, made by arithmetic: 8 kHz, int16, always the same."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8_000
SECONDS = 60

Samples = NDArray[np.int16]
Wave = NDArray[np.float64]  # within ±1

_DTMF_LOW_HZ, _DTMF_HIGH_HZ = (697, 770, 852, 941), (1209, 1336, 1477)
_DTMF = {
    key: (low, high)
    for low, row in zip(_DTMF_LOW_HZ, ("123", "456", "789", "*0#"), strict=True)
    for key, high in zip(row, _DTMF_HIGH_HZ, strict=True)
}


def tones(hz: Sequence[float], seconds: float, level: float = 0.25) -> Wave:
    """Sines that sound together, `level` each."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(level * np.sum([np.sin(2 * np.pi * one * at) for one in hz], axis=0))


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE_HZ))


def repeated(*parts: Wave) -> Wave:
    """The parts one after the other, again and again for SECONDS."""
    return np.resize(np.concatenate(parts), SECONDS * RATE_HZ)


def ringing_america() -> Wave:
    """440 + 480 Hz, 2 s on and 4 s off (ITU-T E.180, North America)."""
    return repeated(tones((440, 480), 2), silence(4))


def ringing_kenya() -> Wave:
    """425 Hz, 1 s on and 4 s off: most of the world."""
    return repeated(tones((425,), 1, 0.4), silence(4))


def ringing_britain() -> Wave:
    """400 + 450 Hz, in twos."""
    return repeated(tones((400, 450), 0.4), silence(0.2), tones((400, 450), 0.4), silence(2))


def busy_america() -> Wave:
    """480 + 620 Hz, half a second on and off."""
    return repeated(tones((480, 620), 0.5), silence(0.5))


def busy_kenya() -> Wave:
    """425 Hz, half a second on and off."""
    return repeated(tones((425,), 0.5, 0.4), silence(0.5))


def congestion() -> Wave:
    """425 Hz, a quarter of a second on and off."""
    return repeated(tones((425,), 0.25, 0.4), silence(0.25))


def dial_tone() -> Wave:
    """350 + 440 Hz without end."""
    return repeated(tones((350, 440), 1))


def dtmf() -> Wave:
    """All keys, dialled one after the other: 100 ms on and off."""
    return repeated(*(part for key in "0712345678*#9" for part in (tones(_DTMF[key], 0.1), silence(0.1))))


def dtmf_slow() -> Wave:
    """As from a menu: a key of 400 ms every 2 s."""
    return repeated(*(part for key in "1*0#52" for part in (tones(_DTMF[key], 0.4, 0.35), silence(1.6))))


def digital_silence() -> Wave:
    return silence(SECONDS)


def fax() -> Wave:
    """A fax machine that calls: 1100 Hz, half a second in each 3.5 s (ITU-T T.30)."""
    return repeated(tones((1100,), 0.5, 0.4), silence(3))


def line_noise(dbfs: float, brown: float = 0.0, hum: bool = False) -> Callable[[], Wave]:
    """White noise at this RMS level; `brown` of it low; with the mains' hum."""

    def made() -> Wave:
        random = np.random.default_rng(7)
        white = random.normal(size=SECONDS * RATE_HZ)
        low = np.convolve(white, np.ones(40) / 40**0.5, mode="same")
        wave = (1 - brown) * white + brown * low
        wave *= 10 ** (dbfs / 20) / float(np.sqrt(np.mean(wave**2)))
        return wave + repeated(tones((50, 100, 150), 1, 10 ** (dbfs / 20))) if hum else wave

    return made


def crackle() -> Wave:
    """A bad contact: clicks at random, some in bursts."""
    random = np.random.default_rng(3)
    wave = np.zeros(SECONDS * RATE_HZ)
    for at in random.integers(0, len(wave) - 400, 400):
        length = int(random.integers(4, 400))
        wave[at : at + length] += random.normal(size=length) * np.exp(-np.arange(length) / 40) * 0.5
    return wave


_MELODY = (0, 4, 7, 12, 11, 7, 4, 2, 0, 5, 9, 12, 14, 12, 9, 5, 7, 11, 14, 17, 16, 14, 11, 7, 0, 4, 7, 4, 0, -5, -1, 0)
_CHORDS = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (9, 12, 16))


def _note(semitones: float, seconds: float, partials: Sequence[float], decay_s: float) -> Wave:
    """A plucked or blown note above C4."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    hz = 261.63 * 2 ** (semitones / 12)
    wave = np.sum([a * np.sin(2 * np.pi * hz * (n + 1) * at) for n, a in enumerate(partials)], axis=0)
    attack = np.minimum(1.0, at / 0.01)
    return np.asarray(wave * attack * np.exp(-at / decay_s))


def music(beat: bool = True, vibrato: bool = False, octave: int = 0) -> Callable[[], Wave]:
    """Hold music: a melody over chords at 110 beats a minute, with a drum, or a singing string."""

    def made() -> Wave:
        step_s = 60 / 110 / 2
        notes = [_note(n + 12 * octave, step_s, (0.5, 0.25, 0.12, 0.06), 0.35) for n in _MELODY]
        tune = repeated(*notes)
        bars = [np.sum([_note(n - 12, step_s * 8, (0.3, 0.1, 0.05), 2.0) for n in chord], axis=0) for chord in _CHORDS]
        wave = 0.45 * tune + 0.3 * repeated(*bars)
        if vibrato:
            at = np.arange(SECONDS * RATE_HZ) / RATE_HZ
            hz = 261.63 * 2 ** (octave + np.repeat(np.resize(_MELODY, 56), len(at) // 56 + 1)[: len(at)] / 12)
            phase = 2 * np.pi * np.cumsum(hz * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * at))) / RATE_HZ
            wave = 0.25 * np.sum([np.sin(phase * n) / n for n in range(1, 9)], axis=0) + 0.15 * repeated(*bars)
        if beat:
            wave = wave + repeated(_kick(step_s * 2), _snare(step_s * 2))
        return np.asarray(0.6 * wave)

    return made


def _kick(seconds: float) -> Wave:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(0.6 * np.sin(2 * np.pi * (60 + 60 * np.exp(-at * 30)) * at) * np.exp(-at * 12))


def _snare(seconds: float) -> Wave:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(0.25 * np.random.default_rng(5).normal(size=len(at)) * np.exp(-at * 25))


def as_int16(wave: Wave) -> Samples:
    return (np.clip(wave, -1, 1) * 32767).astype(np.int16)


def through_mulaw(wave: Wave) -> Samples:
    """As a telephone exchange carries it: 8 bits a sample (ITU-T G.711)."""
    limited = np.clip(wave, -1, 1)
    coded = np.round(np.sign(limited) * np.log1p(255 * np.abs(limited)) / np.log(256) * 127) / 127
    return as_int16(np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255)


def singing(seed: int) -> Wave:
    """A voice that sings without words, the hardest hold music: vibrato, glides, formants, the pace of syllables."""
    random = np.random.default_rng(seed)
    at = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    step_s = float(random.uniform(0.15, 0.6))
    scale = random.choice((-5, -3, 0, 2, 4, 5, 7, 9, 12), size=round(SECONDS / step_s) + 1)
    semitones = np.resize(np.repeat(scale, round(step_s * RATE_HZ)), len(at)).astype(np.float64)
    if random.random() < 0.5:
        semitones = np.convolve(semitones, np.ones(1200) / 1200, mode="same")
    base_hz, depth = float(random.choice((110, 147, 196, 262))), float(random.choice((0.005, 0.012, 0.03)))
    hz = base_hz * 2 ** (semitones / 12) * (1 + depth * np.sin(2 * np.pi * 5.5 * at))
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    formants_hz = random.uniform(400, 2500, size=2)
    wave = np.zeros(len(at))
    for n in range(1, 9):
        loud = 0.05 + np.sum([np.exp(-(((hz * n - formant) / 200) ** 2)) for formant in formants_hz], axis=0)
        wave += np.where(hz * n < 3_800, loud * np.sin(phase * n), 0)
    if random.random() < 0.6:
        wave *= 0.5 + 0.5 * np.sin(2 * np.pi * float(random.uniform(2, 6)) * at) ** 2
    return np.asarray(0.4 * wave / np.abs(wave).max())


NOISES: dict[str, Callable[[], Wave]] = {
    "ringing, 440 + 480 Hz": ringing_america,
    "ringing, 425 Hz": ringing_kenya,
    "ringing, 400 + 450 Hz": ringing_britain,
    "busy, 480 + 620 Hz": busy_america,
    "busy, 425 Hz": busy_kenya,
    "congestion": congestion,
    "dial tone": dial_tone,
    "DTMF": dtmf,
    "DTMF, slow": dtmf_slow,
    "fax": fax,
    "digital silence": digital_silence,
    "crackle": crackle,
    **{f"white noise at {dbfs} dBFS": line_noise(dbfs) for dbfs in (-70, -50, -30, -20)},
    **{f"low noise at {dbfs} dBFS": line_noise(dbfs, brown=0.8) for dbfs in (-50, -30)},
    **{f"noise and hum at {dbfs} dBFS": line_noise(dbfs, brown=0.5, hum=True) for dbfs in (-50, -30)},
    "music": music(beat=False),
    "music, high": music(beat=False, octave=1),
    "music with a beat": music(),
    "music with a beat, low": music(octave=-1),
    "strings": music(beat=False, vibrato=True),
    "strings with a beat": music(vibrato=True),
    "strings, low": music(beat=False, vibrato=True, octave=-1),
}
