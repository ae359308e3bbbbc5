"""The parts of the benchmark, each of which can be run by its name."""

from collections.abc import Awaitable, Callable, Mapping

from tests.bench.bus.course import Course
from tests.bench.bus.parts import handover, latency, memory, profile, scaling, throughput
from tests.bench.bus.results import Results
from tests.bench.bus.scale import Scale

Part = Callable[[Course, Scale, Results], Awaitable[None]]

PARTS: Mapping[str, Part] = {
    "throughput": throughput.run,
    "latency": latency.run,
    "handover": handover.run,
    "scaling": scaling.run,
    "memory": memory.run,
    "profile": profile.run,
}
