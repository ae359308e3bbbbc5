"""A consumer that waits as for a model on a GPU: so much for each batch, and so much for each event in it."""

import time
from collections.abc import Sequence

from callbus.consumer import Outcome, Settings
from schemas.records import Utterance
from tests.bench.bus.events import derived


class Gpu:
    def __init__(self, stage: str, fixed_ms: float, each_ms: float) -> None:
        self._stage = stage
        self._fixed_ms = fixed_ms
        self._each_ms = each_ms

    def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
        time.sleep((self._fixed_ms + self._each_ms * len(events)) / 1000)
        return [[derived(self._stage, event)] for event in events]


def load(settings: Settings) -> Gpu:
    return Gpu(settings.group, settings.options["fixed_ms"], settings.options["each_ms"])
