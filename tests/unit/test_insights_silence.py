"""Calls that never get their end, as the insight shows them: ended by silence, gone on after all, given up."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from callbus.topology import Group
from consumers.insights.join import Input, fold, insight, shows_more
from consumers.insights.open_calls import OpenCalls
from consumers.insights.silence import give_up, given_up, reopen
from consumers.insights.state import InsightState, dump, restore
from schemas.records import CallEvent, CallInsight
from tests.unit.test_insights import CALL, LINEAGE, judged, life, of, said, scored, stages, state_of

SILENT = life("interrupted", 5000, stage="transcription")
GOES_ON = life("reopened", 6000, stage="transcription")
DONE = (judged(3, complete=True), scored(3, complete=True))
CUT_OFF: tuple[Input, ...] = (life("started"), said(1), said(2, kind="end"), *DONE, SILENT)


def times(found: CallInsight) -> tuple[int | None, bool, bool]:
    return found.ended_at_ms, found.interrupted, found.complete


def test_a_call_ended_by_silence_has_an_end_and_a_mark() -> None:
    """It ended when it was last heard of, and is complete once all stages have said their last word."""
    assert times(of(life("started"), said(1), judged(1), SILENT)) == (5000, True, False)
    found = of(*CUT_OFF)
    assert times(found) == (5000, True, True)
    assert set(stages(found).values()) == {"complete"}
    assert SILENT.event_id in found.provenance.origin_ids


def test_the_doors_word_on_the_end_counts_most() -> None:
    """Its chunks got lost, its `ended` did not: the time is the door's, the mark stays, for something is missing."""
    assert times(of(*CUT_OFF, life("ended", 4000))) == (4000, True, True)


def test_a_doors_word_that_it_was_cut_off_marks_the_call() -> None:
    """A door that was killed says so at its next start: the call has its end, and the mark."""
    whole = (life("started"), said(1), said(2, kind="end"), *DONE)
    cut_off = (life("interrupted", 4000, stage="asterisk"), life("ended", 4000))
    assert times(of(*whole, *cut_off)) == (4000, True, True)
    assert times(of(*cut_off, *whole)) == (4000, True, True)


def test_a_call_that_goes_on_is_open_until_it_ends_again() -> None:
    """No end, no mark, not complete; the end of before proves nothing of the part that comes now."""
    again = (*CUT_OFF, GOES_ON)
    assert times(of(*again)) == (None, False, False)
    assert stages(of(*again))["transcription"] == "partial"
    ended = (*again, said(3), life("ended", 9000))
    assert times(of(*ended)) == (9000, False, False)
    more = (*ended, said(4, kind="end"), judged(4))
    assert times(of(*more)) == (9000, False, False)
    assert stages(of(*more))["classification"] == "partial"
    assert times(of(*more, judged(5, complete=True))) == (9000, False, True)


def test_a_call_may_be_interrupted_many_times() -> None:
    """Each time it takes one more end to complete it."""
    events = list(CUT_OFF)
    for n in range(1, 4):
        events.append(life("reopened", 6000 + n, stage="transcription"))
        assert times(of(*events)) == (None, False, False)
        events.append(life("interrupted", 7000 + n, stage="transcription"))
        assert times(of(*events)) == (7000 + n, True, False)
        events.append(said(10 + n, kind="end"))
        assert times(of(*events)) == (7000 + n, True, True)


def test_a_chat_that_documents_ended_needs_no_end_of_its_own() -> None:
    """Nothing comes from the stages above one that was silent for long: they are complete."""
    chat = (life("started"), said(1), *DONE, life("interrupted", 5000, stage="documents"))
    assert times(of(*chat)) == (5000, True, True)
    reopened = (*chat, life("reopened", 6000, stage="documents"))
    assert times(of(*reopened)) == (None, False, False)
    assert stages(of(*reopened))["ner"] == "partial"
    real = (*reopened, said(2, kind="end"), judged(4, complete=True), life("ended", 7000))
    assert times(of(*real)) == (7000, False, True)


