"""Stateless and slow, as a large model is: 50 to 300 ms a batch, however many events are in it."""
# ruff: noqa: S311 -- chance, no secret

import random
import time
from collections.abc import Sequence

from callbus.consumer import Outcome, Settings
from schemas.records import Utterance
from tests.chaos.events import derived
from tests.chaos.flaky import flaky


class Slow:
    def __init__(self, most_s: float = 0.3) -> None:
        """`most_s` 0 does the same at once, for the checker."""
        self._most_s = most_s

    def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
        if self._most_s:
            time.sleep(random.uniform(0.05, self._most_s))
        return [[derived("slow", event, event.text)] for event in events]


def load(settings: Settings) -> object:
    return flaky(Slow(), settings.group)
