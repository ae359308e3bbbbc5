"""callbus.worker.limits: how many dead letters are too many."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbus.errors import TooManyDeadLetters
from callbus.topology import Giving, Group
from callbus.worker.limits import DeadLetterLimit

GROUP = Group(name="qa", inputs=("documents",), dead_letters_limit=Giving(per_minute=20, percent=50))


def limit(per_minute: int = 20, percent: int = 50) -> DeadLetterLimit:
    giving = Giving(per_minute=per_minute, percent=percent)
    return DeadLetterLimit(replace(GROUP, dead_letters_limit=giving))


def dead(count: int, error: str = "Reject") -> Counter[str]:
    return Counter({error: count} if count else {})


def test_so_many_within_a_minute_are_allowed_and_not_one_more() -> None:
    """However few they are of the inputs. The message says the group, both numbers and the setting."""
    counting = limit(per_minute=20)
    counting.count(10_000, dead(20), now_s=0)
    with pytest.raises(TooManyDeadLetters, match=r"group qa .* 21 within a minute, where 20 .*`per_minute`"):
        counting.count(1, dead(1), now_s=59)


def test_what_is_more_than_a_minute_ago_does_not_count() -> None:
    """The minute slides."""
    counting = limit(per_minute=20)
    counting.count(10_000, dead(20), now_s=0)
    counting.count(1, dead(1), now_s=60.1)


def test_a_share_is_made_only_of_many_inputs() -> None:
    """The first input of a group being poison is no reason to stop; every second one of 50 is."""
    counting = limit(per_minute=1_000)
    counting.count(49, dead(49), now_s=0)
    with pytest.raises(TooManyDeadLetters, match=r"50 of the last minute's 50 inputs, where 50 % .*`percent`"):
        counting.count(1, dead(1), now_s=1)


def test_a_batch_without_dead_letters_stops_nothing() -> None:
    """What is past was committed: it can't be helped by not committing what is good."""
    counting = limit(per_minute=1)
    with pytest.raises(TooManyDeadLetters):
        counting.count(5, dead(2), now_s=0)
    counting.count(5, dead(0), now_s=1)


def test_it_says_what_they_were_and_where_one_stands() -> None:
    """Where the first batch is too bad there is not one letter to look at."""
    counting = limit(per_minute=20)
    counting.count(10, dead(3, "CodecError"), now_s=0)
    with pytest.raises(TooManyDeadLetters, match=r"18 Reject, 3 CodecError; one of .* documents, lane 3, offset 40\."):
        counting.count(30, dead(18), 1, ("documents", 3, 40))


def test_what_was_thrown_away_and_comes_again_counts_once() -> None:
    """A commit that fails three times is no three times as many."""
    counting = limit(per_minute=20)
    for attempt in range(5):
        counting.take_back(counting.count(20, dead(20), now_s=attempt))
    counting.count(20, dead(20), now_s=6)
    counting.count(1, dead(0), now_s=70)
    counting.count(20, dead(20), now_s=71)


BATCHES = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 60), st.floats(0, 40)).map(lambda b: (b[0], min(b[0], b[1]), b[2])),
    max_size=30,
)


@given(batches=BATCHES, per_minute=st.integers(1, 200), percent=st.integers(1, 100))
def test_it_stops_where_a_count_of_all_batches_says_so(
    batches: list[tuple[int, int, float]], per_minute: int, percent: int
) -> None:
    """Against the same sum made anew each time. The batches are (inputs, of them rejected, seconds later)."""
    counting, now_s, past = limit(per_minute, percent), 0.0, []
    for inputs, rejected, later_s in batches:
        now_s += later_s
        past.append((now_s, inputs, rejected))
        recent = [(i, r) for at_s, i, r in past if at_s >= now_s - 60]
        all_of_them, gone = sum(i for i, _ in recent), sum(r for _, r in recent)
        too_many = gone > per_minute or (all_of_them >= 50 and gone / all_of_them > percent / 100)
        if rejected and too_many:
            with pytest.raises(TooManyDeadLetters):
                counting.count(inputs, dead(rejected), now_s)
        else:
            counting.count(inputs, dead(rejected), now_s)
