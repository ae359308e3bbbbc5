"""callbus.worker, all of it that decides: whatever befalls a worker, every input's effect is there once, in order.

A model in the sense of Hypothesis: steps in any order (lives.py), on a real Lane, Waiting, Stage and hand.take over an
in-memory log (logbook.py), with consumers that have trouble (gathering.py), and an account of what came of it
(account.py).
CALLBUS_MACHINE_EXAMPLES asks for so many runs instead of a few, with other seeds each time.
"""

import os
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from callbus.worker.lane import Lane
from callbus.worker.records import OutRecord
from callbus.worker.retry_log import Entry
from callbus.worker.waiting import Waiting
from tests.unit.lives import Lives, PublishedLives, StatelessLives

EXAMPLES = int(os.environ.get("CALLBUS_MACHINE_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=50 if EXAMPLES else 25,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
    phases=(Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
)


@pytest.mark.parametrize("lives", [Lives, StatelessLives, PublishedLives])
def test_every_effect_is_there_once_and_in_order(lives: type[Lives]) -> None:
    """Whatever befalls the worker."""
    with structlog.testing.capture_logs():
        run_state_machine_as_test(lives, settings=PROFILE)


def _unsettled(group: Any, arrival: Any, entry: Entry, waiting: Waiting) -> list[OutRecord]:
    waiting.settle(entry.id)
    return []


def _regardless_of_holds(lane: Lane) -> dict[str, int]:
    return lane._handled | {lane._retries: lane.waiting.committable()}


BREAKS: dict[str, tuple[type[Lives], str, Callable[..., Any]]] = {
    "later inputs overtake those that wait": (Lives, "waiting.Waiting.precedes", lambda *_: False),
    "waiting is never settled": (StatelessLives, "patience._settle", _unsettled),
    "states say nothing of what is done": (Lives, "outbox.state_headers", lambda *_, **__: []),
    "offsets pass what is held": (Lives, "lane.Lane.committable", _regardless_of_holds),
    "what is done comes again": (Lives, "lane.Lane.seen", lambda *_: False),
    "what waits is forgotten in a restart": (Lives, "waiting.Waiting.restore", lambda *_: None),
    "what waits already waits once more": (Lives, "waiting.Waiting.holds", lambda *_: False),
    "entries come before their calls' earlier inputs": (Lives, "lane.Lane._reached", lambda *_: True),
    "nothing has been refused": (Lives, "lane.CallMemory.refusing", lambda memory, _: memory),
}


@pytest.mark.parametrize("what", BREAKS)
def test_the_model_sees_a_broken_guarantee(what: str) -> None:
    """Each guarantee is broken once on purpose; without this, silence would prove nothing."""
    lives, name, broken = BREAKS[what]
    profile = settings(PROFILE, max_examples=4000, stateful_step_count=40, derandomize=True, phases=[Phase.generate])
    with (
        structlog.testing.capture_logs(),
        mock.patch(f"callbus.worker.{name}", broken),
        pytest.raises((AssertionError, LookupError)),
    ):
        run_state_machine_as_test(lives, settings=profile)
