"""What is recognised: the sample calls' utterances, cut at the truth and by our own segmentation."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jiwer

from callbus.audio import Samples
from consumers.transcription.segmenter import Segmenter
from consumers.transcription.sound import Sound
from consumers.transcription.vad import Vad
from schemas.records import Speaker
from tests.quality.test_wer import normalised
from tests.sounds import CALLS, SAMPLES, sample

CHANNELS: tuple[Speaker, ...] = ("agent", "caller")


@dataclass(frozen=True, slots=True)
class Cut:
    """An utterance, and the channel of the call that it is from."""

    channel: str
    sound: Sound


def truth() -> dict[str, str]:
    """What was said on each channel of each call."""
    said: dict[str, list[str]] = {}
    for call in CALLS:
        for turn in _turns(call):
            said.setdefault(f"{call}/{turn['speaker']}", []).append(turn["text"])
    return {channel: normalised(" ".join(texts)) for channel, texts in said.items()}


def cut_at_the_truth() -> list[Cut]:
    """A turn each, from its first to its last sample."""
    cuts = []
    for call in CALLS:
        samples, rate_hz = sample(call)
        rows = dict(zip(CHANNELS, samples, strict=True))
        for turn in _turns(call):
            start, end = (turn[key] * rate_hz // 1000 for key in ("start_ms", "end_ms"))
            cuts.append(Cut(f"{call}/{turn['speaker']}", Sound(rows[turn["speaker"]][start:end], rate_hz)))
    return cuts


def cut_by_segmenter(vad: Vad) -> list[Cut]:
    """As transcription cuts them: at pauses, with a little of the silence around."""
    cuts = []
    for call in CALLS:
        samples, rate_hz = sample(call)
        for name, row in zip(CHANNELS, samples, strict=True):
            cuts += [Cut(f"{call}/{name}", Sound(part, rate_hz)) for part in _cut(row, rate_hz, vad)]
    return cuts


def word_error_rate(cuts: Sequence[Cut], texts: Sequence[str]) -> float:
    """Of one text for each cut, over all channels, each channel's words in order of time."""
    said: dict[str, list[str]] = {channel: [] for channel in truth()}
    for cut, text in zip(cuts, texts, strict=True):
        said[cut.channel].append(text)
    return float(jiwer.wer(list(truth().values()), [normalised(" ".join(texts)) for texts in said.values()]))


def words() -> int:
    return sum(len(text.split()) for text in truth().values())


def _turns(call: str) -> list[dict[str, Any]]:
    turns = json.loads((SAMPLES / f"{call}.json").read_text())["turns"]
    return [turn for turn in turns if turn["speaker"] in CHANNELS]


def _cut(row: Samples, rate_hz: int, vad: Vad) -> Iterator[Samples]:
    position = 0
    while True:
        segmenter, cut = Segmenter(rate_hz).feed(row[position:], vad)
        if cut is None and (cut := segmenter.finish(vad)) is None:
            return
        if cut.end > cut.start:
            yield row[position + cut.start : position + cut.end]
        position += cut.resume
