"""A consumer that has trouble now and then, as real ones do.

By chance it asks for a retry, or a whole batch fails. And an event may carry trouble with it (`times_in_vain`): its
stage asks for a retry so many times, whichever of its processes it comes to, and then it works; or it never does, until
the operator has mended that.
"""
# ruff: noqa: S311 -- chance, no secret

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from callbus.consumer import CallSlice, Outcome, Retry, Stateful, Stateless
from schemas.records import Utterance
from tests.chaos.events import FOR_EVER, times_in_vain

RATE = 0.05  # of its calls, never two in a row
PATIENCE = 30  # calls without the guilty event, after which another may be found guilty
FOLDER = "CHAOS_FOLDER"  # environment: what all processes of a run know of each other


class Tries:
    """How often each event has been tried in vain, by all processes of a run, and which have been mended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tries"
        self._folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of_the_run(cls) -> Self:
        """Those that the environment names."""
        return cls(Path(os.environ[FOLDER]))

    def left(self, stage: str, event: Utterance) -> bool:
        """Whether the stage still has to fail at this event."""
        times = times_in_vain(stage, event)
        if times == FOR_EVER:
            return not self._mark(event.event_id, "mended").exists()
        file = self._mark(event.event_id, stage)
        return times > 0 and (file.stat().st_size if file.exists() else 0) < times

    def note(self, stage: str, event: Utterance) -> None:
        """One more in vain. It may not be committed: then a worker is killed before the group has seen them all."""
        with self._mark(event.event_id, stage).open("ab") as file:
            file.write(b".")

    def mend(self, event_id: str) -> None:
        """From now on it works."""
        self._mark(event_id, "mended").touch()

    def _mark(self, event_id: str, what: str) -> Path:
        return self._folder / f"{event_id}-{what}"


class Chance:
    """Decides which event is guilty and of what. An event that was refused alone is innocent afterwards."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._guilty: str | None = None
        self._kind: type[Exception] = Retry
        self._recovering = False
        self._unseen = 0

    def befall(self, events: Sequence[Utterance]) -> None:
        """Raise, or don't, before these events are worked on."""
        if not events:
            return
        if self._guilty is None:
            if self._recovering or random.random() >= self._rate:
                self._recovering = False
                return
            self._guilty = random.choice(events).event_id
            self._kind, self._unseen = random.choice([Retry, RuntimeError]), 0
        if self._guilty not in [event.event_id for event in events]:
            self._unseen += 1
            if self._unseen > PATIENCE:  # its lane has moved elsewhere
                self._guilty = None
            return
        if len(events) == 1:
            self._guilty, self._recovering = None, True
            if self._kind is RuntimeError:
                return  # alone it works
        raise self._kind("chaos")


@dataclass(frozen=True, slots=True)
class FlakyStateless:
    """Says of each event in trouble that it is to come again, among the outcomes of the others."""

    consumer: Stateless
    stage: str
    tries: Tries
    chance: Chance

    def handle(self, events: Sequence[Utterance]) -> Sequence[Outcome]:
        self.chance.befall(events)
        return [
            self._again(event) if self.tries.left(self.stage, event) else outcome
            for event, outcome in zip(events, self.consumer.handle(events), strict=True)
        ]

    def _again(self, event: Utterance) -> Retry:
        self.tries.note(self.stage, event)
        return Retry("chaos")


@dataclass(frozen=True, slots=True)
class FlakyStateful:
    """Fails as a whole as long as an event in trouble is in the batch: it is halved until that is alone."""

    consumer: Stateful
    stage: str
    tries: Tries
    chance: Chance

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> Sequence[Any]:
        events = [event for one in slices for event in one.events]
        self.chance.befall(events)
        if any(self.tries.left(self.stage, event) for event in events):
            if len(events) == 1:
                self.tries.note(self.stage, events[0])
            raise Retry("chaos")
        return self.consumer.advance(slices)


def flaky(consumer: Any, stage: str, tries: Tries | None = None, rate: float = RATE) -> Any:
    """The consumer of this stage, with trouble: its events', and at `rate` of its calls by chance."""
    kind: type[Any] = FlakyStateless if hasattr(consumer, "handle") else FlakyStateful
    return kind(consumer, stage, tries or Tries.of_the_run(), Chance(rate))
