"""What a re-analysis is asked to do, and what it has come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callbus.consumer import Stateful, Stateless
from callbus.reanalyse.difference import Pair
from callbus.topology import Group

_LATE_MS = 3_600_000  # a live group so far behind judges soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be judged anew: a group of the graph with its new consumer, and since when. `output` is the topic of
    its live judgements."""

    group: Group
    consumer: Stateless | Stateful
    output: str
    since_ms: int
    keeps_ms: Mapping[str, int | None] = field(default_factory=dict)  # the retention of topics that have one

    @property
    def input(self) -> str:
        return self.group.inputs[0]

    @property
    def whole_calls(self) -> bool:
        """Whether the stage needs every event of a call from its beginning: it can't judge one by itself (`handle`)."""
        return not hasattr(self.consumer, "handle")

    @property
    def look_back_ms(self) -> int:
        """How long before the period a call that reaches into it may have had an event, or a document that was judged
        in it."""
        return (self.group.idle_after_ms if self.whole_calls else None) or _LATE_MS


@dataclass(slots=True)
class Course:
    """What a run has come to; calls by why they could not be compared."""

    pairs: list[Pair] = field(default_factory=list)
    found: int = 0
    running: list[str] = field(default_factory=list)  # not over yet
    not_judged_live: list[str] = field(default_factory=list)  # or of another revision, or no longer on the topic
    refused: dict[str, str] = field(default_factory=dict)  # by the new consumer: class of the error
    unreadable: int = 0  # records that are no event
    begun_before: int = 0  # a stage with memory can't judge them: their beginning is outside of the period
    gone: list[str] = field(default_factory=list)  # judged live, and their input is no longer on the topic
    forgotten_before_ms: dict[str, int] = field(default_factory=dict)  # by topic
    live_versions: set[tuple[str, str]] = field(default_factory=set)
    new_versions: set[tuple[str, str]] = field(default_factory=set)
    from_kept: int = 0
    stopped: bool = False
    duration_s: float = 0.0
    judging_s: float = 0.0  # of that, in the consumer
