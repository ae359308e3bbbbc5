"""callbus.observe.meter and what Prometheus reads of it."""

import ctypes
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from callbus.observe.device import DeviceMemory, devices
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


DRIVER = r"""
#include <stddef.h>
static int started, held, current;
void start(void) { started = 1; }
int left_over(void) { return held + current; }
int cuDeviceGetCount(int *count) { if (!started) return 3; *count = 2; return 0; }
int cuDeviceGet(int *device, int number) { *device = number + 10; return 0; }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    *flags = 0; *active = device == 11; return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    held++; *context = (void *)0x7fff12345678; return device != 11;
}
int cuDevicePrimaryCtxRelease_v2(int device) { held--; return device != 11; }
int cuCtxPushCurrent_v2(void *context) { current++; return context != (void *)0x7fff12345678; }
int cuCtxPopCurrent_v2(void **context) { current--; *context = (void *)0x7fff12345678; return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *all) {
    if (current != 1) return 201;
    *free = 3UL << 33; *all = 10UL << 33; return 0;
}
"""


def test_nothing_is_loaded_or_opened_to_tell_of_a_device() -> None:
    """A scrape must not cost a CUDA context, nor where there is no driver at all an error."""
    before = set(sys.modules)
    registry = CollectorRegistry()
    registry.register(DeviceMemory())
    assert [sample for family in registry.collect() for sample in family.samples] == []
    assert "torch" not in set(sys.modules) - before
    assert [*devices(None)] == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="a driver's interface needs a C compiler")
def test_the_memory_of_a_device_in_use(tmp_path: Path) -> None:
    """By the driver's own types, on a machine with two devices of which this process has a context on the second: free
    and all bytes, beyond 4 GB too; what is taken hold of is let go. Nothing before somebody has started the driver."""
    (tmp_path / "driver.c").write_text(DRIVER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "driver.so", "driver.c"], cwd=tmp_path, check=True)
    driver = ctypes.CDLL(str(tmp_path / "driver.so"))
    assert [*devices(driver)] == []
    driver.start()
    assert [*devices(driver)] == [("cuda:1", 3 << 33, 10 << 33)]
    assert driver.left_over() == 0
