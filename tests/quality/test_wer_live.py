"""Word error rate of the sample calls live, through Kafka and our own segmentation, beside utterances cut at the truth.

A rate is over both channels of a call, each one's words in order of time; over all calls it is that of all their words.
"""

import json
from collections.abc import Callable

import jiwer
import pytest

from consumers.transcription.recognizer import Recognizer, load
from consumers.transcription.sound import Sound
from tests.disturbed import plays, undisturbed
from tests.quality.test_wer import normalised
from tests.sounds import SAMPLES, sample, text, whisper

MOST_WORSE = 0.02
AROUND_MS = 200  # of audio, left on both sides of an utterance


@pytest.mark.broker
@pytest.mark.model
@pytest.mark.slow
@pytest.mark.alone
def test_live_is_as_good_as_cut_at_the_truth(record_property: Callable[[str, object], None]) -> None:
    """The same recogniser loses at most two words in a hundred to chunks, Kafka and cuts that know no truth."""
    run, recognizer = undisturbed(1), load(whisper())
    truth, live, offline = list[str](), list[str](), list[str]()
    for play in plays(0):
        said, reference = run.said[play.call_id], _truth(play.path.stem)
        assert not [one for one in said if set(one.degraded) - {"revisions"}]  # fewer partials change no word
        begin = len(truth)
        truth += map(_joined, reference.values())
        live += [normalised(text(said, speaker)) for speaker in ("agent", "caller")]
        offline += map(_joined, _cut_at_the_truth(recognizer, play.path.stem).values())
        _tell(play.path.stem, truth[begin:], live[begin:], offline[begin:])
    there, here = jiwer.wer(truth, live), jiwer.wer(truth, offline)
    _tell("all of them", truth, live, offline)
    record_property("wer_live", there)
    record_property("wer_offline", here)
    assert there <= here + MOST_WORSE


Words = dict[str, list[str]]  # what was said on each channel, agent first


def _truth(call: str) -> Words:
    turns = json.loads((SAMPLES / f"{call}.json").read_text())["turns"]
    return {name: [turn["text"] for turn in turns if turn["speaker"] == name] for name in ("agent", "caller")}


def _cut_at_the_truth(recognizer: Recognizer, call: str) -> Words:
    """Each utterance of the truth, recognised by itself."""
    turns = json.loads((SAMPLES / f"{call}.json").read_text())["turns"]
    samples, rate_hz = sample(call)
    found: Words = {}
    for name, audio in zip(("agent", "caller"), samples, strict=True):
        spans = [
            (turn["start_ms"] - AROUND_MS, turn["end_ms"] + AROUND_MS) for turn in turns if turn["speaker"] == name
        ]
        cut = [audio[max(0, start) * rate_hz // 1000 : end * rate_hz // 1000] for start, end in spans]
        found[name] = [heard.text for heard in recognizer.recognize([Sound(one, rate_hz) for one in cut])]
    return found


def _joined(texts: list[str]) -> str:
    return normalised(" ".join(texts))


def _tell(what: str, truth: list[str], live: list[str], offline: list[str]) -> None:
    print(f"{what}: WER live {jiwer.wer(truth, live):.1%}, cut at the truth {jiwer.wer(truth, offline):.1%}")
