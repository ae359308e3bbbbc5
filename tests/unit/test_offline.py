"""The graph without Kafka: in its order, with each call's state, and nothing lost that a consumer refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from callbus.consumer import CallResult, CallSlice, Outcome, Reject, Retry, Stateful, Stateless
from callbus.errors import TopologyError
from callbus.offline import Offline, feeding
from callbus.offline.order import in_order, inputs_of
from callbus.topology import Batch, Group, Topology, load, module_of
from schemas.records import CallDocument, CallInsight, Utterance
from tests.builders import chunk, utterance
from tests.cli import TOPOLOGY
from tests.evaluations import classified, evaluated, read

GRAPH = load(TOPOLOGY)
GROUP = Group(name="group", inputs=("in",), outputs=("out",), batch=Batch(size=2))
KEEPING = replace(GROUP, state="State")


def messages(call_id: str, count: int) -> list[Utterance]:
    return [utterance(call_id, str(n), start_ms=1000 * n) for n in range(count)]


def ignore(_: int) -> None: ...


@dataclass
class Counting:
    """Says each event with how many it has had of its call; the state is that number, the memory their texts."""

    slices: list[CallSlice[Any, Any]] = field(default_factory=list)

    def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
        self.slices += slices
        return [self._one(one) for one in slices]

    def _one(self, one: CallSlice[Any, Any]) -> CallResult[Any, Any]:
        if any(event.text == "never" for event in one.events):
            raise Reject("never")
        if any(event.text == "later" for event in one.events):
            raise Retry("later")
        count, texts = one.state or 0, one.memory or ()
        said = [replace(event, text=f"{event.text} after {count + n}") for n, event in enumerate(one.events)]
        return CallResult(said, count + len(said), (*texts, *(event.text for event in one.events)))


def test_groups_run_after_those_that_write_what_they_read() -> None:
    """All of the shipped graph, however it is written down; what only acts on the outside is left out."""
    names = [group.name for group in in_order(replace(GRAPH, groups=dict(reversed(list(GRAPH.groups.items())))))]
    assert set(names) == set(GRAPH.groups)
    for group in GRAPH.groups.values():
        writers = [one.name for one in GRAPH.groups.values() if set(one.outputs) & set(group.inputs)]
        assert all(names.index(writer) < names.index(group.name) for writer in writers)
    silent = replace(GRAPH.group("qa"), outputs=())
    assert "qa" not in [g.name for g in in_order(replace(GRAPH, groups={**GRAPH.groups, "qa": silent}))]


def test_a_groups_inputs_are_mixed_by_time() -> None:
    """Each topic keeps its order; at one time the topic comes first that the group names first."""
    group = replace(GROUP, inputs=("a", "b"))
    records = {
        "b": [utterance(text="b1", at_ms=1), utterance(text="b5", at_ms=5)],
        "a": [utterance(text="a1", at_ms=1), utterance(text="a9", at_ms=9), utterance(text="a2", at_ms=2)],
    }
    assert [one.text for one in inputs_of(group, records)] == ["a1", "b1", "b5", "a9", "a2"]


def test_each_call_keeps_its_own_state_and_memory() -> None:
    """Calls go side by side, an utterance of each at a time."""
    counting = Counting()
    inputs = {"one": messages("one", 3), "two": messages("two", 1), "three": messages("three", 2)}
    fed = feeding.advance(KEEPING, counting, inputs, ignore)
    assert [event.text for event in fed.made["one"]] == ["0 after 0", "1 after 1", "2 after 2"]
    assert [event.text for event in fed.made["three"]] == ["0 after 0", "1 after 1"]
    steps = [(one.call_id, one.state, one.memory) for one in counting.slices]
    assert steps[:3] == [("one", None, None), ("two", None, None), ("three", None, None)]
    assert steps[3:] == [("one", 1, ("0",)), ("three", 1, ("0",)), ("one", 2, ("0", "1"))]


def test_what_is_refused_is_told_and_the_call_goes_on() -> None:
    """What can never work, and what asks for another time: none comes here."""
    texts = ("a", "never", "b", "later", "c")
    said = [utterance("call", text, start_ms=1000 * n) for n, text in enumerate(texts)]
    fed = feeding.advance(KEEPING, Counting(), {"call": said}, ignore)
    assert [event.text for event in fed.made["call"]] == ["a after 0", "b after 1", "c after 2"]
    assert [(one.event.text, type(one.problem)) for one in fed.refused] == [("never", Reject), ("later", Retry)]


def test_an_unfinished_call_goes_on_without_a_further_event() -> None:
    """Until it is finished; then it gets its next one."""

    class Slow:
        def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
            [one] = slices
            steps.append([event.text for event in one.events])
            left = 2 if one.events else one.memory - 1
            return [CallResult((), "state", left, unfinished=left > 0)]

    steps: list[list[str]] = []
    feeding.advance(KEEPING, Slow(), {"call": messages("call", 2)}, ignore)
    assert steps == [["0"], [], [], ["1"], [], []]


def test_chunks_come_many_at_once_and_late() -> None:
    """Nobody is told what is superseded in a moment."""
    slices: list[CallSlice[Any, Any]] = []

    class Listening:
        def advance(self, given: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
            slices.extend(given)
            return [CallResult((), None) for _ in given]

    count = feeding.CHUNKS_AT_ONCE + 2
    feeding.advance(KEEPING, Listening(), {"call": [chunk(sequence=n) for n in range(count)]}, ignore)
    assert [len(one.events) for one in slices] == [count - 2, 2]
    assert all(one.behind_s > 60 for one in slices)


def test_what_remembers_nothing_gets_batches() -> None:
    """Of the group's size, one call after the other; a `Reject` among the outcomes is refused."""

    class Echo:
        def handle(self, events: Sequence[Utterance]) -> list[Outcome]:
            batches.append([f"{event.call_id}{event.text}" for event in events])
            return [Reject("no") if event.text == "1" else (event,) for event in events]

    batches: list[list[str]] = []
    steps: list[int] = []
    fed = feeding.handle(GROUP, Echo(), {"a": messages("a", 3), "b": messages("b", 1)}, steps.append)
    assert batches == [["a0", "a1"], ["a2", "b0"]]
    assert {call: [event.text for event in made] for call, made in fed.made.items()} == {"a": ["0", "2"], "b": ["0"]}
    assert [one.event.text for one in fed.refused] == ["1"]
    assert steps == [2, 2]


