"""How many calls are tried one after the other, and what holding means. Pure."""

from collections.abc import Sequence

from tests.bench.live.results import Rung

CALLS = (1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32)
FINAL_P95_MS = 3_000  # after the end of speech
FIRST_P95_MS = 2_000  # after speech began
TARGET_CALLS = 8
SETTLES_S = 10.0  # every call has spoken by then: measured from there on
BROKEN_TIMES = 2  # then nothing higher is tried


def holds(rung: Rung) -> bool:
    """Whether words came soon enough; never where some did not come at all."""
    return not rung.problem and rung.final.p95 <= FINAL_P95_MS and rung.first.p95 <= FIRST_P95_MS


def next_calls(done: Sequence[Rung], calls: Sequence[int] = CALLS) -> int | None:
    """The next number of calls to try. None once two have not held, or one has left work undone; or all are tried."""
    if sum(not holds(rung) for rung in done) >= BROKEN_TIMES or any(rung.problem for rung in done):
        return None
    if len(done) == len(calls):
        return None
    return calls[len(done)]


def highest(done: Sequence[Rung]) -> int:
    """The most calls that held, with all below them; 0 for none."""
    most = 0
    for rung in sorted(done, key=lambda rung: rung.calls):
        if not holds(rung):
            break
        most = rung.calls
    return most
