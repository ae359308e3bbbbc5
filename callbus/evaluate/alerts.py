"""Whether danger is told, and nothing else.

Where there is danger, an alert counts if it stands at the end of the call, not withdrawn; of which matter it is does
not count, but where the truth names the matters (`alert_matters`) it is told how many calls have only others. Where
there is none, any alert that was ever raised is a false alarm: somebody was called to it. Several in one call are one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callbus.evaluate.heard import Heard
from callbus.topology import Topology

SCHEMA = "Alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Each None without truth, or where the graph raises no alerts."""

    recall: float | None
    false_alarms_per_100: float | None
    standing_per_100: float | None  # false alarms that nobody had withdrawn when the call ended
    other_matter: int | None  # calls that were found by an alert of another matter only
    expected: int
    unexpected: int  # calls in which there is no danger
    named: int  # calls with danger that were found, and of which the truth names the matters


def score(calls: Sequence[Heard], topology: Topology) -> Alerts:
    """`recall` over the calls that expect an alert, false alarms over those that expect none."""
    expected = [call for call in calls if call.truth.expect_alert is True]
    calm = [call for call in calls if call.truth.expect_alert is False]
    named = [call for call in expected if call.truth.alert_matters and call.standing]
    raised = are_raised(topology)
    return Alerts(
        recall=_share([bool(call.standing) for call in expected]) if raised else None,
        false_alarms_per_100=_per_100([bool(call.matters) for call in calm]) if raised else None,
        standing_per_100=_per_100([bool(call.standing) for call in calm]) if raised else None,
        other_matter=sum(is_of_another_matter(call) for call in named) if raised and named else None,
        expected=len(expected),
        unexpected=len(calm),
        named=len(named),
    )


def are_raised(topology: Topology) -> bool:
    """Whether a group of the graph raises alerts."""
    outputs = {name for group in topology.groups.values() for name in group.outputs}
    return any(topology.topic(name).schema == SCHEMA for name in outputs)


def right(call: Heard) -> bool | None:
    """Whether danger was told, or none where there is none; None without truth."""
    match call.truth.expect_alert:
        case None:
            return None
        case True:
            return bool(call.standing)
        case False:
            return not call.matters


def is_of_another_matter(call: Heard) -> bool:
    """Whether no alert that stands is of a matter that the truth names, though it names some."""
    return bool(call.truth.alert_matters) and set(call.standing).isdisjoint(call.truth.alert_matters)


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _per_100(hits: Sequence[bool]) -> float | None:
    return 100 * sum(hits) / len(hits) if hits else None
