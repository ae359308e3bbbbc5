"""Where our recogniser's time goes, by the steps that it asks of faster-whisper and CTranslate2."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from consumers.transcription.recognizer import Recognizer
from consumers.transcription.sound import Sound
from tests.bench.asr.contestants import BEAM

_STEPS = {
    "feature_extractor": "log-Mel features",
    "encode": "encoder",
    "generate": "decoder",
    "find_alignment": "words' times",
}


class _Timed:
    """Something with its attributes, of which the methods in `_STEPS` are timed. `model` is timed within."""

    def __init__(self, its: Any, spent_s: dict[str, float]) -> None:
        self._its, self._spent_s = its, spent_s

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._its, name)
        if name == "model":
            return _Timed(found, self._spent_s)
        return self._timed(found, name) if name in _STEPS else found

    def _timed(self, does: Callable[..., Any], name: str) -> Callable[..., Any]:
        def run(*args: Any, **settings: Any) -> Any:
            began_s = time.process_time()
            try:
                return does(*args, **settings)
            finally:
                self._spent_s[name] += time.process_time() - began_s

        return run


def shares(whisper: Any, languages: Sequence[str], sounds: Sequence[Sound]) -> dict[str, float]:
    """Of the CPU time of one run, by step; what is left is resampling, batching and judging."""
    spent_s: dict[str, float] = defaultdict(float)
    began_s = time.process_time()
    Recognizer(_Timed(whisper, spent_s), languages, beam_size=BEAM).recognize(sounds)
    whole_s = time.process_time() - began_s
    found = {title: spent_s[name] / whole_s for name, title in _STEPS.items()}
    return found | {"all else": 1 - sum(found.values())}