def pretended(topology: Topology, group: Group) -> Stateless | Stateful:
    """The real `documents`; of the groups with models, ones that say the same of every call."""

    class Evaluates:
        def handle(self, events: Sequence[CallDocument]) -> list[Outcome]:
            return [
                Reject("too long") if too_long(event) else (replace(evaluated(a="pass"), call_id=event.call_id),)
                for event in events
            ]

    class Classifies:
        def advance(self, slices: Sequence[CallSlice[Any, Any]]) -> list[CallResult[Any, Any]]:
            if any(too_long(event) for one in slices for event in one.events):
                raise Reject("too long")
            return [CallResult([replace(classified(), call_id=one.call_id)], None) for one in slices]

    def too_long(event: CallDocument) -> bool:
        return event.turns[0].text == "too long"

    if group.name == "documents":
        documents: Stateful = module_of(topology, group.name).load(topology.settings(group.name))
        return documents
    return {"classification": Classifies, "qa": Evaluates}[group.name]()


SHORT = replace(GRAPH, groups={name: GRAPH.group(name) for name in ("documents", "classification", "qa", "insights")})


def entities(call_id: str, text: str) -> dict[str, list[Any]]:
    said = replace(read(0, text, text), call_id=call_id)
    return {"entities": [said, replace(said, event_id="end", utterance_id="end", kind="end", text="")]}


def test_all_that_comes_of_a_call_is_told_by_topic() -> None:
    """Down to the insight, which is joined without Faust. Twice the same."""
    steps: list[tuple[str, int, int]] = []
    calls = {"one": entities("one", "Hello."), "two": entities("two", "Help.")}
    outcome = Offline(SHORT, pretended).run(calls, lambda *step: steps.append(step))
    its = outcome["one"].events
    assert {name: len(found) for name, found in its.items()} == {
        "entities": 2,
        "call-documents": 2,
        "classifications": 2,
        "qa-evaluations": 2,
        "call-insights": 1,
    }
    [insight] = its["call-insights"]
    assert isinstance(insight, CallInsight)
    assert insight.main
    assert (insight.call_id, insight.main.label, insight.qa_heads) == ("one", "gbv", ())
    assert ("documents", 0, 4) in steps
    assert ("documents", 4, 4) in steps
    assert Offline(SHORT, pretended).run(calls) == outcome


def test_a_call_is_told_what_failed_of_it() -> None:
    """As a worker tells it, so that its insight shows it; the other calls are as ever."""
    calls = {"one": entities("one", "too long"), "two": entities("two", "Help.")}
    outcome = Offline(SHORT, pretended).run(calls)
    assert {one.group for one in outcome["one"].refused} == {"classification", "qa"}
    assert {event.stage for event in outcome["one"].events["call-events"]} == {"classification", "qa"}
    stages = {one.stage: one.state for one in outcome["one"].events["call-insights"][0].completeness}
    assert stages["classification"] == "failed"
    assert outcome["two"].refused == []
    assert "call-events" not in outcome["two"].events


def test_consumers_are_loaded_once_and_only_when_needed() -> None:
    """The second run has them; without input none is loaded."""
    loaded: list[str] = []

    def noting(topology: Topology, group: Group) -> Stateless | Stateful:
        loaded.append(group.name)
        return pretended(topology, group)

    graph = Offline(SHORT, noting)
    graph.run({"none": {}})
    assert loaded == []
    for call_id in ("one", "two"):
        graph.run({call_id: entities(call_id, "Hello.")})
    assert loaded == ["documents", "classification", "qa"]


def test_a_faust_group_without_a_join_of_its_own_can_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has its line, and says what to add."""
    monkeypatch.delattr(module_of(SHORT, "insights"), "joined")
    with pytest.raises(TopologyError, match=r"topology\.yaml:\d+: consumers\.insights has no function `joined`"):
        Offline(SHORT, pretended).run({"one": entities("one", "Hello.")})
