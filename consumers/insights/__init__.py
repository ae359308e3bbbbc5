"""One insight per call: everything the graph says of it, joined while it runs and after it has ended.

`join` decides and is pure: `fold` an event into a call's state, see the `insight`. `completeness` tells how far each
stage has come, `hearings` what counts of a call that is heard twice, `silence` when the call has ended, `privacy` keeps
names out, `state` is what is remembered. `app` is the Faust program around them, and `open_calls` gives up on calls to
which nothing more comes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from callbus.codec import Codec
from callbus.kafka import Connection
from callbus.topology import Group, Topology
from consumers.insights.join import Input, fold, insight
from consumers.insights.lineage import lineage
from consumers.insights.state import InsightState
from schemas.records import CallInsight

if TYPE_CHECKING:
    from consumers.insights.app import Insights


def runner(
    topology: Topology, group: Group, codec: Codec, connection: Connection, member: str | None = None
) -> "Insights":
    """The group, ready to `run()` in the event loop of the caller. `member`: see `Insights`."""
    from consumers.insights.app import Insights  # Faust takes seconds to import, the pure part none

    return Insights(topology, group, codec, connection, member)


def joined(topology: Topology, group: Group, call_id: str, events: Sequence[Input]) -> Sequence[CallInsight]:
    """What is known of a call when all of its events have been taken in: the same join, without Faust and Kafka."""
    state = InsightState(call_id=call_id)
    for event in events:
        state = fold(state, event)
    return (insight(state, lineage(topology, group)),)
