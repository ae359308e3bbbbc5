"""A group's consumer is found by the group's name: `ner` is consumers/ner.py, or the package of that name."""

from importlib import import_module, util
from types import ModuleType

from callbus.errors import TopologyError
from callbus.topology.graph import Topology

_ENTRY = {"worker": "load", "faust": "runner"}  # what a module of each runtime is started by


def module_of(topology: Topology, group: str) -> ModuleType:
    """Import the group's module. Raises `TopologyError` when there is none, or nothing in it to start."""
    name, entry = f"consumers.{group}", _ENTRY[topology.group(group).runtime]
    place = topology.place("groups", group)
    if util.find_spec(name) is None:
        mend = f"add consumers/{group}.py with its `{entry}`, or mend the name"
        raise TopologyError(f"{place} group {group} has no module {name}; {mend}")
    module = import_module(name)
    if not callable(getattr(module, entry, None)):
        raise TopologyError(f"{place} {name} has no function `{entry}`; add it: see callbus/consumer.py")
    return module
