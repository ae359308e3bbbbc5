"""A consumer whose every call is told to the meter: also each part of a batch that had to be halved."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from callbus.consumer import CallResult, CallSlice, Outcome, Stateful, Stateless
from callbus.observe.meter import GroupMeter


class Metered:
    """The consumer, of whichever kind. A call of it that hangs can be told from a batch that takes many calls."""

    def __init__(self, consumer: Stateless | Stateful, meter: GroupMeter) -> None:
        self._consumer = consumer
        self._meter = meter

    def handle(self, events: Sequence[Any]) -> Sequence[Outcome]:
        with self._told():
            return cast(Stateless, self._consumer).handle(events)

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> Sequence[CallResult[Any, Any]]:
        with self._told():
            return cast(Stateful, self._consumer).advance(slices)

    @contextmanager
    def _told(self) -> Iterator[None]:
        began_s, ok = time.monotonic(), False
        self._meter.working()
        try:
            yield
            ok = True
        finally:
            self._meter.worked(time.monotonic() - began_s, ok)
