"""Whisper by faster-whisper and CTranslate2: utterances in, words out, many utterances to one run of the model.

The encoder is given a window as short as the utterance allows instead of Whisper's 30 s, which saves most of its work.
The price is that a short window makes the decoder loop now and then: `judging` finds that, and one redo with the full
window mends it. An utterance's window depends on its own length only, so its text does not depend on which others it
shares a batch with.

A partial (of an utterance that is still open) is heard at less cost (`decoding`) and with no redo.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from callbus.consumer import Model, Settings
from callbus.errors import ModelError
from consumers.transcription.decoding import SPARE_FRAMES, Decoder, Features
from consumers.transcription.judging import Draft, echoes, judge
from consumers.transcription.sound import Heard, Sound

RATE_HZ = 16_000
FULL_FRAMES = 3000  # 30 s, the window that Whisper was trained with; a frame is 10 ms
STEP_FRAMES = 300  # windows grow in such steps, so that utterances of like length share a batch
BATCH = 8
MOST_WORKERS = 2  # batches side by side on a CPU


def window_frames(length_s: float) -> int:
    """The encoder window for an utterance: a multiple of STEP_FRAMES with SPARE_FRAMES to spare, or the full one."""
    needed = int(length_s * 100) + SPARE_FRAMES
    return min(FULL_FRAMES, -(-needed // STEP_FRAMES) * STEP_FRAMES)


class Recognizer:
    """A loaded model. `languages` are the ones a multilingual model chooses from (any, if empty).

    `workers` batches run side by side: on a CPU two single threads do nearly twice the work of one pair.
    """

    def __init__(self, whisper: Any, languages: Sequence[str] = (), beam_size: int = 1, workers: int = 1) -> None:
        self._decoder = Decoder(whisper, tuple(languages), beam_size)
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, "recognizer")

    def with_beam(self, size: int) -> "Recognizer":
        """The same model with another width of its search; partials are always heard with 1."""
        other = copy(self)
        other._decoder = replace(self._decoder, beam_size=size)
        return other

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]:
        """What was said in each sound, in their order. Finals are begun first, partials fill the workers that are left.

        Partials share no batch with the others: company changes the fourth digit of a confidence, and what is
        published for good must not depend on partials.
        """
        features = list(self._pool.map(self._features, sounds))
        windows = {i: window_frames(sound.length_s) for i, sound in enumerate(sounds)}
        finals = {i: frames for i, frames in windows.items() if not sounds[i].partial}
        asked = self._asked(features, finals, False)
        asked += self._asked(features, {i: windows[i] for i in windows.keys() - finals.keys()}, True)
        drafts = _answered(asked)
        loops = {i: FULL_FRAMES for i in finals if drafts[i].is_suspect(sounds[i].length_s) or echoes(drafts[i].text)}
        drafts |= _answered(self._asked(features, loops, False))
        return [judge(drafts[index], sound) for index, sound in enumerate(sounds)]

    def _features(self, sound: Sound) -> Features:
        audio = soxr.resample(sound.samples.astype(np.float32) / 32768, sound.rate_hz, RATE_HZ)
        features: Features = self._decoder.whisper.feature_extractor(audio)
        return features[:, :FULL_FRAMES]

    def _asked(
        self, features: Sequence[Features], windows: dict[int, int], partial: bool
    ) -> "list[tuple[list[int], Future[list[Draft]]]]":
        """Batches that are under way, each with the places of its sounds; the longest ones first.

        Finals share a batch only if their windows are alike. Partials share one window, the longest of their batch; so
        few that they would leave a worker idle are shared out.
        """
        by_window: dict[int, list[int]] = defaultdict(list)
        for index, frames in windows.items():
            by_window[0 if partial else frames].append(index)
        asked = []
        for _, indices in sorted(by_window.items(), reverse=True):
            indices.sort(key=lambda index: features[index].shape[1])
            size = min(BATCH, -(-len(indices) // self._workers)) if partial else BATCH
            for first in range(0, len(indices), size):
                batch = indices[first : first + size]
                frames = max(windows[index] for index in batch)
                padded = np.stack([_pad(features[index], frames) for index in batch])
                lengths = [features[index].shape[1] for index in batch]
                asked.append((batch, self._pool.submit(self._decoder.transcribe, padded, lengths, partial)))
        return asked


def _answered(asked: "Sequence[tuple[list[int], Future[list[Draft]]]]") -> dict[int, Draft]:
    return {index: draft for batch, answer in asked for index, draft in zip(batch, answer.result(), strict=True)}


def _pad(features: Features, frames: int) -> Features:
    return np.pad(features[:, :frames], ((0, 0), (0, max(0, frames - features.shape[1]))))


def load(settings: Settings) -> Recognizer:
    """The group's model on the group's device."""
    model: Model = settings.model
    if model.engine == "transformers":
        from consumers.transcription.checkpoint import converted

        model = replace(model, location=str(converted(model)))
    directory = Path(model.location)
    if directory.is_absolute() and not (directory / "model.bin").is_file():
        raise ModelError(f"{model.name}: no model.bin in {model.location}")
    import ctranslate2
    import threadpoolctl
    from faster_whisper import WhisperModel

    # NumPy's own threads wait for work by spinning: beside the model's that cost an eighth of all CPU time.
    threadpoolctl.ThreadpoolController().select(internal_api="openblas").limit(limits=1)
    name, _, number = settings.device.partition(":")
    if name == "auto":
        name = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    workers = 1 if name == "cuda" else min(MOST_WORKERS, os.cpu_count() or 1)
    whisper = WhisperModel(
        model.location,
        device=name,
        device_index=int(number or 0),
        compute_type="float16" if name == "cuda" else "int8",
        cpu_threads=1,
        num_workers=workers,
    )
    return Recognizer(whisper, model.languages, workers=workers)
