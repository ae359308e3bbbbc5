"""callbus.observe.meter and what Prometheus reads of it."""

import sys
import time
import types
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from callbus.observe.device import DeviceMemory
from callbus.observe.meter import GroupMeter


@pytest.fixture
def meter() -> GroupMeter:
    """Of a group that no other test has."""
    return GroupMeter(f"group-{uuid.uuid4().hex[:8]}")


def value(meter: GroupMeter, name: str, **labels: str) -> float | None:
    """The sample with these labels; None if there is none."""
    return REGISTRY.get_sample_value(name, {"group": meter.group, **labels})


REPORTS: list[tuple[Callable[[GroupMeter], None], dict[str, float], dict[str, str]]] = [
    (lambda m: m.fetched(3, 900), {"callbus_fetched_events_total": 3, "callbus_fetched_bytes_total": 900}, {}),
    (lambda m: m.queued(2, 5, 50), {"callbus_queued_events": 5, "callbus_queued_bytes": 50}, {"lane": "2"}),
    (lambda m: m.waiting(2, 1, 4), {"callbus_waiting_calls": 1, "callbus_waiting_events": 4}, {"lane": "2"}),
    (
        lambda m: m.lag("transcripts", 7, 12, 1.5),
        {"callbus_lag_events": 12, "callbus_lag_seconds": 1.5},
        {"topic": "transcripts", "lane": "7"},
    ),
    (
        lambda m: m.batch(32, 0.25),
        {"callbus_batch_events_sum": 32, "callbus_batch_wait_seconds_sum": 0.25, "callbus_batch_events_count": 1},
        {},
    ),
    (lambda m: m.worked(2.5, ok=True), {"callbus_handler_seconds_sum": 2.5, "callbus_handler_failures_total": 0}, {}),
    (lambda m: m.worked(0.5, ok=False), {"callbus_handler_seconds_sum": 0.5, "callbus_handler_failures_total": 1}, {}),
    (
        lambda m: m.committed(40, 20, 0.125),
        {
            "callbus_committed_records_total": 40,
            "callbus_committed_inputs_total": 20,
            "callbus_transaction_seconds_sum": 0.125,
        },
        {},
    ),
    (lambda m: m.aborted("KafkaError"), {"callbus_transactions_aborted_total": 1}, {"reason": "KafkaError"}),
    (lambda m: m.retried(2), {"callbus_retried_events_total": 2}, {}),
    (lambda m: m.expired(7), {"callbus_expired_events_total": 7}, {}),
    (lambda m: m.dead("Reject", 3), {"callbus_dead_letters_total": 3}, {"error": "Reject"}),
    (lambda m: m.interrupted(2), {"callbus_interrupted_calls_total": 2}, {}),
    (lambda m: m.reopened(1), {"callbus_reopened_calls_total": 1}, {}),
    (
        lambda m: m.restored(4, 17, 4096, 0.75),
        {
            "callbus_restored_lanes_total": 4,
            "callbus_restored_calls_total": 17,
            "callbus_restored_bytes_total": 4096,
            "callbus_restore_seconds_sum": 0.75,
        },
        {},
    ),
    (lambda m: m.rebalanced(3, 1, 0.5), {"callbus_rebalanced_lanes_total": 3}, {"outcome": "kept"}),
    (lambda m: m.rebalanced(3, 1, 0.5), {"callbus_rebalanced_lanes_total": 1}, {"outcome": "moved"}),
    (lambda m: m.rebalanced(3, 1, 0.5), {"callbus_rebalance_seconds_sum": 0.5}, {}),
    (lambda m: m.holds([4, 2]), {"callbus_lanes": 2}, {}),
]


@pytest.mark.parametrize(("report", "found", "labels"), REPORTS)
def test_what_is_reported_can_be_read(
    report: Callable[[GroupMeter], None], found: dict[str, float], labels: dict[str, str], meter: GroupMeter
) -> None:
    """Each word of the worker has its metric, with the group and, where it is about one, the lane and the topic."""
    report(meter)
    assert {name: value(meter, name, **labels) for name in found} == found


def test_a_group_has_one_state_at_a_time(meter: GroupMeter) -> None:
    """It begins with loading its models; the health checks read the same."""
    seen = [meter.current]
    meter.state("running")
    assert [*seen, meter.current] == ["loading", "running"]
    states = ("loading", "joining", "running", "stopped")
    found = [value(meter, "callbus_group_state", callbus_group_state=state) for state in states]
    assert found == [0, 0, 1, 0]


