"""All groups of the graph over some calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from callbus.consumer import Stateful, Stateless
from callbus.errors import TopologyError
from callbus.ids import event_id
from callbus.lanes import CALL_EVENTS
from callbus.loading import consumer_of
from callbus.offline import feeding
from callbus.offline.feeding import Fed, Refused
from callbus.offline.order import in_order, inputs_of
from callbus.topology import Group, Topology, module_of
from schemas.records import CallEvent

Events = Mapping[str, Sequence[Any]]
"""Events of one call by topic, each topic in order."""

Load = Callable[[Topology, Group], Stateless | Stateful]
OnFed = Callable[[str, int, int], None]
"""Told the group's name, how many events it has been fed, and how many there are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is known of a call in the end: every event by topic, what went in included, and what was refused."""

    events: Events
    refused: Sequence[Refused]


class Offline:
    """The graph, with the consumers that it has needed so far: loaded as a worker loads them, and kept.

    The same calls give the same events each time: nothing depends on the clock.
    """

    def __init__(self, topology: Topology, load: Load = consumer_of) -> None:
        self._topology = topology
        self._load = load
        self._consumers: dict[str, Stateless | Stateful] = {}

    def run(self, calls: Mapping[str, Events], on_fed: OnFed = lambda *_: None) -> dict[str, Outcome]:
        """What comes of each call, by its id, given its doors' events.

        A call ends by its own events; none falls silent. What a group refuses is told to the call (`failed`), as a
        worker would. Raises what a consumer raises other than `Reject` and `Retry`, and what loading it raises.
        """
        known = {call_id: {name: list(its) for name, its in events.items()} for call_id, events in calls.items()}
        refused: dict[str, list[Refused]] = {call_id: [] for call_id in calls}
        for group in in_order(self._topology):
            inputs = {call_id: found for call_id, its in known.items() if (found := inputs_of(group, its))}
            if not inputs:
                continue
            fed = self._feed(group, inputs, _counting(group.name, inputs, on_fed))
            topics = {self._topology.topic(name).schema: name for name in group.outputs}
            for call_id, made in fed.made.items():
                for record in made:
                    known[call_id].setdefault(topics[type(record).__name__], []).append(record)
            for one in fed.refused:
                refused[one.event.call_id].append(one)
                known[one.event.call_id].setdefault(CALL_EVENTS, []).append(_failed(one))
        return {call_id: Outcome(its, refused[call_id]) for call_id, its in known.items()}

    def _feed(self, group: Group, inputs: Mapping[str, Sequence[Any]], on_fed: Callable[[int], None]) -> Fed:
        if group.runtime == "faust":
            join = self._join(group)
            made = {call_id: join(call_id, its) for call_id, its in inputs.items()}
            on_fed(sum(map(len, inputs.values())))
            return Fed(made, ())
        if group.name not in self._consumers:
            self._consumers[group.name] = self._load(self._topology, group)
        consumer = self._consumers[group.name]
        if group.state is None:
            return feeding.handle(group, cast(Stateless, consumer), inputs, on_fed)
        return feeding.advance(group, cast(Stateful, consumer), inputs, on_fed)

    def _join(self, group: Group) -> Callable[[str, Sequence[Any]], Sequence[Any]]:
        """What a Faust group makes of a call, by the `joined` of its module: the same pure functions, without Faust."""
        joined = getattr(module_of(self._topology, group.name), "joined", None)
        if joined is None:
            place = self._topology.place("groups", group.name)
            raise TopologyError(
                f"{place} consumers.{group.name} has no function `joined`, so it can't run without Kafka; "
                "add joined(topology, group, call_id, events) -> events"
            )
        return partial(joined, self._topology, group)


def _counting(name: str, inputs: Mapping[str, Sequence[Any]], on_fed: OnFed) -> Callable[[int], None]:
    done, total = 0, sum(map(len, inputs.values()))

    def fed(more: int) -> None:
        nonlocal done
        done += more
        on_fed(name, done, total)

    on_fed(name, 0, total)
    return fed


def _failed(one: Refused) -> CallEvent:
    call_id = one.event.call_id
    return CallEvent(
        event_id=event_id(call_id, one.group, f"failed:{one.event.event_id}"),
        call_id=call_id,
        at_ms=one.event.at_ms,
        type="failed",
        medium="unknown",
        source=one.group,
        stage=one.group,
        reason=str(one.problem),
    )
