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


@dataclass(slots=True)
class Results(Figures):
    """Everything, from the fewest calls to the most."""

    machine: Machine
    seconds: float
    quick: bool
    took_s: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
