"""What a recogniser is given, and what it answers."""

from dataclasses import dataclass

from callbus.audio import Samples


@dataclass(frozen=True, slots=True)
class Sound:
    """An utterance to recognise: int16 samples of one channel, and their rate."""

    samples: Samples
    rate_hz: int
    partial: bool = False  # the utterance is still open: its words' times are not asked for

    @property
    def length_s(self) -> float:
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word; times are ms from the start of its `Sound`."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in a `Sound`. Without `text` there was nothing to hear, or, with `doubts`, nothing to believe.

    `doubts` are those of `Utterance.doubts`. A partial has no words.
    """

    text: str
    language: str
    language_probability: float
    confidence: float
    words: tuple[Spoken, ...]
    doubts: tuple[str, ...] = ()
