"""How a call is heard: while it runs, once it is over, or both. Chosen at its start by the rules of topology.yaml.

`realtime` publishes the call's audio as it comes; `post-call` publishes its recording once it is over, and no chunk;
`hybrid` publishes both: the call is heard live, and again from the recording by a second hearing that takes the place
of the first. A door says the mode in the attribute `mode` of the call's `started`, and acts on it.

How long a call will be is known of a file that is played. A live door learns it as the call ends: in time for `hybrid`,
too late for the others.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    longer_than_ms: int | None = None  # it lasts longer
    more_calls_than: int | None = None  # so many others run at its door, and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A mode and the calls that it is for."""

    mode: Mode
    when: When = When()


@dataclass(frozen=True, slots=True)
class Choice:
    """How a live call is heard. Hybrid is one that comes to be longer than `longer_than_ms`; a shorter one is realtime:
    its recording goes."""

    mode: Mode
    longer_than_ms: int = 0


def live_choice(
    rules: Sequence[Rule], attributes: Mapping[str, str], *, running: int = 0, able: Collection[Mode] = MODES
) -> Choice:
    """What a live door does, as `mode_of`. Of the rules with `longer_than` only the hybrid ones can be met, and of
    those the shortest counts. All of it is post-call where a shorter call would be, for that can't be changed later.
    """
    lengths_ms: list[int] = []
    for rule in rules:
        if rule.mode not in able or not _fits(replace(rule.when, longer_than_ms=None), attributes, None, running):
            continue
        if rule.when.longer_than_ms is None:
            return Choice("hybrid", min(lengths_ms)) if lengths_ms and rule.mode == DEFAULT else Choice(rule.mode)
        if rule.mode == "hybrid":
            lengths_ms.append(rule.when.longer_than_ms)
    return Choice("hybrid", min(lengths_ms)) if lengths_ms else Choice(DEFAULT)


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
