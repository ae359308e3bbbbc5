"""Which mode a call is heard in: the first rule that fits what its door knows as the call begins."""

import pytest

from callbus.modes import MODES, Choice, Mode, Rule, When, live_choice, mode_of

RULES = (
    Rule(mode="hybrid", when=When(attributes={"queue": ("child", "emergency"), "language": ("en",)})),
    Rule(mode="post-call", when=When(longer_than_ms=60_000)),
    Rule(mode="post-call", when=When(attributes={"queue": ("adult",)}, more_calls_than=2)),
    Rule(mode="realtime"),
)


@pytest.mark.parametrize(
    ("attributes", "expected_ms", "running", "mode"),
    [
        ({"queue": "child", "language": "en"}, None, 0, "hybrid"),
        ({"queue": "emergency", "language": "en"}, 90_000, 9, "hybrid"),  # the first that fits
        ({"queue": "child"}, None, 0, "realtime"),  # all conditions of a rule must hold
        ({"queue": "child", "language": "en-KE"}, None, 0, "realtime"),  # to the letter
        ({}, 60_001, 0, "post-call"),
        ({}, 60_000, 0, "realtime"),
        ({}, None, 9, "realtime"),  # who doesn't know the length can't say that it is long
        ({"queue": "adult"}, None, 3, "post-call"),
        ({"queue": "adult"}, None, 2, "realtime"),
        ({}, None, 0, "realtime"),
    ],
)
def test_the_first_rule_that_fits_decides(
    attributes: dict[str, str], expected_ms: int | None, running: int, mode: Mode
) -> None:
    """By attributes, expected length and load."""
    assert mode_of(RULES, attributes, expected_ms=expected_ms, running=running) == mode


def test_a_door_that_cant_record_takes_the_next_rule_that_it_can_act_on() -> None:
    """Live doors without a recorder hear every call live, whatever the rules would like."""
    child = {"queue": "child", "language": "en"}
    assert mode_of(RULES, child, expected_ms=90_000, able=["realtime"]) == "realtime"
    assert mode_of(RULES, child, expected_ms=90_000, able=["realtime", "post-call"]) == "post-call"
    assert mode_of([Rule(mode="hybrid")], {}, able=["realtime"]) == "realtime"


def test_without_rules_calls_are_heard_live() -> None:
    """As before there were modes."""
    assert mode_of((), {"queue": "child"}) == "realtime"
    assert MODES == ("realtime", "post-call", "hybrid")


def lasting(mode: Mode, minutes: int, **attributes: tuple[str, ...]) -> Rule:
    return Rule(mode=mode, when=When(longer_than_ms=minutes * 60_000, attributes=attributes))


CHILD = Rule(mode="hybrid", when=When(attributes={"queue": ("child",)}))
CROWD = Rule(mode="post-call", when=When(more_calls_than=5))
LIVE = Rule(mode="realtime")


@pytest.mark.parametrize(
    ("rules", "choice"),
    [
        ([lasting("hybrid", 30), LIVE], Choice("hybrid", 1_800_000)),
        ([lasting("hybrid", 30)], Choice("hybrid", 1_800_000)),
        ([lasting("hybrid", 30), lasting("hybrid", 10, queue=("child",)), LIVE], Choice("hybrid", 600_000)),
        ([lasting("hybrid", 30, queue=("adult",)), LIVE], Choice("realtime")),
        ([LIVE, lasting("hybrid", 30)], Choice("realtime")),
        ([lasting("hybrid", 30), CHILD, LIVE], Choice("hybrid")),  # however long
        ([lasting("hybrid", 30), CROWD, LIVE], Choice("post-call")),  # of which nothing is heard live
        ([lasting("post-call", 30), lasting("realtime", 30), CHILD], Choice("hybrid")),  # known too late
        ([lasting("post-call", 30), LIVE], Choice("realtime")),
        ([], Choice("realtime")),
    ],
)
def test_a_live_door_learns_the_length_as_the_call_ends(rules: list[Rule], choice: Choice) -> None:
    """In time to hear a long call again, too late for another mode."""
    assert live_choice(rules, {"queue": "child"}, running=6) == choice


def test_a_live_door_that_cant_record_hears_every_call_live_alone() -> None:
    """However long it will be."""
    assert live_choice([lasting("hybrid", 30)], {}, able=["realtime"]) == Choice("realtime")
