"""Word error rate of the default model on the sample calls, live and as a recording."""

import hashlib
import json
import re
from dataclasses import replace
from itertools import takewhile
from typing import Any

import jiwer
import numpy as np
import pytest

from callbus.audio import Samples
from consumers.transcription import Transcription, load
from consumers.transcription.recognizer import Recognizer
from consumers.transcription.recognizer import load as load_recognizer
from consumers.transcription.sound import Sound
from schemas.records import Recording, Utterance, Word
from tests.sounds import CALLS, SAMPLES, chunks, play, sample, text, whisper

MOST_ERRORS = 0.15
AROUND_MS = 200  # of audio on both sides, with which a number is recognised by itself
MOST_CHANGED = 4  # utterances of 31
ALIGNED_MS = 300  # how far a word may lie outside of the turn in which it was said

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


def turns(call: str, speaker: str) -> list[dict[str, Any]]:
    truth = json.loads((SAMPLES / f"{call}.json").read_text())
    return [turn for turn in truth["turns"] if turn["speaker"] == speaker]


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return load(whisper())


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return load_recognizer(whisper())


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_word_error_rate(consumer: Transcription, call: str, record_property: Any) -> None:
    """Played live in chunks of 250 ms, a call is understood. Its recording has the same utterances, which more care may
    hear otherwise; with no more care than live audio gets, the very same text."""
    truth = json.loads((SAMPLES / f"{call}.json").read_text())
    live, _ = play(consumer, chunks(*sample(call)))
    assert [one.kind for one in live][-1] == "end"
    file = SAMPLES / f"{call}.flac"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    event = Recording(
        event_id="recording", call_id="call", at_ms=0, uri=file.as_uri(), sha256=digest, channels=("agent", "caller")
    )
    careful, _ = play(consumer, [event])
    rates = {"live": word_error_rate(live, truth), "recording": word_error_rate(careful, truth)}
    for way, rate in rates.items():
        record_property(f"wer_{way}", rate)
        print(f"{call}, {way}: WER {rate:.1%}")
    assert max(rates.values()) < MOST_ERRORS
    assert {one.event_id for one in careful} == {one.event_id for one in live}

    alike = load(replace(whisper(), options={"recordings": {"beam": 1}}))
    recorded, _ = play(alike, [event])
    assert {(one.event_id, one.text) for one in recorded} == {(one.event_id, one.text) for one in live}


@pytest.mark.model
@pytest.mark.slow
def test_each_number_is_found_again_in_the_audio(
    consumer: Transcription, recognizer: Recognizer, record_property: Any
) -> None:
    """A spoken number's times point at a turn that says it, and at audio in which it is heard again by itself."""
    found = dict[str, list[str]]()
    for call in CALLS:
        samples, rate_hz = sample(call)
        rows = dict(zip(("agent", "caller"), samples, strict=True))
        said, _ = play(consumer, chunks(samples, rate_hz))
        numbers = [(one, word) for one in said for word in one.words if spoken_numbers(word)]
        sounds = [Sound(around(rows[one.speaker], rate_hz, word), rate_hz) for one, word in numbers]
        for (one, word), heard in zip(numbers, recognizer.recognize(sounds), strict=True):
            [turn] = [t for t in turns(call, one.speaker) if within(word, t)]
            assert spoken_numbers(word) in normalised(turn["text"])
            assert spoken_numbers(word) in normalised(heard.text)
            found.setdefault(call, []).append(spoken_numbers(word))
    record_property("numbers", found)
    assert " ".join(found["physical_abuse_hold"]).endswith("zero seven one two three four five six seven eight")
    assert found["bullying_school"] == ["thirteen"]
    assert found["maintenance_custody"] == ["two"]


def spoken_numbers(word: Word) -> str:
    """All of the word's text if it is one or more numbers, else nothing."""
    said = normalised(word.text)
    return said if said and set(said.split()) <= set(_NUMBERS) else ""


def around(row: Samples, rate_hz: int, word: Word) -> Samples:
    start, end = ((ms * rate_hz) // 1000 for ms in (word.start_ms - AROUND_MS, word.end_ms + AROUND_MS))
    return row[max(0, start) : end]


def within(word: Word, turn: dict[str, Any]) -> bool:
    return bool(turn["start_ms"] - ALIGNED_MS <= word.start_ms and word.end_ms <= turn["end_ms"] + ALIGNED_MS)


@pytest.fixture(scope="module")
def exact(recognizer: Recognizer) -> list[tuple[Sound, str]]:
    """All utterances cut at the truth, and what is heard in them."""
    sounds = []
    for call in CALLS:
        samples, rate_hz = sample(call)
        for row, speaker in zip(samples, ("agent", "caller"), strict=True):
            spans = [(t["start_ms"] * rate_hz // 1000, t["end_ms"] * rate_hz // 1000) for t in turns(call, speaker)]
            sounds += [Sound(row[start:end], rate_hz) for start, end in spans]
    return [(one, normalised(heard.text)) for one, heard in zip(sounds, recognizer.recognize(sounds), strict=True)]


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize(("lead_s", "trail_s"), [(0.0, 0.0), (0.05, 0.3), (0.5, 1.0), (3.1, 0.1)])
def test_first_and_last_words_are_kept(
    consumer: Transcription, exact: list[tuple[Sound, str]], lead_s: float, trail_s: float, record_property: Any
) -> None:
    """Whatever silence is around an utterance, all that is heard in it when it is cut at the truth comes out of the
    live way, from the first word to the last; one or the other may be heard otherwise."""
    changed = []
    for one, before in exact:
        lead, trail = (np.zeros(round(s * one.rate_hz), dtype=np.int16) for s in (lead_s, trail_s))
        audio = np.concatenate((lead, one.samples, trail))
        said, _ = play(consumer, chunks(audio[np.newaxis], one.rate_hz, channels=("caller",)))
        after = normalised(text(said, "caller"))
        first, last = edges(before, after)
        assert "delete" not in (first, last), f"{before!r} became {after!r}"
        changed += [(before, after)] if (first, last) != ("equal", "equal") else []
    record_property("changed", changed)
    print(f"{lead_s:g} s before, {trail_s:g} s after: {len(changed)} heard otherwise: {changed}")
    assert len(changed) <= MOST_CHANGED


def edges(before: str, after: str) -> tuple[str, str]:
    """What became of the first words and of the last: "equal"; "delete" if they are gone with nothing in their place;
    "substitute" if they were heard otherwise, or something came before or after them."""
    [chunks] = jiwer.process_words(before, after).alignments
    types = [chunk.type for chunk in chunks]

    def edge(types: list[str]) -> str:
        run = list(takewhile(lambda one: one != "equal", types))
        return "equal" if not run else "delete" if set(run) == {"delete"} else "substitute"

    return edge(types), edge(types[::-1])


def test_a_lost_word_at_an_edge_is_seen() -> None:
    """What the test of first and last words looks for, made on purpose."""
    assert edges("no that is all", "no that is all") == ("equal", "equal")
    assert edges("no that is all", "that is all") == ("delete", "equal")
    assert edges("no that is all", "no that") == ("equal", "delete")
    assert edges("which office", "what's office") == ("substitute", "equal")
    assert edges("hello who is there", "hello with that") == ("equal", "substitute")


def test_numbers_are_compared_as_they_are_spoken() -> None:
    """Whisper writes digits where the truth has words."""
    assert normalised("She is 9 years old: 0712, 345!") == "she is nine years old zero seven one two three four five"
    assert normalised("I am 13.") == "i am thirteen"
