"""What a consumer's calls come to in the metrics, and in what is said of a stuck one."""

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY

from callbus.consumer import CallResult, CallSlice, Outcome, Reject
from callbus.observe import health
from callbus.observe.meter import GroupMeter
from callbus.worker import halving
from callbus.worker.metered import Metered


class Picky:
    """Refuses 13 by raising, which fails the whole batch that it is in."""

    def __init__(self, meter: GroupMeter) -> None:
        self.meter = meter
        self.stuck: list[bool] = []

    def handle(self, events: Sequence[int]) -> list[Outcome]:
        self.stuck.append(not health.live([self.meter], time.monotonic() + 1, stuck_after_s=1.5).ok)
        time.sleep(0.3)
        if 13 in events:
            raise Reject("thirteen")
        return [[] for _ in events]

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        self.handle([event for one in slices for event in one.events])
        return [CallResult([], None) for _ in slices]


@pytest.fixture
def meter() -> Iterator[GroupMeter]:
    yield GroupMeter(f"metered{uuid.uuid4().hex}")


def counted(meter: GroupMeter) -> tuple[float | None, float | None]:
    """Model calls, and those that failed."""
    calls = REGISTRY.get_sample_value("callbus_handler_seconds_count", {"group": meter.group})
    return calls, REGISTRY.get_sample_value("callbus_handler_failures_total", {"group": meter.group})


def test_every_part_of_a_halved_batch_is_a_call(meter: GroupMeter) -> None:
    """And none of them counts as stuck for what all of them together take: a restart would only begin again."""
    consumer = Picky(meter)
    outcomes = halving.handle(Metered(consumer, meter), [1, 2, 13, 4])
    assert [type(outcome) for outcome in outcomes] == [list, list, Reject, list]
    assert counted(meter) == (5, 3)  # 1 2 13 4; 1 2; 13 4; 13; 4
    assert consumer.stuck == [False] * 5
    assert meter.working_for_s(time.monotonic()) == 0


def test_a_stateful_consumer_is_told_of_as_well(meter: GroupMeter) -> None:
    """Its slices go through as they are."""
    slices = [CallSlice("a", [1], None, None), CallSlice("b", [2], None, None)]
    found = halving.advance(Metered(Picky(meter), meter), slices)
    assert [one.result for one in found] == [CallResult([], None)] * 2
    assert counted(meter) == (1, 0)
