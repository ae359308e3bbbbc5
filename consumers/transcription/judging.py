"""Whether what a decoder says was said: loops, inventions, mumbles. Pure."""

import re
import zlib
from dataclasses import dataclass

from consumers.transcription.sound import Heard, Sound, Spoken

REPETITIVE = 2.4  # zlib compression ratio above which text is a loop (the threshold of openai/whisper)
FASTEST_CHARS = 30  # a second; nobody speaks faster
NO_SPEECH = 0.6  # openai/whisper's threshold of the no-speech token
DOUBTFUL = 0.45  # mean word probability


@dataclass(frozen=True, slots=True)
class Draft:
    """What a decoder made of a sound."""

    text: str
    no_speech: float
    language: str
    language_probability: float
    confidence: float
    words: tuple[Spoken, ...] = ()
    cut_off: bool = False  # it went on until it was stopped

    def is_suspect(self, length_s: float) -> bool:
        return self.cut_off or is_suspect(self.text, length_s)


def is_suspect(text: str, length_s: float) -> bool:
    """Whether `text` looks like a decoder's loop rather than something said in `length_s` seconds."""
    coded = text.encode()
    return bool(coded) and (
        len(coded) / len(zlib.compress(coded)) > REPETITIVE or len(text) > FASTEST_CHARS * max(length_s, 1.0)
    )


def echoes(text: str) -> bool:
    """Whether two words or more come twice in a row: said so, or the beginning of a loop. A wider search loops more."""
    words = re.findall(r"[\w']+", text.casefold())
    return any(
        words[at : at + size] == words[at + size : at + 2 * size]
        for size in range(2, len(words) // 2 + 1)
        for at in range(len(words) - 2 * size + 1)
    )


def judge(draft: Draft, sound: Sound) -> Heard:
    """The draft as it stands, or nothing: one doubt is a mumble, two are an invention."""
    if not any(map(str.isalnum, draft.text)):
        return Heard("", draft.language, draft.language_probability, 0.0, ())
    doubted = {
        "no_speech": draft.no_speech > NO_SPEECH,
        "low_confidence": draft.confidence < DOUBTFUL,
        "repetitive": draft.is_suspect(sound.length_s),
    }
    doubts = tuple(name for name, doubtful in doubted.items() if doubtful)
    if len(doubts) > 1:
        return Heard("", draft.language, draft.language_probability, 0.0, (), doubts)
    return Heard(draft.text, draft.language, draft.language_probability, draft.confidence, draft.words, doubts)
