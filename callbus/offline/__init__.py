"""The graph without Kafka: calls' first events in, everything that the real consumers make of them out.

`graph` runs the groups one after the other, each over what those before it made; `order` says in which order and what a
group gets to see of a call; `feeding` puts it through a group's consumer, as a worker would.
"""

from callbus.offline.feeding import Refused
from callbus.offline.graph import Events, Load, Offline, Outcome

__all__ = ["Events", "Load", "Offline", "Outcome", "Refused"]
