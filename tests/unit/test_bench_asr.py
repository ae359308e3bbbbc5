"""tests.bench.asr: the pure parts of the benchmark, from what was timed to verdicts and the page."""

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from consumers.transcription.recognizer import Recognizer
from consumers.transcription.sound import Sound
from tests.bench.asr import contestants as c
from tests.bench.asr import page
from tests.bench.asr.profile import shares
from tests.bench.asr.results import SEGMENTER, TRUTH, Audio, Results, Timed
from tests.bench.asr.sounds import Cut, cut_at_the_truth, truth, word_error_rate, words
from tests.bench.asr.targets import times, verdicts
from tests.bench.bus.results import Machine

MACHINE = Machine("Linux", "some CPU", 2, 8.0, "3.11.9", {"faster-whisper": "1.2.1"}, load_before=0.1)


def results(ours_s: float = 1.0, bare_s: float = 4.0, ours_wer: float = 0.03) -> Results:
    """A run in which batched takes half of bare's time."""
    made = Results(MACHINE, "tiny", "cpu", "int8", threads=2, words=100, rounds=2, quick=False, took_s=60.0)
    made.audio = [Audio(cut, 31, 170.0, 12.0) for cut in (TRUTH, SEGMENTER)]
    made.shares = {"encoder": 0.6, "all else": 0.4}
    for cut in (TRUTH, SEGMENTER):
        made.timed += [Timed(c.OURS.key, cut, ours_s * slow, ours_s, ours_wer) for slow in (1, 1, 9)]
        for one in (c.BARE, c.BARE_BEAM, c.BATCHED, c.BATCHED_BEAM):
            took_s = bare_s / 2 if one.way == "batched" else bare_s
            made.timed.append(Timed(one.key, cut, took_s, took_s, 0.03))
    return made


def test_a_ratio_is_of_medians() -> None:
    """One slow repetition of three changes nothing; what was not measured has no ratio."""
    assert times(results(), c.BARE) == 4.0
    assert times(results(), c.BARE_WORDS) is None


def test_targets_are_met_or_not() -> None:
    """Three times bare, one and a half times batched, and no word more that is wrong."""
    assert all(one.met for one in verdicts(results()))
    slower = [one.met for one in verdicts(results(bare_s=2.9))]
    assert slower == [False, False, False, False, True, True, True, True]
    worse = verdicts(results(ours_wer=0.04))
    assert [one.met for one in worse] == [True, True, True, True, False, False, False, False]
    assert "1 words more of 100" in worse[-1].found


def test_the_page_can_be_written_again(tmp_path: Path) -> None:
    """From its JSON, the very same; it names every contestant's settings."""
    first = page.write(results(), tmp_path / "first").read_text()
    again = page.write(Results.load(tmp_path / "first" / "bench-asr.json"), tmp_path / "again").read_text()
    assert first == again
    assert "`batch_size=8`, `beam_size=1`" in first
    assert "met" in first and "busy" not in first
    busy = replace(results(), machine=replace(MACHINE, load_before=3.0))
    assert "The machine was busy" in page.write(busy, tmp_path / "busy").read_text()
    assert (tmp_path / "first" / "bench-asr.svg").exists()


def test_our_contestant_is_the_one_in_production() -> None:
    """Its beam is what `consumers.transcription` loads its recogniser with."""
    assert inspect.signature(Recognizer).parameters["beam_size"].default == c.BEAM


def test_words_are_scored_by_channel() -> None:
    """The truth itself is free of errors, whoever recognises it; a missing utterance is its words missing."""
    cuts = [Cut(channel, Sound(np.zeros(8, dtype=np.int16), 8_000)) for channel in truth()]
    said = list(truth().values())
    assert word_error_rate(cuts, said) == 0.0
    assert word_error_rate(cuts, ["", *said[1:]]) == pytest.approx(len(said[0].split()) / words())


def test_the_truth_is_cut_where_it_says() -> None:
    """A turn each, with the turn's length."""
    cuts = cut_at_the_truth()
    assert {cut.channel for cut in cuts} == set(truth())
    assert len(cuts) == 31
    assert cuts[0].sound.length_s == pytest.approx(4.818, abs=0.001)


def test_shares_of_time_are_whole() -> None:
    """Even where no step was asked for."""
    assert sum(shares(_Silent(), (), []).values()) == pytest.approx(1.0)


class _Silent:
    """As much of a WhisperModel as a recogniser asks for before there is something to recognise."""

    class model:  # noqa: N801 -- faster-whisper's name
        is_multilingual = False
