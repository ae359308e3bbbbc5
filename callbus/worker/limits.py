"""What bounds a worker: how much it holds, and how many inputs it may give up. Pure."""

from collections import Counter, deque
from dataclasses import dataclass

from callbus.errors import TooManyDeadLetters
from callbus.topology import Group

_WINDOW_S = 60.0
_FEW = 50  # of these no percentage is made
_MOST_ERRORS = 5  # are named: the note of a group that stopped has 4 KB in Kafka


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a worker holds, and how long it takes to let go. The defaults suit a live helpline."""

    queued_inputs: int = 4_000  # of a lane; above it the lane's fetching pauses
    queued_bytes: int = 16 * 1024 * 1024  # likewise
    waiting_inputs: int = 20_000  # of a lane, for another attempt or behind one: above it no new inputs are fetched;
    # and so many are queued where no more than few calls have been seen
    waiting_bytes: int = 64 * 1024 * 1024  # likewise
    batch_bytes: int = 32 * 1024 * 1024  # of the inputs of one batch
    uncommitted_inputs: int = 10_000  # of the group; above it the model waits for the commit
    uncommitted_bytes: int = 64 * 1024 * 1024  # likewise
    offsets_only_commit_ms: int = 1_000  # between two commits with nothing to publish: a replay would do no harm
    drain_ms: int = 20_000  # how long a rebalance or a stop waits for what is in hand


@dataclass(slots=True)
class Counted:
    """What a batch counts for, and when it came."""

    at_s: float
    inputs: int
    dead: Counter[str]  # by the class of the error


class DeadLetterLimit:
    """How many inputs a group may give up within a minute: beyond, it stops, so that no bad deploy empties a topic into
    the bin."""

    def __init__(self, group: Group) -> None:
        self._name = group.name
        self._limit = group.dead_letters_limit
        self._minute: deque[Counted] = deque()
        self._inputs = 0
        self._dead: Counter[str] = Counter()

    def count(
        self, inputs: int, dead: Counter[str], now_s: float, one_of_them: tuple[str, int, int] | None = None
    ) -> Counted:
        """Take in a batch. TooManyDeadLetters if its dead letters are too many: it must not be committed then.

        `one_of_them` is where one of its dead letters came from, as (topic, lane, offset): somebody has to look at it.
        """
        counted = Counted(now_s, inputs, dead)
        self._minute.append(counted)
        self._inputs += inputs
        self._dead += dead
        while self._minute[0].at_s < now_s - _WINDOW_S:
            self.take_back(self._minute.popleft())
        if dead:
            self._check(one_of_them)
        return counted

    def take_back(self, counted: Counted) -> None:
        """A batch counts no more: it was thrown away, and comes again."""
        self._inputs -= counted.inputs
        self._dead -= counted.dead
        counted.inputs, counted.dead = 0, Counter()

    def _check(self, one_of_them: tuple[str, int, int] | None) -> None:
        rejected, limit = self._dead.total(), self._limit
        if rejected > limit.per_minute:
            self._stop(f"{rejected} within a minute, where {limit.per_minute} are allowed (`per_minute`)", one_of_them)
        if self._inputs >= _FEW and rejected * 100 > limit.percent * self._inputs:
            self._stop(
                f"{rejected} of the last minute's {self._inputs} inputs, where {limit.percent} % are allowed "
                "(`percent`)",
                one_of_them,
            )

    def _stop(self, how_many: str, one_of_them: tuple[str, int, int] | None) -> None:
        errors = ", ".join(f"{count} {error}" for error, count in self._dead.most_common(_MOST_ERRORS))
        where = "; one of them stands on {}, lane {}, offset {}".format(*one_of_them) if one_of_them else ""
        raise TooManyDeadLetters(
            f"group {self._name} stopped: it would put aside {how_many} in `dead_letters_limit`. They were "
            f"{errors}{where}. The last batch is not committed. See those before it with `callbus dlq list --group "
            f"{self._name}`, mend what it is, and let it start again with `callbus dlq resume {self._name}`"
        )
