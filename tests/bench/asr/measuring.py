"""The run: every contestant on the same utterances, in turns."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import psutil

from callbus.consumer import Settings
from consumers.transcription.recognizer import MOST_WORKERS, load
from consumers.transcription.vad import Vad
from tests.bench.asr import contestants as c
from tests.bench.asr.profile import shares
from tests.bench.asr.results import SEGMENTER, TRUTH, Audio, Results, Timed
from tests.bench.asr.sounds import Cut, cut_at_the_truth, cut_by_segmenter, word_error_rate, words
from tests.bench.bus import machine
from tests.bench.bus.results import Machine
from tests.bench.bus.show import Show

ROUNDS = 2
_PACKAGES = ("faster-whisper", "ctranslate2", "onnxruntime", "numpy")
_WARM_UP = 1  # utterances
_QUICK = 4  # of them in a smoke run


def measure(settings: Settings, device: str, rounds: int, quick: bool, show: Show) -> Results:
    """All contestants, `rounds` times in turns; on our own segmentation once."""
    began_s = time.monotonic()
    compute_type = "float16" if device.startswith("cuda") else "int8"
    threads = min(MOST_WORKERS, os.cpu_count() or 1)  # as many as production has
    described = _described()
    models = _models(replace(settings, device=device), compute_type, threads)
    cuts = {TRUTH: cut_at_the_truth(), SEGMENTER: cut_by_segmenter(Vad())}
    if quick:
        cuts = {name: its[:_QUICK] for name, its in cuts.items()}
    results = Results(
        described, settings.model.name, device, compute_type, threads, words(), 1 if quick else rounds, quick
    )
    results.audio = [_audio(name, its) for name, its in cuts.items()]
    does = {key: c.recognizes(one, models) for key, one in c.ALL.items()}
    order = [
        *((TRUTH, one) for _ in range(results.rounds) for one in c.MAIN),
        (TRUTH, c.BARE_SIDE),
        *((SEGMENTER, one) for one in c.ONCE),
    ]
    with show.step("warming up", len(does)) as told:
        for done, recognize in enumerate(does.values()):
            recognize([cut.sound for cut in cuts[TRUTH][:_WARM_UP]])
            told(done + 1)
    with show.step("recognising", len(order)) as told:
        for done, (name, one) in enumerate(order):
            timed = _timed(one, name, cuts[name], does[one.key])
            results.timed.append(timed)
            show.line(f"{one.title:28} {name:9} {timed.wall_s:6.2f} s  CPU {timed.cpu_s:6.2f} s  WER {timed.wer:.2%}")
            told(done + 1)
    with show.step("where our time goes"):
        results.shares = shares(models.parted, settings.model.languages, [cut.sound for cut in cuts[TRUTH]])
    results.load_after = psutil.getloadavg()[0]
    results.took_s = time.monotonic() - began_s
    return results


def _timed(one: c.Contestant, name: str, cuts: Sequence[Cut], recognize: Any) -> Timed:
    sounds = [cut.sound for cut in cuts]
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    texts = recognize(sounds)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return Timed(one.key, name, wall_s, cpu_s, word_error_rate(cuts, texts))


def _audio(name: str, cuts: Sequence[Cut]) -> Audio:
    lengths = [cut.sound.length_s for cut in cuts]
    return Audio(name, len(cuts), sum(lengths), max(lengths))


def _models(settings: Settings, compute_type: str, threads: int) -> c.Models:
    whole, parted = bare_model(settings, compute_type, threads), bare_model(settings, compute_type, 1, threads)
    return c.Models(load(settings), whole, parted, threads)


def bare_model(settings: Settings, compute_type: str, threads: int, workers: int = 1) -> Any:
    """The group's model as faster-whisper loads it."""
    from faster_whisper import WhisperModel

    return WhisperModel(
        settings.model.location,
        device=settings.device,
        compute_type=compute_type,
        cpu_threads=threads,
        num_workers=workers,
    )


def _described() -> Machine:
    return replace(machine.described(), versions={name: version(name) for name in _PACKAGES})
