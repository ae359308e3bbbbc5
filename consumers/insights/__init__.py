"""One insight per call: everything the graph says of it, joined while it runs and after it has ended.

`join` decides and is pure: `fold` an event into a call's state, see the `insight`. `completeness` tells how far each
stage has come, `privacy` keeps names out, `state` is what is remembered. `app` is the Faust program around them.
"""

from typing import TYPE_CHECKING

from callbus.codec import Codec
from callbus.kafka import Connection
from callbus.topology import Group, Topology

if TYPE_CHECKING:
    from consumers.insights.app import Insights


def runner(
    topology: Topology, group: Group, codec: Codec, connection: Connection, member: str | None = None
) -> "Insights":
    """The group, ready to `run()` in the event loop of the caller. `member`: see `Insights`."""
    from consumers.insights.app import Insights  # Faust takes seconds to import, the pure part none

    return Insights(topology, group, codec, connection, member)
