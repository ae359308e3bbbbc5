"""The topics of a graph on a broker."""

from callbus import topics
from callbus.kafka import Connection
from callbus.topology import Topology


async def applied(connection: Connection, graph: Topology) -> None:
    """Bring the broker to this graph, as `callbus topics apply` does."""
    async with topics.connected(connection) as admin:
        await topics.apply(admin, topics.plan(graph, await topics.read(admin)))
