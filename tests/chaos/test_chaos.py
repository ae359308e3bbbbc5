"""The short form of the chaos run: real Kafka, real processes, the same seed each time; and the checker seen red."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.breaks import BREAKS
from tests.chaos.run import Plan, Result, Run
from tests.chaos.schedule import schedule
from tests.chaos.show import Show

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SEED = 11
# Every process comes back under its own name, so that no transaction is left open until its timeout of a minute.
FAULTS = {"kill": 6.0, "term": 2.0, "term-twice": 1.0, "zombie-replaced": 1.0, "short-freeze": 1.0}


def play(folder: Path, faults: int, broken: str = "") -> Result:
    weights = dict(BREAKS[broken].weights) if broken else FAULTS
    plan = Plan(SEED, schedule(SEED, faults, weights), folder, round_faults=6 if broken else 60, broken=broken)
    with Show(faults, quiet=True) as show:
        return asyncio.run(Run(plan, show).whole())


def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    """Workers are killed, frozen and replaced while calls run; every effect is there once, in order."""
    result = play(tmp_path, 14)
    assert result.violations == []
    assert result.kills >= 10
    assert {"term", "zombie-replaced"} <= result.faults.keys()
    assert result.outputs["finished"] > 100


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("broken", ["memory-kept", "offsets-outside", "resume-dropped"])
def test_the_checker_sees_a_broken_guarantee(tmp_path: Path, broken: str) -> None:
    """A worker without one of its guards loses or doubles something under the same faults."""
    result = play(tmp_path, 30, broken)
    seen = {violation.what for violation in result.violations}
    assert seen & {"twice", "missing", "content", "dead letter"}, result.violations
