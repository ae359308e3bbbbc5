"""What a run found: plain values that go to JSON and back, so that the page can be written again without a run."""

from dataclasses import dataclass, field

from tests.bench.bus.figures import Pace, Pause, Percentiles
from tests.bench.written import Figures


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it ran, and with what."""

    system: str
    cpu: str
    cores: int
    memory_gb: float
    python: str
    versions: dict[str, str]
    load_before: float  # the system's load average of one minute: figures of a busy machine are no figures


@dataclass(frozen=True, slots=True)
class Drained:
    """One repetition of a contestant's way through a full topic."""

    contestant: str
    kind: str
    lanes: int
    pace: Pace
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Of a probe of `probes_per_s` on top of a load of `load_per_s`, over so many hops."""

    contestant: str
    hops: int
    load: str  # "low" or "half"
    load_per_s: float
    ms: Percentiles
    cpu_share: float  # of all cores


@dataclass(frozen=True, slots=True)
class Started:
    """From the start of the process to the first event that came out."""

    contestant: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Handover:
    """How long each lane stood still when this happened to its owner."""

    contestant: str
    what: str
    pauses: list[Pause]


@dataclass(frozen=True, slots=True)
class Scaled:
    """What so many workers did together."""

    workers: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """(events so far, MB) of one worker."""

    contestant: str
    curve: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a contestant's process spends its time: shares by part, and the functions with most of their own."""

    contestant: str
    shares: dict[str, float]
    functions: list[tuple[str, float]]
    problem: str = ""  # why there is none


@dataclass(slots=True)
class Results(Figures):
    """Everything. What was not run is empty."""

    machine: Machine
    quick: bool
    repetitions: int
    took_s: float = 0.0
    drained: list[Drained] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    scaled: list[Scaled] = field(default_factory=list)
    memory: Memory | None = None
    profiles: list[Profile] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
