"""Whether danger is told, and nothing else: an alert counts if it stands at the end of its call, not withdrawn."""

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
    expected: int
    unexpected: int  # calls in which there is no danger


def score(calls: Sequence[Heard], topology: Topology) -> Alerts:
    """`recall` over the calls that expect an alert, false alarms over those that expect none."""
    expected = [call for call in calls if call.truth.expect_alert is True]
    calm = [call for call in calls if call.truth.expect_alert is False]
    raised = are_raised(topology)
    return Alerts(
        recall=sum(call.alerted for call in expected) / len(expected) if raised and expected else None,
        false_alarms_per_100=100 * sum(call.alerted for call in calm) / len(calm) if raised and calm else None,
        expected=len(expected),
        unexpected=len(calm),
    )


def are_raised(topology: Topology) -> bool:
    """Whether a group of the graph raises alerts."""
    outputs = {name for group in topology.groups.values() for name in group.outputs}
    return any(topology.topic(name).schema == SCHEMA for name in outputs)
