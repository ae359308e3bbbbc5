"""What a run found: plain values that go to JSON and back, so that the page can be written again without a run."""

from dataclasses import dataclass, field

from tests.bench.bus.figures import Spread, spread
from tests.bench.bus.results import Machine
from tests.bench.written import Figures

TRUTH, SEGMENTER = "truth", "segmenter"  # how the utterances were cut


@dataclass(frozen=True, slots=True)
class Timed:
    """One time that a contestant recognised all utterances. CPU is of all threads."""

    contestant: str
    cut: str
    wall_s: float
    cpu_s: float
    wer: float


@dataclass(frozen=True, slots=True)
class Audio:
    """The utterances of one way to cut."""

    cut: str
    utterances: int
    seconds: float
    longest_s: float


@dataclass(slots=True)
class Results(Figures):
    """Everything. `words` is of the truth; `threads` is of the model."""

    machine: Machine
    model: str
    device: str
    compute_type: str
    threads: int
    words: int
    rounds: int
    quick: bool
    took_s: float = 0.0
    load_after: float = 0.0
    audio: list[Audio] = field(default_factory=list)
    timed: list[Timed] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)  # of our CPU time, by step

    def of(self, contestant: str, cut: str) -> list[Timed]:
        return [one for one in self.timed if (one.contestant, one.cut) == (contestant, cut)]

    def wall_s(self, contestant: str, cut: str = TRUTH) -> Spread | None:
        found = [one.wall_s for one in self.of(contestant, cut)]
        return spread(found) if found else None

    def cpu_s(self, contestant: str, cut: str = TRUTH) -> Spread | None:
        found = [one.cpu_s for one in self.of(contestant, cut)]
        return spread(found) if found else None

    def wer(self, contestant: str, cut: str = TRUTH) -> Spread | None:
        """More than one value only where a contestant rolls dice: transcribe does after a failed beam."""
        found = [one.wer for one in self.of(contestant, cut)]
        return spread(found) if found else None
