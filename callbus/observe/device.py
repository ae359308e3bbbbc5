"""Memory of the accelerators that this process uses, read at each scrape."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class DeviceMemory(Collector):
    """CUDA memory by device, as PyTorch sees it; nothing where torch is not loaded or has not put CUDA to use.

    It never loads torch, nor makes it open a device: a CUDA context of its own would take hundreds of megabytes.
    """

    def describe(self) -> Iterable[Metric]:
        """The metrics without samples: they need no device."""
        return [*self._metrics()]

    def collect(self) -> Iterable[Metric]:
        """Used and total bytes of every device on which this process holds memory."""
        used, total = self._metrics()
        for name, free_bytes, all_bytes in _devices(sys.modules.get("torch")):
            used.add_metric([name], all_bytes - free_bytes)
            total.add_metric([name], all_bytes)
        return [used, total]

    def _metrics(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("callbus_device_memory_used_bytes", "Memory in use, by whomever.", labels=["device"]),
            GaugeMetricFamily("callbus_device_memory_total_bytes", "Memory that the device has.", labels=["device"]),
        )


def _devices(torch: Any) -> Iterator[tuple[str, int, int]]:
    """(name, free bytes, all bytes) of each device in use."""
    cuda: Any = getattr(torch, "cuda", None)  # None too while another thread is still importing torch
    if not hasattr(cuda, "mem_get_info") or not cuda.is_available() or not cuda.is_initialized():
        return
    for number in range(cuda.device_count()):
        if cuda.memory_reserved(number):
            yield f"cuda:{number}", *cuda.mem_get_info(number)
