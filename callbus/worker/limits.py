"""What bounds a worker: how much it holds, and how many inputs it may give up. Pure."""

from collections import deque
from dataclasses import dataclass

from callbus.errors import TooManyDeadLetters
from callbus.topology import Group

_WINDOW_S = 60.0
_FEW = 50  # of these no percentage is made


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


class DeadLetterLimit:
    """How many inputs a group may give up within a minute: beyond, it stops, so that no bad deploy empties a topic into
    the bin."""

    def __init__(self, group: Group) -> None:
        self._name = group.name
        self._limit = group.dead_letters_limit
        self._counts: deque[tuple[float, int, int]] = deque()  # (when, inputs, rejected)
        self._inputs = 0
        self._rejected = 0

    def count(self, inputs: int, rejected: int, now_s: float) -> None:
        """Take in a batch. TooManyDeadLetters if its dead letters are too many: it must not be committed then."""
        self._counts.append((now_s, inputs, rejected))
        self._inputs += inputs
        self._rejected += rejected
        while self._counts[0][0] < now_s - _WINDOW_S:
            _, inputs_then, rejected_then = self._counts.popleft()
            self._inputs -= inputs_then
            self._rejected -= rejected_then
        if not rejected:
            return
        if self._rejected > self._limit.per_minute:
            self._stop(f"{self._rejected} within a minute, where {self._limit.per_minute} are allowed (`per_minute`)")
        if self._inputs >= _FEW and self._rejected * 100 > self._limit.percent * self._inputs:
            self._stop(
                f"{self._rejected} of the last minute's {self._inputs} inputs, where {self._limit.percent} % are "
                "allowed (`percent`)"
            )

    def _stop(self, how_many: str) -> None:
        raise TooManyDeadLetters(
            f"group {self._name} stopped: it would put aside {how_many} in `dead_letters_limit`. The last batch is not "
            f"committed. See why with `callbus dlq list --group {self._name}`, mend that, and let it start again with "
            f"`callbus dlq resume {self._name}`"
        )
