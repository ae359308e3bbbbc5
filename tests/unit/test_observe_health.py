"""callbus.observe.health: what is stuck, what is only slow, and what is not ready yet."""

import time
from typing import get_args

import pytest

from callbus.observe.health import SLOW_AFTER_S, STUCK_AFTER_S, live, ready, report
from callbus.observe.meter import GroupMeter
from callbus.observe.metrics import State

NOW = time.monotonic


def running(group: str) -> GroupMeter:
    meter = GroupMeter(group)
    meter.state("running")
    return meter


def test_a_group_that_does_nothing_lives() -> None:
    """No calls come at night."""
    assert live([running("ner")], NOW() + 3 * STUCK_AFTER_S) == (True, ())


def test_a_short_model_call_is_nothing_to_speak_of() -> None:
    """Work under way is the normal case."""
    meter = running("ner")
    meter.working()
    assert live([meter], NOW() + SLOW_AFTER_S - 1) == (True, ())


def test_a_long_model_call_is_slow() -> None:
    """It lives, and the text says what takes so long; another group's is not meant."""
    meter, idle = running("ner"), running("qa")
    meter.working()
    ok, reasons = live([idle, meter], NOW() + 600)
    assert (ok, reasons) == (True, ("ner: a model call has run for 600 s: slow (stuck after 900 s)",))


def test_a_model_call_that_does_not_end_is_stuck() -> None:
    """Beyond the limit it does not live; once it has ended after all, it does."""
    meter, slow = running("ner"), running("qa")
    meter.working()
    slow.working()
    later = NOW() + 120
    assert live([meter], later, stuck_after_s=100) == (False, ("ner: a model call has run for 120 s: stuck",))
    meter.worked(120, ok=True)
    assert live([meter], later, stuck_after_s=100) == (True, ())


def test_an_event_loop_that_does_not_turn_is_stuck() -> None:
    """It can't work, nor answer Kafka, whatever its groups last said."""
    now = NOW()
    assert live([running("ner")], now, loop_beat=now - 29) == (True, ())
    ok, reasons = live([running("ner")], now, loop_beat=now - 31)
    assert (ok, reasons) == (False, ("the event loop has not turned for 31 s: stuck",))


@pytest.mark.parametrize("state", get_args(State))
def test_only_a_running_group_is_ready(state: State) -> None:
    """Every other state is named, with its group and what it means."""
    meter = running("ner")
    meter.state(state)
    ok, reasons = ready([running("qa"), meter])
    assert ok is (state == "running")
    if not ok:
        [reason] = reasons
        assert reason.startswith(f"ner: {state}, ")


def test_the_report_tells_of_every_group() -> None:
    """Its state, its lanes, and what its model is at."""
    slow, idle = running("ner"), GroupMeter("qa")
    slow.holds([3, 1])
    slow.working()
    now = NOW() + 45
    told = report(ready([slow, idle]), [slow, idle], now)
    assert told["status"] == "failing"
    assert told["reasons"] == ["qa: loading, its models are being loaded"]
    assert 44 < told["groups"]["ner"].pop("working_for_s") < 46
    assert told["groups"] == {
        "ner": {"state": "running", "lanes": [1, 3], "slow": True},
        "qa": {"state": "loading", "lanes": [], "working_for_s": 0.0, "slow": False},
    }
    assert report(ready([slow]), [slow], now)["status"] == "ok"
