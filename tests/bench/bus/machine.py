"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from callbus.broker import KAFKA_VERSION
from tests.bench.bus.results import Machine

_PACKAGES = ("aiokafka", "fastavro", "faust-streaming")
_CPU_INFO = Path("/proc/cpuinfo")


def described() -> Machine:
    """This machine, and how busy it is now."""
    return Machine(
        system=platform.system(),
        cpu=_cpu(),
        cores=os.cpu_count() or 0,
        memory_gb=psutil.virtual_memory().total / 1e9,
        python=platform.python_version(),
        versions={"Kafka": KAFKA_VERSION} | {name: version(name) for name in _PACKAGES},
        load_before=psutil.getloadavg()[0],
    )


def _cpu() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
