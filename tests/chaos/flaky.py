"""A consumer that has trouble now and then, as real ones do: it asks for a retry, or a whole batch fails."""
# ruff: noqa: S311 -- chance, no secret

import random
from collections.abc import Callable, Sequence
from typing import Any

from callbus.consumer import CallSlice, Retry

RATE = 0.05  # of its calls, never two in a row
PATIENCE = 30  # calls without the guilty event, after which another may be found guilty


class Trouble:
    """Decides which event is guilty and of what. An event that was refused alone is innocent afterwards."""

    def __init__(self) -> None:
        self._guilty: str | None = None
        self._kind: type[Exception] = Retry
        self._recovering = False
        self._unseen = 0

    def befall(self, events: Sequence[Any]) -> None:
        """Raise, or don't, before these events are worked on."""
        if self._guilty is None:
            if self._recovering or random.random() > RATE:
                self._recovering = False
                return
            self._guilty = random.choice(events).event_id
            self._kind, self._unseen = random.choice([Retry, MemoryError]), 0
        if self._guilty not in [event.event_id for event in events]:
            self._unseen += 1
            if self._unseen > PATIENCE:  # its lane has moved elsewhere
                self._guilty = None
            return
        if len(events) == 1:
            self._guilty, self._recovering = None, True
            if self._kind is MemoryError:
                return  # alone it fits
        raise self._kind("chaos")


def flaky(consumer: Any) -> Any:
    """The consumer, with trouble at RATE of its calls: an event that asks for a retry, or a batch that doesn't fit."""
    trouble = Trouble()
    if hasattr(consumer, "handle"):
        consumer.handle = _before(trouble.befall, consumer.handle)
    else:
        consumer.advance = _before(lambda slices: trouble.befall(_events(slices)), consumer.advance)
    return consumer


def _before(first: Callable[[Sequence[Any]], None], work: Callable[..., Any]) -> Callable[[Sequence[Any]], Any]:
    def both(items: Sequence[Any]) -> Any:
        first(items)
        return work(items)

    return both


def _events(slices: Sequence[CallSlice[Any, Any]]) -> list[Any]:
    return [event for one in slices for event in one.events]