def test_the_first_stage_in_the_graph_decides() -> None:
    """A long hold made documents end the call; it went on, and then its door crashed: transcription knows."""
    hold = (life("interrupted", 3000, stage="documents"), life("reopened", 4000, stage="documents"))
    assert times(of(life("started"), said(1), *hold))[:2] == (None, False)
    assert times(of(*CUT_OFF, *hold)) == (5000, True, True)
    assert times(of(life("started"), hold[0], SILENT, GOES_ON))[:2] == (None, False)


def test_what_a_failed_stage_is_known_for_stays() -> None:
    """A failure shows in a call that silence ended; one that was mended does not come back when the call goes on."""
    failed = life("failed", 2000, stage="classification", reason="out of memory", scope="event")
    unmended = of(life("started"), said(1), said(2, kind="end"), DONE[1], failed, SILENT)
    assert (stages(unmended)["classification"], unmended.complete) == ("failed", True)
    mended = (*CUT_OFF, failed, GOES_ON)
    assert stages(of(*mended))["classification"] == "complete"
    assert stages(of(*mended, judged(4)))["classification"] == "partial"


def test_a_lost_call_is_done_when_silence_ends_it() -> None:
    """What transcription lost as a whole fails the stages below, also where no door says that the call has ended."""
    lost = life("failed", 2000, stage="transcription", reason="not audio")
    documents = life("interrupted", 5000, stage="documents")
    assert {s.state for s in of(life("started"), lost, documents).completeness} >= {"failed"}
    found = insight(given_up_after(life("started"), lost), LINEAGE)
    assert found.complete
    assert {stage.reason for stage in found.completeness} == {"not audio", "transcription failed"}


STREAMS: tuple[tuple[Input, ...], ...] = (
    (life("started"), SILENT, GOES_ON, life("interrupted", 8000, stage="transcription"), life("ended", 8500)),
    (said(1), said(2, kind="end"), said(3), said(4, kind="end")),
    (judged(1), judged(2, complete=True), judged(3), judged(4, complete=True)),
    (scored(1), scored(2, complete=True), scored(4, complete=True)),
)


@st.composite
def arrivals(draw: st.DrawFn) -> list[Input]:
    """The call's events in any interleaving of its topics, some of them twice."""
    streams = [[event for event in stream for _ in range(draw(st.integers(1, 2)))] for stream in STREAMS]
    order = draw(st.permutations([n for n, stream in enumerate(streams) for _ in stream]))
    return [streams[n].pop(0) for n in order]


@given(arrivals())
def test_neither_order_of_topics_nor_doubles_matter(events: list[Input]) -> None:
    """Whatever overtakes what: the same insight at the end, a revision that only grows, a state that survives."""
    assert of(*events) == of(*itertools.chain(*STREAMS))
    states = list(itertools.accumulate(events, fold, initial=InsightState(call_id=CALL)))
    for before, after in itertools.pairwise(states):
        assert after.revision > before.revision if shows_more(before, after) else after.revision >= before.revision
    assert restore(dump(states[-1])) == states[-1]
    assert state_of(*events, *events) == states[-1]


def given_up_after(*events: Input, heard_ms: int = 7000) -> InsightState:
    state = replace(state_of(*events), heard_ms=heard_ms)
    return fold(state, give_up(state, "insights"))


def test_a_call_of_which_only_its_start_was_seen_is_given_up() -> None:
    """It ended when it was last heard of, is complete, and says of every stage that nothing came."""
    found = insight(given_up_after(life("started")), LINEAGE)
    assert times(found) == (7000, True, True)
    assert {(stage.state, stage.reason) for stage in found.completeness} == {("failed", "nothing more came")}


def test_a_call_without_a_last_word_is_given_up() -> None:
    """What was complete stays so; what never came is failed, visibly."""
    found = insight(given_up_after(*CUT_OFF[:3], judged(1), GOES_ON), LINEAGE)
    assert times(found) == (7000, True, True)
    assert stages(found)["classification"] == "failed"
    assert times(insight(given_up_after(life("started"), said(1), life("ended", 4000)), LINEAGE)) == (4000, True, True)


def test_a_word_that_came_too_late_is_nothing() -> None:
    """Something came between our look and our word: the call was not silent."""
    looked = state_of(life("started"))
    moved_on = fold(looked, said(1))
    assert fold(moved_on, give_up(looked, "insights")) is moved_on
    given = fold(looked, give_up(looked, "insights"))
    assert given_up(given)
    assert fold(given, give_up(looked, "insights")) is given


