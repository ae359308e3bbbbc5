"""Silero VAD (github.com/snakers4/silero-vad, v6): how probable speech is in each 32 ms of audio."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
WINDOW = 512  # samples at RATE_HZ: 32 ms
_CONTEXT = 64

Audio = NDArray[np.float32]


def _memory() -> Audio:
    return np.zeros((1, 1, 128), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Carried:
    """What the network carries from one window to the next; a new one is the start of hearing."""

    h: Audio = field(default_factory=_memory)
    c: Audio = field(default_factory=_memory)
    context: Audio = field(default_factory=lambda: np.zeros(_CONTEXT, dtype=np.float32))


class Vad:
    """The network, without memory of its own: many channels share one."""

    def __init__(self) -> None:
        import onnxruntime
        from faster_whisper.utils import get_assets_path

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            str(Path(get_assets_path()) / "silero_vad_v6.onnx"),
            providers=["CPUExecutionProvider"],
            sess_options=options,
        )

    def probability(self, window: Audio, carried: Carried) -> tuple[float, Carried]:
        """Speech probability of `window` (WINDOW samples at RATE_HZ, within ±1) and what to carry on.

        One window a call: run in batches the network's results differ in the fifth decimal, and a replay that batches
        otherwise could then cut otherwise.
        """
        heard = np.concatenate((carried.context, window))[np.newaxis]
        probability, h, c = self._session.run(None, {"input": heard, "h": carried.h, "c": carried.c})
        return float(probability.item()), Carried(h=h, c=c, context=window[-_CONTEXT:])
