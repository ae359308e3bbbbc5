"""A consumer that does nothing but make one derived event of each."""

from collections.abc import Sequence

from callbus.consumer import Outcome, Settings
from schemas.records import AudioChunk, Utterance
from tests.bench.bus.events import derived


class Relay:
    def __init__(self, stage: str) -> None:
        self._stage = stage

    def handle(self, events: Sequence[Utterance | AudioChunk]) -> list[Outcome]:
        return [[derived(self._stage, event)] for event in events]


def load(settings: Settings) -> Relay:
    return Relay(settings.group)
