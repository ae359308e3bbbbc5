"""Lane choice as a Hypothesis machine: doors that are started again while lanes grow and calls run."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from callbus.lanes import LaneChooser, Sighting, running

CALLS = st.sampled_from([f"call-{number}" for number in range(12)])
MOST_LANES = 64


class Door(RuleBasedStateMachine):
    """One door. What it has published is all that it knows when it is started again."""

    @initialize(lanes=st.integers(1, 8))
    def begin(self, lanes: int) -> None:
        self.lanes = lanes
        self.at_ms = 0
        self.log: list[Sighting] = []  # what stands on the topic of call events
        self.where: dict[str, int] = {}  # the model: calls that run, and where they began
        self.remembered: dict[str, int] = {}  # calls that ended in this life of the door
        self.chooser = LaneChooser(lanes)

    def _publish(self, call_id: str, lane: int, ended: bool = False) -> None:
        self.at_ms += 1
        self.log.append(Sighting(call_id, lane, self.at_ms, ended))

    @rule(call_id=CALLS)
    def speaks(self, call_id: str) -> None:
        """A running call is where it began, whatever was added since; a new one is where a Java client looks for it."""
        lane = self.chooser.lane(call_id)
        if call_id in self.remembered:
            assert lane == self.remembered[call_id]  # a recording after the end
            return
        if call_id not in self.where:
            assert lane == LaneChooser(self.lanes).lane(call_id)
            self.where[call_id] = lane
        assert lane == self.where[call_id]
        self._publish(call_id, lane)

    @precondition(lambda self: self.where)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.where)))
        lane = self.chooser.lane(call_id)
        assert lane == self.where.pop(call_id)
        self._publish(call_id, lane, ended=True)
        self.chooser.ended(call_id)
        self.remembered[call_id] = lane

    @precondition(lambda self: self.lanes < MOST_LANES)
    @rule(more=st.integers(1, 8))
    def lanes_grow(self, more: int) -> None:
        self.lanes += more
        self.chooser.grow(self.lanes, running(self.log))

    @rule(dies_before=st.booleans(), more=st.integers(0, 8))
    def starts_again(self, dies_before: bool, more: int) -> None:
        """With more lanes than before, it may be; twice, it may be."""
        self.lanes = max(self.lanes, min(MOST_LANES, self.lanes + more))
        self.remembered = {}
        for _ in range(1 + dies_before):
            self.chooser = LaneChooser(self.lanes, running(self.log))

    @invariant()
    def what_runs_is_known(self) -> None:
        """The topic tells of just the calls that run, in whatever order its lanes are read."""
        if hasattr(self, "log"):
            assert running(reversed(self.log)) == running(self.log) == self.where


def test_a_running_call_stays_where_it_began() -> None:
    """Over any number of restarts and growths."""
    run_state_machine_as_test(Door, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
