"""A call's timeline and the models that made its insight, without a broker."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.insights.join import Input, fold, insight, shows_more
from consumers.insights.state import dump, restore
from schemas.records import CallInsight, Classification, LabelChange, Provenance, StageModel, UtteranceEntities
from tests.unit.test_insights import LINEAGE, judged, life, of, said, scored, state_of
from tests.unit.test_insights_hearings import SECOND, again
from tests.unit.test_insights_telling import alert, summed_up

MOVED = LabelChange(
    head="priority", before="low", after="high", score_before=0.6, score=0.8, evidence=("utterance-2",),
    reason="said since",
)  # fmt: skip


def gap(n: int, until_ms: int = 9) -> UtteranceEntities:
    return replace(said(n, kind="gap"), start_ms=n, end_ms=n + until_ms)


def moved(revision: int, heard_ms: int, *changes: LabelChange) -> Classification:
    return replace(judged(revision), heard_ms=heard_ms, label_changes=changes or (MOVED,))


def steps(found: CallInsight) -> list[tuple[str, int | None]]:
    return [(one.kind, one.offset_ms) for one in found.timeline]


EVENTFUL: tuple[tuple[Input, ...], ...] = (
    (
        life("started", 1000),
        life("held", 1200),
        life("resumed", 1300),
        life("interrupted", 1600, stage="documents"),
        life("reopened", 1700, stage="documents"),
        life("ended", 9000),
    ),
    (said(1), gap(40), said(50)),
    (judged(1), moved(2, 600)),
    (alert(1), alert(2, level="critical", state="escalated"), alert(3, level="critical", state="withdrawn")),
)


def test_a_timeline_tells_all_that_happened_in_order_of_time() -> None:
    """With the place in the call, what it was before and is then, and the turns that it rests on."""
    found = of(*itertools.chain(*EVENTFUL))
    assert steps(found) == [
        ("started", 0),
        ("gap", 40),
        ("held", 200),
        ("resumed", 300),
        ("alert_raised", 500),
        ("alert_escalated", 500),
        ("alert_withdrawn", 500),
        ("judgement_changed", 600),
        ("interrupted", 600),
        ("reopened", 700),
        ("ended", 8000),
    ]
    by_kind = {one.kind: one for one in found.timeline}
    hole, case, danger = by_kind["gap"], by_kind["judgement_changed"], by_kind["alert_escalated"]
    assert (hole.subject, hole.until_ms, hole.evidence) == ("caller", 49, ("utterance-40",))
    assert (case.subject, case.before, case.after) == ("priority", "low", "high")
    assert (case.evidence, case.reason) == (("utterance-2",), "said since")
    assert (danger.subject, danger.before, danger.after) == ("violence", "high", "critical")
    assert danger.evidence == ("utterance-2",)
    assert by_kind["interrupted"].subject == "documents"


@given(st.data())
def test_a_timeline_is_the_same_however_topics_interleave(data: st.DataObject) -> None:
    """With events doubled, too; and it comes back whole from the changelog."""
    streams = [[event for event in stream for _ in range(data.draw(st.integers(1, 2)))] for stream in EVENTFUL]
    order = data.draw(st.permutations([n for n, stream in enumerate(streams) for _ in stream]))
    state = state_of(*(streams[n].pop(0) for n in order))
    assert restore(dump(state)) == state
    assert of(*itertools.chain(*EVENTFUL)).timeline == insight(state, LINEAGE).timeline


def test_a_place_that_is_not_known_is_not_made_up() -> None:
    """What is known by its time alone has no offset until the start was seen; what stands in the sound has one."""
    found = of(life("held", 1200), gap(40))
    assert steps(found) == [("gap", 40), ("held", None)]
    assert [one.at_ms for one in found.timeline] == [1040, 1200]


def test_the_end_stands_last_whatever_the_clocks_say() -> None:
    """A recording is published in a moment: its door's clock has gone less far than its sound."""
    found = of(life("started", 1000), life("ended", 1010), gap(500))
    assert steps(found) == [("started", 0), ("gap", 500), ("ended", 10)]


def test_gaps_are_those_of_the_hearing_that_is_shown() -> None:
    """A hole in the live sound is none of the recording."""
    once = (life("started"), said(1), gap(2), said(4, kind="end"))
    assert "gap" in dict(steps(of(*once)))
    assert "gap" in dict(steps(of(*once, again(1))))
    assert "gap" not in dict(steps(of(*once, *SECOND)))
    second = replace(again(2, kind="gap"), start_ms=70)
    assert ("gap", 70) in steps(of(*once, second, again(4, kind="end")))


def test_what_never_ends_is_counted() -> None:
    """A line that drops out all the time: a hundred gaps are listed, and the last says how many more there were."""
    found = of(*(gap(n) for n in range(130)), *(alert(n, state="escalated") for n in range(1, 4)))
    gaps = [one for one in found.timeline if one.kind == "gap"]
    assert (len(gaps), gaps[-1].more, gaps[0].more) == (100, 30, 0)
    assert len([one for one in found.timeline if one.kind == "alert_escalated"]) == 3


def test_a_step_is_published_at_once_and_once() -> None:
    """A label that moved is news even where all labels are as they were two revisions ago."""
    state = state_of(life("started"), said(1), judged(1))
    after = fold(state, moved(2, 600))
    assert shows_more(state, after)
    assert fold(after, moved(2, 600)) is after
    assert not shows_more(after, fold(after, judged(3)))


def made(stage: str, version: str = "1") -> Provenance:
    return Provenance(stage=stage, model=f"{stage}-model", model_version=version, origin_ids=())


def test_every_model_that_took_part_is_named() -> None:
    """Of an utterance's stages, in their order, once each; of the judgements, as they stand. A door has none."""
    heard = replace(said(1), above=(made("transcription"), made("translation")), provenance=made("ner"))
    typed = replace(
        said(2), above=(replace(made("player"), model=""), made("translation", "2")), provenance=made("ner")
    )
    found = of(
        heard,
        replace(heard, event_id="3", utterance_id="3"),
        typed,
        replace(judged(1), provenance=made("classification")),
        replace(judged(2), provenance=made("classification", "2")),
        replace(scored(1), provenance=made("qa")),
        replace(summed_up(1), provenance=made("summary")),
        replace(alert(1), provenance=made("alerts")),
    )
    assert found.models == tuple(
        StageModel(stage=stage, model=f"{stage}-model", version=version)
        for stage, version in (
            ("transcription", "1"),
            ("translation", "1"),
            ("translation", "2"),
            ("ner", "1"),
            ("alerts", "1"),
            ("classification", "2"),
            ("qa", "1"),
            ("summary", "1"),
        )
    )


@pytest.mark.parametrize("hearing", [1, 2])
def test_models_are_those_of_the_hearing_that_is_shown(hearing: int) -> None:
    """What heard the call live had no part in what was heard from its recording."""
    live = replace(said(1), provenance=made("ner", "live"))
    recorded = replace(again(1), provenance=made("ner", "recorded"))
    ended = (said(4, kind="end"), *((again(4, kind="end"),) if hearing == 2 else ()))
    assert [one.version for one in of(live, recorded, *ended).models] == [["live"], ["recorded"]][hearing - 1]
