"""Word error rate of the default model on the sample calls, live and as a recording."""

import hashlib
import json
import re
from typing import Any

import jiwer
import pytest

from consumers.transcription import Transcription, load
from schemas.records import Recording, Utterance
from tests.sounds import CALLS, SAMPLES, chunks, play, sample, text, whisper

MOST_ERRORS = 0.15

_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)


def normalised(spoken: str) -> str:
    """Lower case, no punctuation, small numbers as words, longer ones digit by digit."""

    def words(match: re.Match[str]) -> str:
        number = match.group()
        if len(number) <= 2 and int(number) < len(_NUMBERS) and not number.startswith("0"):
            return _NUMBERS[int(number)]
        return " ".join(_NUMBERS[int(digit)] for digit in number)

    return " ".join(re.sub(r"[^a-z' ]+", " ", re.sub(r"\d+", words, spoken.lower())).split())


def word_error_rate(said: list[Utterance], truth: dict[str, Any]) -> float:
    """Over both channels; each channel's words in order of time."""
    channels = truth["channels"]
    reference = [
        normalised(" ".join(turn["text"] for turn in truth["turns"] if turn["speaker"] == name)) for name in channels
    ]
    return float(jiwer.wer(reference, [normalised(text(said, name)) for name in channels]))


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return load(whisper())


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_word_error_rate(consumer: Transcription, call: str, record_property: Any) -> None:
    """Played live in chunks of 250 ms, a call is understood; its recording has the very same text."""
    truth = json.loads((SAMPLES / f"{call}.json").read_text())
    live, _ = play(consumer, chunks(*sample(call)))
    rate = word_error_rate(live, truth)
    record_property("wer", rate)
    print(f"{call}: WER {rate:.1%}")
    assert rate < MOST_ERRORS
    assert [one.kind for one in live][-1] == "end"

    file = SAMPLES / f"{call}.flac"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    event = Recording(
        event_id="recording", call_id="call", at_ms=0, uri=file.as_uri(), sha256=digest, channels=("agent", "caller")
    )
    recorded, _ = play(consumer, [event])
    assert {(one.event_id, one.text) for one in recorded} == {(one.event_id, one.text) for one in live}


def test_numbers_are_compared_as_they_are_spoken() -> None:
    """Whisper writes digits where the truth has words."""
    assert normalised("She is 9 years old: 0712, 345!") == "she is nine years old zero seven one two three four five"
    assert normalised("I am 13.") == "i am thirteen"
