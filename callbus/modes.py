"""How a call is heard: while it runs, once it is over, or both. Chosen at its start by the rules of topology.yaml.

`realtime` publishes the call's audio as it comes; `post-call` publishes its recording once it is over, and no chunk;
`hybrid` publishes both: the call is heard live, and again from the recording by a second hearing that takes the place
of the first. A door says the mode in the attribute `mode` of the call's `started`, and acts on it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Mode = Literal["realtime", "post-call", "hybrid"]

MODES: tuple[Mode, ...] = get_args(Mode)
RECORDED: tuple[Mode, ...] = ("post-call", "hybrid")
"""The modes that need a recording."""

ATTRIBUTE = "mode"
"""The attribute of `started` that says the mode."""

DEFAULT: Mode = "realtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What must hold of a call, all of it. Nothing given: every call."""

    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name to the values that fit
    longer_than_ms: int | None = None  # it is expected to last longer; not met where nobody knows how long
    more_calls_than: int | None = None  # so many others run at its door, and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A mode and the calls that it is for."""

    mode: Mode
    when: When = When()


def mode_of(
    rules: Sequence[Rule],
    attributes: Mapping[str, str],
    *,
    expected_ms: int | None = None,
    running: int = 0,
    able: Collection[Mode] = MODES,
) -> Mode:
    """The mode of the first rule that fits a call which begins.

    `attributes` are those of its `started`; `expected_ms` is how long it should last, where that is known; `running` is
    how many calls its door has open beside it. A door that can't record says what it is `able` to do: rules of other
    modes are passed over. Realtime where no rule fits.
    """
    for rule in rules:
        if rule.mode in able and _fits(rule.when, attributes, expected_ms, running):
            return rule.mode
    return DEFAULT


def _fits(when: When, attributes: Mapping[str, str], expected_ms: int | None, running: int) -> bool:
    if when.longer_than_ms is not None and (expected_ms is None or expected_ms <= when.longer_than_ms):
        return False
    if when.more_calls_than is not None and running <= when.more_calls_than:
        return False
    return all(attributes.get(name) in values for name, values in when.attributes.items())
