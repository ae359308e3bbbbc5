"""Stateless: says each event again."""

from collections.abc import Sequence

from callbus.consumer import Outcome, Reject, Settings
from schemas.records import Utterance
from tests.chaos.events import REFUSED, derived
from tests.chaos.flaky import flaky


class Relay:
    def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
        return [Reject("told to") if event.text == REFUSED else [derived("relay", event, "again")] for event in events]


def load(settings: Settings) -> object:
    return flaky(Relay(), settings.group)
