"""What a run found: plain values that go to JSON and back, so that the page can be written again without a run."""

from dataclasses import dataclass, field

from tests.bench.bus.figures import Percentiles
from tests.bench.bus.results import Machine
from tests.bench.written import Figures


@dataclass(frozen=True, slots=True)
class Cores:
    """CPU time by wall time: 1.0 is one core that does nothing else."""

    transcription: float
    broker: float
    player: float
    reader: float


@dataclass(frozen=True, slots=True)
class Rung:
    """So many calls at once. Times are ms from when a sample was spoken until a `read_committed` reader had the event.

    `first`: from the onset of speech to its first words, the final's where no partial came before it. `age`: from what
    a partial has heard last until it is there. `final`: from the end of speech; `after_cut`: from the end of the
    silence that cuts it.
    """

    calls: int
    seconds: float
    first: Percentiles
    age: Percentiles | None
    final: Percentiles
    after_cut: Percentiles
    utterances: int
    without_partial: int
    partials: int
    degraded: int
    cores: Cores
    batch_events: float  # inputs of one batch, mean
    batches_per_s: float
    handler_ms: float  # of one batch, mean
    drained_s: float  # from the end of the calls until all was said
    player_late_ms: float  # how far behind its own time the player was at worst
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Bare:
    """Bare faster-whisper on the words of so many seconds of calls: what it took, alone on the machine."""

    calls_s: float
    wall_s: float
    cpu_s: float

    @property
    def cores_a_call(self) -> float:
        """CPU time by the time that the calls last."""
        return self.cpu_s / self.calls_s


@dataclass(slots=True)
class Results(Figures):
    """Everything, from the fewest calls to the most. `bare` was measured before the first and after the last."""

    machine: Machine
    seconds: float
    quick: bool
    took_s: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
    bare: list[Bare] = field(default_factory=list)

    @property
    def bare_cores_a_call(self) -> float | None:
        """What bare faster-whisper needs for one call, on the mean of its runs; None without one."""
        return sum(one.cores_a_call for one in self.bare) / len(self.bare) if self.bare else None
