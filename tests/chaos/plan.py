"""What a run is to do, and what came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checker import Violation
from tests.chaos.fleet import Exit
from tests.chaos.retries import Waited
from tests.chaos.schedule import Step
from tests.chaos.takeover import Act, Gap

_OF_WHAT_IS_THERE = {"missing", "twice", "stranger", "content", "order", "dead letter", "failure", "state", "waiting"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `broken` names a guarantee to break (breaks.py)."""

    seed: int
    steps: Sequence[Step]
    folder: Path
    kills: int | None = None  # enough when so many have hit somebody; None: the steps to their end
    per_s: float = 60.0
    round_faults: int = 60  # after so many, the run falls quiet and is checked
    quiet_s: float = 150.0  # how long falling quiet may take: a transaction that nobody ends times out after 60 to 70 s
    most_s: float = 3600.0
    broken: str = ""


@dataclass(slots=True)
class Result:
    """What came of it. `violations` is empty when every guarantee held."""

    plan: Plan
    acts: list[Act] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    published: int = 0
    outputs: Counter[str] = field(default_factory=Counter)  # records by topic
    lanes: list[int] = field(default_factory=list)  # at the start, and each time they grew
    on_new_lanes: int = 0  # records at the end of the graph, on lanes that were added
    waits: Mapping[str, Waited] = field(default_factory=dict)
    given_up: int = 0  # inputs that were tried as often as may be
    quiet_s: list[float] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def seen(self) -> bool:
        """Whether what is on the broker is wrong, not only late, or some process."""
        return any(violation.what in _OF_WHAT_IS_THERE for violation in self.violations)

    @property
    def faults(self) -> Counter[str]:
        return Counter(act.step.fault for act in self.acts if act.step.opens)

    @property
    def kills(self) -> int:
        return sum(act.step.verb == "kill" and act.pid is not None for act in self.acts)


def first_faults(steps: list[Step], most: int) -> tuple[list[Step], list[Step]]:
    """The steps of the first `most` faults, with what follows from them; and the rest."""
    opening = [i for i, step in enumerate(steps) if step.opens]
    if len(opening) <= most:
        return steps, []
    end_s = steps[opening[most]].at_s
    first = [step for step in steps if step.at_s < end_s]
    return first, steps[len(first) :]
