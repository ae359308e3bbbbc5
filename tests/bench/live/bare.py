"""Bare faster-whisper on the sample calls, in the same run: without it a figure of one day says nothing on another."""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from consumers.transcription.recognizer import MOST_WORKERS
from tests.bench.asr import contestants as c
from tests.bench.asr.measuring import bare_model
from tests.bench.asr.sounds import cut_at_the_truth
from tests.bench.live.results import Bare
from tests.sounds import CALLS, sample, whisper


def measured() -> Bare:
    """`WhisperModel.transcribe` as it comes over all that is said in the sample calls, cut at the truth; in a process
    of its own, which is gone with its models before calls are live."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(_measured).result()


def _measured() -> Bare:
    threads = min(MOST_WORKERS, os.cpu_count() or 1)
    hear = c.transcribes(c.BARE, bare_model(whisper(), "int8", threads))
    sounds = [cut.sound for cut in cut_at_the_truth()]
    hear(sounds[:1])
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    hear(sounds)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    lengths = [samples.shape[1] / rate_hz for samples, rate_hz in map(sample, CALLS)]
    return Bare(sum(lengths), wall_s, cpu_s)
