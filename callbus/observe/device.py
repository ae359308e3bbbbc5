"""Memory of the accelerators that this process uses, read at each scrape."""

import ctypes
import os
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_DRIVER = "libcuda.so.1"


class DeviceMemory(Collector):
    """CUDA memory by device, as its driver sees it: whichever library put the device to use. Nothing where none has.

    It never loads the driver, nor opens a device: a CUDA context of its own would take hundreds of megabytes.
    """

    def describe(self) -> Iterable[Metric]:
        """The metrics without samples: they need no device."""
        return [*self._metrics()]

    def collect(self) -> Iterable[Metric]:
        """Used and total bytes of every device on which this process has a context."""
        used, total = self._metrics()
        for name, free_bytes, all_bytes in devices(_driver()):
            used.add_metric([name], all_bytes - free_bytes)
            total.add_metric([name], all_bytes)
        return [used, total]

    def _metrics(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("callbus_device_memory_used_bytes", "Memory in use, by whomever.", labels=["device"]),
            GaugeMetricFamily("callbus_device_memory_total_bytes", "Memory that the device has.", labels=["device"]),
        )


def _driver() -> Any:
    """CUDA's driver, if something in this process has loaded it."""
    if not hasattr(os, "RTLD_NOLOAD"):
        return None
    try:
        return ctypes.CDLL(_DRIVER, mode=os.RTLD_NOLOAD)
    except OSError:
        return None


def devices(driver: Any) -> Iterator[tuple[str, int, int]]:
    """(name, free bytes, all bytes) of each device in use. All functions of the driver return 0 where they succeed;
    they fail as long as nobody has initialized it."""
    count = ctypes.c_int()
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)):
        return
    for number in range(count.value):
        device, flags, active = ctypes.c_int(), ctypes.c_uint(), ctypes.c_int()
        if driver.cuDeviceGet(ctypes.byref(device), number):
            continue
        failed = driver.cuDevicePrimaryCtxGetState(device, ctypes.byref(flags), ctypes.byref(active))
        if failed or not active.value:
            continue
        if (memory := _memory(driver, device)) is not None:
            yield f"cuda:{number}", *memory


def _memory(driver: Any, device: ctypes.c_int) -> tuple[int, int] | None:
    """Free and all bytes, in the context that others have made: one more who holds it, for a moment."""
    context, popped = ctypes.c_void_p(), ctypes.c_void_p()
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    try:
        if driver.cuCtxPushCurrent_v2(context):
            return None
        free_bytes, all_bytes = ctypes.c_size_t(), ctypes.c_size_t()
        failed = driver.cuMemGetInfo_v2(ctypes.byref(free_bytes), ctypes.byref(all_bytes))
        driver.cuCtxPopCurrent_v2(ctypes.byref(popped))
        return None if failed else (free_bytes.value, all_bytes.value)
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(device)
