"""How every consumer group of the graph is doing, told by Kafka alone: no worker is asked.

`reckoning` and `membership` decide (pure); `cluster` and `reader` talk to Kafka; `requests` is the one request that
aiokafka lacks.
"""

from callbus.groups.membership import Member, Membership, State
from callbus.groups.reader import GroupReader, reader
from callbus.groups.reckoning import GroupLag, GroupReading, LaneLag, Rates, rates

__all__ = [
    "GroupLag",
    "GroupReader",
    "GroupReading",
    "LaneLag",
    "Member",
    "Membership",
    "Rates",
    "State",
    "rates",
    "reader",
]
