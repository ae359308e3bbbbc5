"""What an insight tells of a call in words: dangers, summary, people. Without a broker."""

import itertools
from dataclasses import replace

from callbus.topology import load
from consumers.insights.join import Input, fold, insight, is_open, shows_more
from consumers.insights.lineage import lineage, not_waited_for, stages_of, writer_of
from consumers.insights.state import InsightState, dump, restore
from schemas.records import (
    Alert,
    AlertChange,
    AlertLevel,
    CallInsight,
    CallSummary,
    Quote,
    SummaryPerson,
    SummarySentence,
)
from tests.cli import TOPOLOGY
from tests.unit.test_insights import CALL, LINEAGE, MADE, WANJIKU, WHOLE_CALL, life, named, of, said, stages, state_of

SUMMARY = ("transcription", "translation", "ner", "documents", "summary")


def alert(
    revision: int = 1,
    matter: str = "violence",
    state: AlertChange = "raised",
    level: AlertLevel = "high",
    text: str = "he is beating her now",
) -> Alert:
    return Alert(
        event_id=f"{matter}-{revision}",
        call_id=CALL,
        at_ms=1500 + revision,
        matter=matter,
        state=state,
        level=level,
        utterance_id=f"utterance-{revision}",
        start_ms=500,
        end_ms=900,
        speaker="caller",
        evidence=(Quote(utterance_id=f"utterance-{revision}", speaker="caller", text=text),),
        score=0.9,
        revision=revision,
        reason="somebody is being hurt",
        provenance=MADE,
    )


def summed_up(revision: int, text: str = "he beat her", *, complete: bool = False) -> CallSummary:
    return CallSummary(
        event_id=f"summary-{revision}",
        call_id=CALL,
        at_ms=1600 + revision,
        document_id=f"document-{revision}",
        revision=revision,
        complete=complete,
        sentences=(SummarySentence(part="happened", text=text, utterance_id="utterance-1", score=0.9),),
        people=(SummaryPerson(role="daughter", evidence=("utterance-1",)),),
        provenance=MADE,
    )


def test_each_matter_stands_as_it_was_last_told() -> None:
    """Urgent ones first, withdrawn ones last; an older change that comes later counts no more."""
    found = of(
        alert(1, "suicide"),
        alert(1),
        alert(2, level="critical", state="escalated"),
        alert(1),
        alert(2, "suicide", state="withdrawn"),
        alert(1, "missing_child"),
    )
    assert [(one.matter, one.state, one.level, one.revision) for one in found.alerts] == [
        ("violence", "escalated", "critical", 2),
        ("missing_child", "raised", "high", 1),
        ("suicide", "withdrawn", "high", 2),
    ]
    assert set(found.provenance.origin_ids) >= {"violence-2", "suicide-2", "missing_child-1"}


def test_an_alert_tells_more_at_once() -> None:
    """It is a revision of its own, so that nobody waits for the next turn."""
    before = state_of(life("started"), said(1))
    after = fold(before, alert())
    assert insight(after, LINEAGE).revision > insight(before, LINEAGE).revision
    assert fold(after, alert()) is after


def test_the_newest_summary_counts() -> None:
    """With the people; `complete` is the stage's last word."""
    paths = {**LINEAGE, "CallSummary": SUMMARY}

    def shown(*events: CallSummary) -> CallInsight:
        return insight(state_of(*itertools.chain(*WHOLE_CALL), *events), paths)

    assert not shown(summed_up(1)).complete
    found = shown(summed_up(2, "she fled", complete=True), summed_up(1))
    assert found.complete
    assert [one.text for one in found.summary] == ["she fled"]
    assert [one.role for one in found.people] == ["daughter"]


def test_a_name_found_later_is_not_shown_in_what_was_quoted_before() -> None:
    """Neither in a quotation nor in the summary."""
    heard = named("NAME", "Kipchoge", "[NAME_2]")
    found = of(
        alert(text="kipchoge is beating her"), summed_up(1, "kipchoge beat her on Monday"), said(1, WANJIKU, heard)
    )
    assert found.alerts[0].evidence[0].text == "… is beating her"
    assert "beating" not in repr(found.timeline)
    assert found.summary[0].text == "… beat her on Monday"