def test_what_comes_after_all_reopens_it() -> None:
    """By a word of this group's own; then the other stages' words count again, and it can be given up once more."""
    late = fold(given_up_after(life("started")), said(1))
    assert given_up(late)
    again = fold(late, reopen(late, "insights"))
    assert fold(again, reopen(late, "insights")) is again
    assert times(insight(again, LINEAGE)) == (None, False, False)
    assert stages(insight(again, LINEAGE))["ner"] == "partial"
    assert times(insight(fold(again, SILENT), LINEAGE)) == (5000, True, False)
    twice = fold(again, give_up(again, "insights"))
    assert given_up(twice)
    assert reopen(twice, "insights").event_id != reopen(late, "insights").event_id


def test_the_clock_is_no_content() -> None:
    """That something was heard of a call is remembered, not published."""
    state = state_of(life("started"))
    assert not shows_more(state, replace(state, heard_ms=99))


class Waiting:
    """The open calls of two lanes, as their table, and the broker that is asked for the lanes' ends.

    Each call is a lane and when it was last heard of; `asked` and `sent` happen while the broker is awaited.
    """

    consumer_generation_id = 1

    def __init__(self, calls: Iterable[tuple[str, int, int]], behind: Iterable[int] = ()) -> None:
        self.consumer = self
        self.asked: Callable[[], None] = lambda: None
        self.sent: Callable[[], None] = lambda: None
        self.told: list[str] = []
        self._behind = set(behind)
        self._table: dict[bytes, tuple[int, bytes]] = {}
        group = Group(name="insights", inputs=("call-events",))
        self._open = OpenCalls(self, self, group, LINEAGE, self._send)
        for call in calls:
            self.hear(*call)

    def hear(self, call_id: str, lane: int, heard_ms: int) -> None:
        state = replace(state_of(life("started")), call_id=call_id, heard_ms=heard_ms)
        self._table[call_id.encode()] = lane, dump(state)
        self._open.note(lane, state)

    async def look(self, before_ms: int) -> list[str]:
        """The calls that a look gives up."""
        self.told.clear()
        await self._open._look(before_ms)
        return list(self.told)

    async def _send(self, lane: int, word: CallEvent) -> None:
        self.told.append(word.call_id)
        self.sent()

    def lanes(self) -> dict[bytes, int]:
        return {key: lane for key, (lane, _) in self._table.items()}

    def get(self, key: bytes) -> bytes | None:
        return self._table[key][1] if key in self._table else None

    def assignment(self) -> set[Any]:
        return {TopicPartition("call-events", lane) for lane in range(2)}

    async def highwaters(self, *inputs: Any) -> dict[Any, int]:
        self.asked()
        return dict.fromkeys(inputs, 10)

    async def position(self, tp: Any) -> int:
        return 9 if tp.partition in self._behind else 10

    def in_hand(self, tp: Any) -> bool:
        return False


async def test_a_call_that_speaks_while_the_broker_is_asked_is_not_given_up() -> None:
    """It was silent when the look began; the other one still is."""
    waiting = Waiting([("speaks", 0, 100), ("silent", 0, 100)])
    waiting.asked = lambda: waiting.hear("speaks", 0, 500)
    assert await waiting.look(200) == ["silent"]
    assert await waiting.look(600) == ["speaks"]


async def test_a_call_that_speaks_while_it_is_given_up_is_waited_for_again() -> None:
    """The word on its way to the broker is out of date, so it must be said again some time."""
    waiting = Waiting([("speaks", 0, 100)])
    waiting.sent = lambda: waiting.hear("speaks", 0, 500)
    assert await waiting.look(200) == ["speaks"]
    waiting.sent = lambda: None
    assert await waiting.look(600) == ["speaks"]
    assert await waiting.look(600) == []


async def test_a_lane_that_is_behind_starves_no_other() -> None:
    """Its silent calls, however many, take none of the places of those that can be given up."""
    waiting = Waiting([*((f"behind-{n}", 0, 100) for n in range(1_000)), ("read-up", 1, 100)], behind={0})
    assert await waiting.look(200) == ["read-up"]