def test_a_lane_that_left_is_no_longer_shown(meter: GroupMeter) -> None:
    """Another process tells of it now; the other lanes stay, and it may come back."""
    for lane in (1, 2):
        meter.queued(lane, 5, 50)
        meter.waiting(lane, 1, 1)
        meter.lag("transcripts", lane, 9, 9.0)
    meter.lane_closed(1)
    meter.lane_closed(5)  # was never open: nothing happens
    names = ("callbus_queued_events", "callbus_queued_bytes", "callbus_waiting_calls", "callbus_waiting_events")
    assert [value(meter, name, lane="1") for name in names] == [None] * 4
    assert [value(meter, name, lane="2") for name in names] == [5, 50, 1, 1]
    for name in ("callbus_lag_events", "callbus_lag_seconds"):
        assert [value(meter, name, topic="transcripts", lane=lane) for lane in "12"] == [None, 9]
    meter.queued(1, 7, 70)
    assert value(meter, "callbus_queued_events", lane="1") == 7


@pytest.mark.parametrize("text", ["My name is Amina", "codec: can't read call-7", "", "x" * 100, "1st"])
def test_a_text_never_becomes_a_label(text: str, meter: GroupMeter) -> None:
    """A message might quote what was said, and would be a time series of its own each time."""
    meter.dead(text, 1)
    meter.aborted(text)
    assert value(meter, "callbus_dead_letters_total", error="other") == 1
    assert value(meter, "callbus_transactions_aborted_total", reason="other") == 1
    assert value(meter, "callbus_dead_letters_total", error=text) is None


def test_how_long_a_model_call_has_run(meter: GroupMeter) -> None:
    """From its begin until it is over, whatever its end."""
    assert meter.working_for_s(time.monotonic()) == 0
    meter.working()
    assert 59 < meter.working_for_s(time.monotonic() + 60) < 61
    assert value(meter, "callbus_handler_running_seconds") is not None
    meter.worked(0.1, ok=False)
    assert meter.working_for_s(time.monotonic() + 60) == 0
    assert value(meter, "callbus_handler_running_seconds") == 0


def test_every_metric_is_named_by_the_house_and_the_conventions(meter: GroupMeter) -> None:
    """The prefix, base units, `_total` on counters alone, and a label that grows without bound on none."""
    text = generate_latest(REGISTRY).decode()
    own = [family for family in text_string_to_metric_families(text) if family.name.startswith("callbus_")]
    assert len(own) > 20
    for family in own:
        name = family.name
        assert not any(part in name.split("_") for part in ("ms", "s", "kb", "mb", "millis", "milliseconds")), name
        for sample in family.samples:
            assert family.type == "counter" or not sample.name.endswith(("_total", "_created")), sample.name
            assert set(sample.labels) <= {
                "group", "lane", "topic", "error", "reason", "outcome", "device", "le", "callbus_group_state",
                "door", "event", "what",
            }  # fmt: skip


def test_threads_do_not_lose_counts(meter: GroupMeter) -> None:
    """The event loop and the model's thread report at once."""

    def report(_: int) -> None:
        for _ in range(2_000):
            meter.fetched(1, 10)
            meter.dead("Reject", 1)
            meter.queued(3, 1, 1)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(report, range(4)))
    assert value(meter, "callbus_fetched_events_total") == 8_000
    assert value(meter, "callbus_dead_letters_total", error="Reject") == 8_000


class Cuda:
    """torch.cuda of a machine with two devices, as far as it is asked; it does not open one when asked for numbers."""

    def __init__(self, initialized: bool) -> None:
        self._initialized = initialized

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return self._initialized

    def device_count(self) -> int:
        return 2

    def memory_reserved(self, device: int) -> int:
        return (0, 4096)[device]

    def mem_get_info(self, device: int) -> tuple[int, int]:
        assert device == 1, "asking for a device that is not in use opens it"
        return 3_000, 10_000


def device_memory() -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(DeviceMemory())
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {f"{sample.name} {sample.labels['device']}": sample.value for sample in samples}


def test_the_memory_of_a_device_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Used and total, of the devices on which this process holds memory."""
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=Cuda(initialized=True)))
    assert device_memory() == {
        "callbus_device_memory_used_bytes cuda:1": 7_000,
        "callbus_device_memory_total_bytes cuda:1": 10_000,
    }


@pytest.mark.parametrize(
    "torch",
    [None, types.SimpleNamespace(), types.SimpleNamespace(cuda=Cuda(initialized=False))],
    ids=["not loaded", "being imported", "on the CPU"],
)
def test_nothing_is_loaded_or_opened_to_tell_of_a_device(torch: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape must not cost a CUDA context."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    if torch is not None:
        monkeypatch.setitem(sys.modules, "torch", torch)
    assert device_memory() == {}
    assert sys.modules.get("torch") is torch
