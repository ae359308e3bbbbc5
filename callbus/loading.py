"""A group's consumer, loaded with its models: one way for the worker and for whoever runs the graph without Kafka."""

from callbus.consumer import Stateful, Stateless
from callbus.errors import CallbusError, ModelError
from callbus.topology import Group, Topology, module_of


def consumer_of(topology: Topology, group: Group) -> Stateless | Stateful:
    """Load it; this may take seconds. `TopologyError` if there is no such module, `ModelError` if a model is missing
    or its library can't load it."""
    try:
        consumer: Stateless | Stateful = module_of(topology, group.name).load(topology.settings(group.name))
    except CallbusError:
        raise
    except Exception as problem:
        named = ", ".join(group.models) or "its data"
        raise ModelError(f"group {group.name} can't load {named}: {type(problem).__name__}: {problem}") from problem
    return consumer