def test_a_letter_of_a_name_masks_no_other_word() -> None:
    """A particular that was cut amiss takes no "I" with it."""
    found = of(said(1, named("NAME", "I Kipchoge", "[NAME_2]")), summed_up(1, "I'm afraid of Kipchoge"))
    assert found.summary[0].text == "I'm afraid of …"


def test_what_an_older_release_stored_has_no_dangers() -> None:
    """And what is stored now comes back whole."""
    state = state_of(alert(), summed_up(1))
    assert restore(dump(state)) == state
    assert restore(b'{"call_id":"call-1"}') == InsightState(call_id="call-1")


BY_EVENT = {"CallEvent": ("transcription", "translation", "ner", "alerts")}
TOLD = {kind: path for kind, path in LINEAGE.items() if kind not in BY_EVENT} | BY_EVENT


def by_alerts(*events: Input, ends: int = 1, after: tuple[Input, ...] = ()) -> tuple[bool, str, int]:
    """Whether the insight of the whole call is complete, how far alerts is, and how many alerts there are."""
    marks = [life("judged", 9100 + n, stage="alerts") for n in range(ends)]
    found = insight(state_of(*itertools.chain(*WHOLE_CALL), *events, *marks, *after), TOLD)
    assert [one.stage for one in found.completeness][-1] == "alerts"
    return found.complete, stages(found)["alerts"], len(found.alerts)


def test_that_no_alert_came_keeps_no_call_open() -> None:
    """Most calls have none: nobody waits for the group that raises them. But that it is down shows."""
    assert by_alerts(ends=0) == (True, "waiting", 0)
    assert by_alerts(alert(), ends=0) == (True, "partial", 1)
    assert by_alerts() == (True, "complete", 0)
    assert by_alerts(alert()) == (True, "complete", 1)
    assert by_alerts(after=(life("failed", 9200, stage="alerts", reason="broken"),)) == (True, "failed", 0)
    assert not is_open(state_of(*itertools.chain(*WHOLE_CALL)), TOLD)


def test_alerts_tells_of_each_end() -> None:
    """Of the second hearing anew, and once more where the call went on after a silence."""
    second = replace(said(4, kind="end"), event_id="again", utterance_id="again", revision=2)
    assert by_alerts(second)[1] == "partial"
    assert by_alerts(second, ends=2)[1] == "complete"
    goes_on = life("reopened", 9300, stage="transcription")
    assert by_alerts(goes_on)[1] == "partial"
    assert by_alerts(goes_on, ends=2)[1] == "complete"


def test_word_of_alerts_is_one_more_revision_and_no_step_of_the_call() -> None:
    """Told twice it says nothing new; until then every insight says that it is not known."""
    before = state_of(life("started"), said(1))
    after = fold(before, life("judged", stage="alerts"))
    assert shows_more(before, after)
    assert insight(after, TOLD).revision > insight(before, TOLD).revision
    assert insight(after, TOLD).timeline == insight(before, TOLD).timeline
    assert fold(after, life("judged", stage="alerts")) is after


def test_the_shipped_graph_knows_who_tells_of_danger() -> None:
    """Alerts themselves prove nothing of how far their stage is, call events do; one that is lost is nobody's."""
    topology = load(TOPOLOGY)
    found = lineage(topology, topology.group("insights"))
    assert "CallSummary" in found
    assert "Alert" not in found
    assert not_waited_for(found) == stages_of(found)[-1] == "alerts"
    assert writer_of(topology, "call-events") is None


def test_a_later_change_of_a_state_is_another_event() -> None:
    """Its id follows from what it came of."""
    first, second = (insight(fold(state_of(life("started")), alert(n)), LINEAGE) for n in (1, 2))
    assert first.event_id != second.event_id
    rest = {"event_id": "", "at_ms": 0, "revision": 0, "alerts": (), "timeline": (), "provenance": MADE}
    assert replace(first, **rest) == replace(second, **rest)


def test_an_insight_names_the_one_that_it_replaces() -> None:
    """What was published is no news by itself, and outlives the changelog."""
    state = state_of(life("started"))
    first = insight(state, LINEAGE)
    told = restore(dump(replace(state, told_id=first.event_id)))
    assert not shows_more(state, told)
    second = insight(fold(told, said(1)), LINEAGE)
    assert (first.previous_id, second.previous_id) == ("", first.event_id)
