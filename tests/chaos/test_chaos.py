"""The short form of the chaos run: real Kafka, real processes, the same seed each time; and the checker seen red."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.__main__ import break_one
from tests.chaos.run import Plan, Run
from tests.chaos.schedule import schedule
from tests.chaos.show import Show

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.alone]

SEED = 11
# Every process comes back under its own name, so that no transaction is left open until its timeout of a minute.
FAULTS = {"kill": 6.0, "term": 2.0, "term-twice": 1.0, "zombie-replaced": 1.0, "short-freeze": 1.0, "replay": 1.0}


def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    """Workers are killed, frozen and replaced while calls run and lanes grow; every effect is there once, in order."""
    plan = Plan(SEED, schedule(SEED, 10, FAULTS, growth=(5,)), tmp_path)
    with Show(10, quiet=True) as show:
        result = asyncio.run(Run(plan, show).whole())
    assert result.violations == []
    assert result.kills >= 8
    assert {"term", "zombie-replaced", "replay"} <= result.faults.keys()
    assert result.outputs["finished"] > 100
    assert result.lanes == [4, 5]
    assert result.on_new_lanes > 0
    assert result.given_up > 0
    assert all(its.attempts > 0 for its in result.waits.values())
    assert result.waits["slow"].sent_back > 0


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("broken", ["memory-kept", "offsets-outside", "resume-dropped"])
def test_the_checker_sees_a_broken_guarantee(broken: str) -> None:
    """A worker without one of its guards loses or doubles something under the same faults."""
    result = break_one(broken, SEED)
    assert result.seen, result.violations
