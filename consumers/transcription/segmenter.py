"""Finds utterances in one channel's audio: cuts at pauses, never waits for a clock, forgets everything at each cut.

After a cut the audio from `Cut.resume` on goes to a new `Segmenter`. So what is cut depends on nothing but a start and
the audio after it, and a replay that begins at any cut finds the same utterances, whatever the size of the chunks.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from callbus.audio import Samples
from consumers.transcription.resampling import MARGIN, resampled
from consumers.transcription.vad import RATE_HZ, WINDOW, Audio, Carried, Vad

# Silero's own thresholds: speech begins above the first, and has stopped below the second.
SPEECH = 0.5
SILENCE = 0.35

# In windows of 32 ms.
PAUSE = 25  # 0.8 s: a silence this long ends an utterance; shorter ones cost words (half the context, twice the edges)
PAD = 10  # 0.3 s kept on both sides, or first and last syllables go; half a pause at most, or audio were in two
WAKING = 15  # 0.5 s in which the network may still miss speech that was going on at the start
SHORTEST = 3  # less speech than this is a click
REST = WAKING + SHORTEST  # less than this may come to nothing after a cut without a pause
LONGEST = 530  # 17 s: then cut at the best place there is, for Whisper sees 30 s at most
EARLIEST = 150  # …but not so early that a scrap is left
QUIET = 94  # 3 s without speech are dropped …
LEAD = 31  # … but for the last second, in which speech may be about to begin


@dataclass(frozen=True, slots=True)
class Cut:
    """A decision, in samples from the segmenter's start: what was found, and where to go on."""

    start: int  # of the audio to recognise; start == end: nothing was said
    end: int
    onset: int  # of the speech in it, without the padding
    offset: int
    resume: int


@dataclass(frozen=True, slots=True)
class Opening:
    """An utterance that is still being spoken, in samples from the segmenter's start. Its cut will have this start
    and this onset."""

    start: int
    onset: int


@dataclass(frozen=True, slots=True)
class Segmenter:
    """What has been heard since the last cut. A value: feeding it makes a new one."""

    rate_hz: int
    received: int = 0  # samples fed so far
    tail: Samples = field(default_factory=lambda: np.zeros(0, dtype=np.int16))  # the newest of them, still needed
    carried: Carried = field(default_factory=Carried)
    probabilities: tuple[float, ...] = ()  # of speech, one per window
    levels: tuple[float, ...] = ()  # RMS, one per window
    onset: int | None = None  # first window of speech
    offset: int = 0  # window after the last one of speech
    voiced: int = 0  # windows of certain speech

    @property
    def opening(self) -> Opening | None:
        """The utterance that is open, once it is more than a click: then nothing but a cut for it can come."""
        if self.onset is None or self.voiced < SHORTEST:
            return None
        return Opening(self._start(self.onset), self._sample(self.onset))

    def feed(self, samples: Samples, vad: Vad) -> tuple["Segmenter", Cut | None]:
        """Hear more; return at the first cut, with whatever comes after it unheard."""
        fed = replace(self, received=self.received + len(samples), tail=np.concatenate((self.tail, samples)))
        return fed._listen(vad, ended=False)

    def finish(self, vad: Vad) -> Cut | None:
        """The audio has ended: the cut that is left, if there is one."""
        heard, cut = self._listen(vad, ended=True)
        if cut or heard.onset is None or heard.voiced < SHORTEST:
            return cut
        return heard._speech(heard.onset, heard.offset)

    def _listen(self, vad: Vad, ended: bool) -> tuple["Segmenter", Cut | None]:
        probabilities, levels = list(self.probabilities), list(self.levels)
        carried, onset, offset, voiced = self.carried, self.onset, self.offset, self.voiced
        origin = self.received - len(self.tail)
        margin = MARGIN * self.rate_hz // RATE_HZ
        cut = None
        while cut is None:
            index = len(probabilities)
            first, after = self._sample(index), self._sample(index + 1)
            if first >= self.received or (after + margin > self.received and not ended):
                break
            window = self._window(first - margin - origin, after + margin - origin)
            probability, carried = vad.probability(window, carried)
            probabilities.append(probability)
            levels.append(math.sqrt(float(window @ window) / WINDOW))
            if probability >= SPEECH:
                voiced += 1
                onset = index if onset is None else onset
            if onset is not None and probability >= SILENCE:
                offset = index + 1
            cut = self._decide(probabilities, levels, onset, offset, voiced)
        needed = max(0, self._sample(len(probabilities)) - margin - origin)
        return (
            replace(
                self,
                tail=self.tail[needed:],
                carried=carried,
                probabilities=tuple(probabilities),
                levels=tuple(levels),
                onset=onset,
                offset=offset,
                voiced=voiced,
            ),
            cut,
        )

    def _decide(
        self, probabilities: list[float], levels: list[float], onset: int | None, offset: int, voiced: int
    ) -> Cut | None:
        heard = len(probabilities)
        if onset is None:
            return self._silence(heard - LEAD) if heard >= QUIET else None
        if heard - offset >= PAUSE:
            if voiced < SHORTEST:
                return self._silence(heard - PAD)
            return self._speech(onset, offset)
        if heard - onset >= LONGEST:
            # What is left must be long enough to be heard, though it begins in the middle of speech.
            return self._speech(onset, best_pause(probabilities, levels, onset + EARLIEST, heard - REST), pad=0)
        return None

    def _window(self, first: int, after: int) -> Audio:
        """The window between two samples of the tail, margins included, at RATE_HZ and without the margins."""
        raw = self.tail[max(0, first) : after]
        if len(raw) < after - first:  # only at both ends of the audio
            raw = np.pad(raw, (max(0, -first), max(0, after - max(0, first) - len(raw))))
        return resampled(raw, self.rate_hz)

    def _sample(self, window: int) -> int:
        return (window * WINDOW * self.rate_hz + RATE_HZ // 2) // RATE_HZ

    def _start(self, onset: int) -> int:
        return self._sample(onset - PAD if onset > WAKING else 0)

    def _silence(self, resume: int) -> Cut:
        sample = self._sample(resume)
        return Cut(sample, sample, sample, sample, sample)

    def _speech(self, onset: int, offset: int, pad: int = PAD) -> Cut:
        end = min(self._sample(offset + pad), self.received)
        return Cut(
            start=self._start(onset),
            end=end,
            onset=self._sample(onset),
            offset=min(self._sample(offset), self.received),
            resume=end,
        )


def best_pause(probabilities: list[float], levels: list[float], first: int, after: int) -> int:
    """The window of `first` to `after` at which to cut speech that does not pause long enough by itself.

    The middle of the longest silence (the later of two equals); without any, the quietest tenth of a second, where
    the gap between two words is most likely.
    """
    best_length, best_middle, length = 0, first, 0
    for index in range(first, after):
        length = length + 1 if probabilities[index] < SILENCE else 0
        if length and length >= best_length:
            best_length, best_middle = length, index - length // 2
    if best_length:
        return best_middle
    return min(range(first + 1, after - 1), key=lambda index: sum(levels[index - 1 : index + 2]))
