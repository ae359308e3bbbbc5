"""The chaos graph with any number of lanes, and the operator who adds them: what the tests of growing act with."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from callbus import topics
from callbus.broker import EmbeddedBroker
from callbus.cli import topics as command
from callbus.kafka import Connection
from callbus.topology import Topology, load
from tests.chaos.graph import FILE, graph

FEW, MANY = 3, 5
LOOK_S = 0.4  # between a door's looks for more lanes


class Graph:
    """The chaos graph with any number of lanes, and the operator who brings the broker there."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        self._folder = folder
        graph(folder)  # lays out the schemas

    def load(self, lanes: int) -> Topology:
        path = self._folder / "topology.yaml"
        path.write_text(FILE.read_text().replace("lanes: 4", f"lanes: {lanes}"))
        return load(path, avro=self._folder / "avro")

    async def apply(self, lanes: int, stop_before: str = "") -> None:
        """`callbus topics apply`, broken off before the step that would grow the topic `stop_before`."""
        topology = self.load(lanes)
        plan = await command._plan(topology, self.connection, False)
        if stop_before:
            [end] = [grow.step for grow in plan.grow if grow.topic == stop_before]
            async with topics.connected(self.connection) as admin:
                await topics.apply(admin, replace(plan, grow=tuple(grow for grow in plan.grow if grow.step < end)))
        else:
            await command._apply(plan, topology, self.connection)


@pytest.fixture
async def grown(tmp_path: Path) -> AsyncIterator[Graph]:
    """A broker of one's own with the graph on three lanes."""
    with EmbeddedBroker(tmp_path / "kafka") as broker:
        own = Graph(Connection(broker.bootstrap_servers), tmp_path / "graph")
        await own.apply(FEW)
        yield own
