"""How long an input waits for its next attempt."""

from hypothesis import given
from hypothesis import strategies as st

from callbus.topology import Retrying
from callbus.worker.patience import delay_ms

RETRYING = st.builds(Retrying, attempts=st.just(8), first_ms=st.integers(1, 5_000), most_ms=st.integers(5_000, 600_000))


@given(RETRYING, st.integers(1, 10_000))
def test_it_doubles_up_to_the_limit_less_at_most_half(retrying: Retrying, attempts: int) -> None:
    """However often it was tried: never beyond the limit, and never less than half of what is due."""
    whole = min(retrying.most_ms, retrying.first_ms * 2 ** min(attempts - 1, 40))
    assert whole // 2 <= delay_ms(retrying, attempts) <= whole <= retrying.most_ms


def test_what_failed_together_does_not_come_back_together() -> None:
    """A device that is down must not be asked by all calls at the same moment."""
    found = {delay_ms(Retrying(attempts=8, first_ms=10_000, most_ms=60_000), 2) for _ in range(200)}
    assert len(found) > 150
    assert max(found) - min(found) > 5_000
