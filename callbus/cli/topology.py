"""`callbus topology`: the graph, as tables or as a picture."""

from typing import TYPE_CHECKING, Annotated

import typer

from callbus.cli import options
from callbus.cli.shell import print_json, wide_console

if TYPE_CHECKING:
    from rich.table import Table

    from callbus.topology import Topic, Topology

EXAMPLES = options.examples(
    "callbus topology", "callbus topology --mermaid > graph.mmd", "callbus topology --json | jq '.groups | keys'"
)


def topology(
    mermaid: Annotated[bool, typer.Option("--mermaid", help="The text of a picture, as GitHub draws it.")] = False,
    json: options.Json = False,
    topology: options.TopologyFile = None,
) -> None:
    """Show the graph.

    Its groups with what they read and write, and its topics, derived ones too, with what they keep."""
    graph = options.load_topology(topology)
    if mermaid:
        from callbus.topology import mermaid as draw

        print(draw(graph), end="")
    elif json:
        print_json(plain(graph))
    else:
        wide_console().print(_groups(graph), _topics(graph), f"{graph.lanes} lanes, {graph.path}", sep="\n")


def plain(graph: "Topology") -> dict[str, object]:
    """The graph as plain data, derived topics included."""
    return {
        "lanes": graph.lanes,
        "groups": {
            name: {
                "inputs": group.inputs,
                "outputs": group.outputs,
                "models": group.models,
                "device": group.device,
                "delivery": group.delivery,
                "changelog": group.changelog,
                "dead_letters": group.dead_letters,
            }
            for name, group in graph.groups.items()
        },
        "producers": {name: {"outputs": producer.outputs} for name, producer in graph.producers.items()},
        "topics": {
            topic.name: {
                "schema": topic.schema or None,
                "retention_ms": topic.retention_ms,
                "compacted": topic.retention_ms is None,
                "public": topic.public,
                "restricted": topic.restricted,
                "derived": topic.derived,
            }
            for topic in graph.all_topics()
        },
    }


def _groups(graph: "Topology") -> "Table":
    from rich.table import Table

    table = Table("group", "reads", "writes", "models", "delivery", title="Groups", title_justify="left")
    table.columns[0].no_wrap = True
    for name, group in graph.groups.items():
        cells = (", ".join(names) for names in (group.inputs, group.outputs, group.models))
        table.add_row(name, *cells, group.delivery)
    return table


def _topics(graph: "Topology") -> "Table":
    from rich.table import Table

    table = Table("topic", "event", "kept", "written by", "read by", title="Topics", title_justify="left")
    table.columns[0].no_wrap = True
    for topic in graph.all_topics():
        doors = [name for name, door in graph.producers.items() if topic.name in door.outputs]
        writers = [name for name, group in graph.groups.items() if topic.name in group.outputs]
        readers = [name for name, group in graph.groups.items() if topic.name in group.inputs]
        readers += ["subscribers"] if topic.public else ["subscribers with leave"] if topic.restricted else []
        table.add_row(
            topic.name,
            topic.schema or "(a Faust table)",
            _kept(topic),
            ", ".join(doors + writers) or "its group",
            ", ".join(readers) or ("its group" if topic.retention_ms is None else "operators"),
            style="dim" if topic.derived else "",
        )
    return table


def _kept(topic: "Topic") -> str:
    from callbus.topics.plan import duration

    return "newest per call" if topic.retention_ms is None else duration(topic.retention_ms)
