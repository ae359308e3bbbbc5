"""The join of a call's events into its insight, without a broker."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.insights.join import Input, fold, insight, shows_more
from consumers.insights.privacy import masked
from consumers.insights.state import InsightState, dump, restore
from schemas.records import (
    CallEvent,
    CallEventType,
    CallInsight,
    Classification,
    Entity,
    HeadScore,
    Judgement,
    Kind,
    Provenance,
    QaEvaluation,
    UtteranceEntities,
)

LINEAGE = {
    "CallEvent": (),
    "UtteranceEntities": ("transcription", "translation", "ner"),
    "Classification": ("transcription", "translation", "ner", "documents", "classification"),
    "QaEvaluation": ("transcription", "translation", "ner", "documents", "qa"),
}
CALL = "call-1"
MADE = Provenance(stage="test", model="", model_version="", origin_ids=())


def life(
    step: CallEventType, at_ms: int = 1000, stage: str | None = None, reason: str | None = None, **attributes: str
) -> CallEvent:
    return CallEvent(
        event_id=f"{step}-{stage}-{at_ms}",
        call_id=CALL,
        at_ms=at_ms,
        type=step,
        medium="phone",
        source="player",
        stage=stage,
        reason=reason,
        attributes=attributes,
    )


def said(n: int, *entities: Entity, kind: Kind = "speech", language: str = "en") -> UtteranceEntities:
    return UtteranceEntities(
        event_id=f"entities-{n}",
        call_id=CALL,
        at_ms=1000 + n,
        utterance_id=f"utterance-{n}",
        kind=kind,
        speaker="caller",
        start_ms=n,
        end_ms=n + 1,
        confidence=1.0,
        status="pass_through",
        source_language=language,
        text="",
        redacted_text="",
        entities=entities,
        provenance=MADE,
    )


def named(label: str, text: str, placeholder: str = "") -> Entity:
    return Entity(label=label, text=text, start=0, end=len(text), score=1.0, placeholder=placeholder)


def judged(revision: int, *, main: str = "gbv", complete: bool = False) -> Classification:
    judgement = Judgement(label=main, score=0.5, evidence=("utterance-1",), alternatives=())
    return Classification(
        event_id=f"classification-{revision}",
        call_id=CALL,
        at_ms=1000 + revision,
        document_id="",
        revision=revision,
        complete=complete,
        main=judgement,
        sub=judgement,
        priority=judgement,
        intervention=judgement,
        heard_ms=100 * revision,
        previous_id=f"classification-{revision - 1}",
        provenance=replace(MADE, origin_ids=(f"document-{revision}",)),
    )


def scored(revision: int, *, overall: float = 0.7, complete: bool = False) -> QaEvaluation:
    return QaEvaluation(
        event_id=f"qa-{revision}",
        call_id=CALL,
        at_ms=1000 + revision,
        document_id="",
        revision=revision,
        complete=complete,
        criteria=(),
        heads=(HeadScore(head="opening", score=overall),),
        overall=overall,
        band="",
        grade="B",
        provenance=MADE,
    )


def state_of(*events: Input) -> InsightState:
    state = InsightState(call_id=CALL)
    for event in events:
        state = fold(state, event)
    return state


def of(*events: Input) -> CallInsight:
    return insight(state_of(*events), LINEAGE)


def stages(found: CallInsight) -> dict[str, str]:
    return {stage.stage: stage.state for stage in found.completeness}


WANJIKU = named("NAME", "Mama Wanjiku", "[NAME_1]")
WHOLE_CALL: tuple[tuple[Input, ...], ...] = (
    (life("started", 1000), life("held", 1500), life("ended", 9000)),
    (said(1, WANJIKU), said(2, named("AGE", "twelve"), language="sw"), said(3, kind="gap"), said(4, kind="end")),
    (judged(1), judged(2, main="nutrition"), judged(3, main="gbv", complete=True)),
    (scored(1), scored(2, overall=0.9, complete=True)),
)


def test_a_whole_call_is_complete() -> None:
    """When the call has ended and every stage has said its last word, the insight is complete and holds them all."""
    found = of(*itertools.chain(*WHOLE_CALL))
    assert found.complete
    assert set(stages(found).values()) == {"complete"}
    assert list(stages(found)) == ["transcription", "translation", "ner", "documents", "classification", "qa"]
    assert (found.started_at_ms, found.ended_at_ms, found.turns) == (1000, 9000, 2)
    assert found.languages == ("en", "sw")
    assert found.main and found.main.label == "gbv"
    assert (found.qa_overall, found.qa_grade) == (0.9, "B")
    assert found.at_ms == 9000
    assert set(found.provenance.origin_ids) >= {"classification-3", "qa-2", "entities-4"}


@pytest.mark.parametrize("missing", range(4))
def test_anything_missing_keeps_it_open(missing: int) -> None:
    """Without one of its inputs the insight is not complete, and says which stage has not spoken."""
    events = [stream for n, stream in enumerate(WHOLE_CALL) if n != missing]
    found = of(*itertools.chain(*events))
    open_stages = [stage for stage, state in stages(found).items() if state != "complete"]
    assert open_stages == [[], ["transcription", "translation", "ner"], ["classification"], ["qa"]][missing]
    assert not found.complete


def test_a_running_call_shows_what_it_has() -> None:
    """Before the end, stages that have spoken are partial and the others are waiting."""
    found = of(life("started"), said(1), judged(1))
    assert stages(found) == {
        "transcription": "partial",
        "translation": "partial",
        "ner": "partial",
        "documents": "partial",
        "classification": "partial",
        "qa": "waiting",
    }
    assert not found.complete


@st.composite
def arrivals(draw: st.DrawFn) -> list[Input]:
    """The call's events in any interleaving of its topics, some of them twice."""
    streams = [[event for event in stream for _ in range(draw(st.integers(1, 2)))] for stream in WHOLE_CALL]
    order = draw(st.permutations([n for n, stream in enumerate(streams) for _ in stream]))
    return [streams[n].pop(0) for n in order]


@given(arrivals())
def test_neither_order_of_topics_nor_doubles_matter(events: list[Input]) -> None:
    """Any interleaving of the topics, with events doubled, ends at the same insight, id and revision."""
    assert of(*events) == of(*itertools.chain(*WHOLE_CALL))


@given(arrivals())
def test_what_was_folded_says_nothing_new(events: list[Input]) -> None:
    """Folding everything a second time leaves the very same state, so nothing is published."""
    state = state_of(*events)
    assert state_of(*events, *events) == state


@given(arrivals())
def test_the_state_survives_its_changelog(events: list[Input]) -> None:
    """A state written to the changelog and read back is the same."""
    state = state_of(*events)
    assert restore(dump(state)) == state


def test_a_stored_state_of_an_older_release_is_read() -> None:
    """A field that an older release did not know takes its default."""
    assert restore(b'{"call_id":"call-1","turns":3}') == InsightState(call_id=CALL, turns=3)


def test_only_new_content_is_published() -> None:
    """A new event shows more unless it changes nothing that an insight says; what comes again never does."""
    started = state_of(life("started"))
    held = fold(started, life("held", 2000))
    more = fold(held, said(1))
    twice = fold(fold(more, judged(1)), judged(2))
    assert shows_more(started, held)
    assert not shows_more(held, fold(held, life("unknown", 2100)))
    assert shows_more(held, more)
    assert not shows_more(fold(more, judged(1)), twice)
    assert twice.classification
    assert twice.classification.revision == 2


@given(arrivals())
def test_the_revision_never_goes_back(events: list[Input]) -> None:
    """Each event raises the revision or leaves it; what is published later has the higher one."""
    states = list(itertools.accumulate(events, fold, initial=InsightState(call_id=CALL)))
    for before, after in itertools.pairwise(states):
        assert after.revision > before.revision if shows_more(before, after) else after.revision >= before.revision


def test_an_older_result_that_comes_late_is_ignored() -> None:
    """A classification or evaluation of an earlier revision never replaces a newer one."""
    state = state_of(judged(5, main="nutrition"), scored(5))
    assert fold(state, judged(4, main="gbv")) is state
    assert fold(state, scored(4, overall=0.1)) is state


def test_mentions_are_counted_and_names_masked() -> None:
    """Personal entities show only their placeholder, others their text; each is counted once per mention."""
    found = of(said(1, WANJIKU, named("AGE", "twelve")), said(2, WANJIKU))
    assert [(m.label, m.text, m.mentions) for m in found.entities] == [("NAME", "[NAME_1]", 2), ("AGE", "twelve", 1)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_no_name_comes_through(order: tuple[int, ...]) -> None:
    """A name shows neither as a mislabelled entity nor inside a reason, whichever came first."""
    events: list[Input] = [
        said(1, WANJIKU),
        said(2, named("ORGANIZATION", "Wanjiku"), named("ORGANIZATION", "Childline")),
        life("failed", stage="qa", reason="can't read 'mama', nor wanjiku of Kisumu, 0712 345 678, file:///w.wav"),
    ]
    found = of(*(events[n] for n in order))
    assert "wanjiku" not in repr(found).casefold()
    assert {mention.text for mention in found.entities} == {"[NAME_1]", "Childline"}
    assert found.completeness[-1].reason == "can't read …, nor … of …, …, …"


def test_the_state_holds_no_name() -> None:
    """Nothing of a personal entity's text stands in the changelog."""
    stored = dump(state_of(said(1, WANJIKU), life("failed", stage="ner", reason="Wanjiku's name"))).lower()
    assert b"wanjiku" not in stored
    assert b"mama" not in stored


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("sha256 of file:///calls/asha.wav does not match", "sha256 of … does not match"),
        ("CodecError: unknown codec 'asha'", "CodecError: unknown codec …"),
        ("write to asha@example.org or 0712345678", "write to … or …"),
        ("the FLAC header of d'Souza", "the FLAC header of d'…"),
        ("utterance 12 is empty", "utterance 12 is empty"),
    ],
)
def test_a_reason_keeps_its_sense_and_loses_its_particulars(reason: str, shown: str) -> None:
    """Quotations, addresses, long numbers and capitalised words are masked; the rest stays."""
    assert masked(reason) == shown


def test_a_call_that_failed_whole_is_done_visibly() -> None:
    """When transcription lost the call, the stages below it are failed for that reason once the call has ended."""
    broken = life("failed", 2000, stage="transcription", reason="sha256 does not match")
    assert stages(of(life("started"), broken))["qa"] == "waiting"
    found = of(life("started"), broken, life("ended", 3000))
    assert found.complete
    assert {(s.state, s.reason) for s in found.completeness} == {
        ("failed", "sha256 does not match"),
        ("failed", "transcription failed"),
    }


@pytest.mark.parametrize("scope", [{}, {"scope": "event"}])
def test_one_lost_event_does_not_end_the_call(scope: dict[str, str]) -> None:
    """A stage that lost one event shows it for good, but the stages below it are still waited for."""
    lost = life("failed", 2000, stage="ner", reason="too long", **scope)
    ended = (life("started"), said(1), lost, life("ended", 3000))
    assert stages(of(*ended)) == {
        "transcription": "partial",
        "translation": "partial",
        "ner": "failed",
        "documents": "waiting",
        "classification": "waiting",
        "qa": "waiting",
    }
    found = of(*ended, said(2, kind="end"), judged(9, complete=True), scored(9, complete=True))
    assert found.complete
    assert stages(found) == {**dict.fromkeys(stages(found), "complete"), "ner": "failed"}


def test_a_call_lost_further_down_is_done_too() -> None:
    """A failure of scope `call` ends the call for the stages below, wherever it happened."""
    lost = life("failed", 2000, stage="documents", reason="broken", scope="call")
    found = of(life("started"), said(1, kind="end"), lost, life("ended"))
    assert found.complete
    assert [stage.reason for stage in found.completeness[3:]] == ["broken", "documents failed", "documents failed"]


def test_a_lost_end_does_not_keep_the_call_open() -> None:
    """When the end itself was lost on the way, what rests on it proves that the stages above came to their end."""
    lost = life("failed", 2000, stage="ner", reason="unreadable", scope="event")
    found = of(life("started"), said(1), lost, life("ended"), judged(9, complete=True), scored(9, complete=True))
    assert found.complete
    assert stages(found) == {**dict.fromkeys(stages(found), "complete"), "ner": "failed"}


def test_a_complete_result_mends_an_earlier_failure() -> None:
    """A classification that failed at one revision and succeeded at the last is complete: nothing is missing."""
    failed = life("failed", 2000, stage="classification", reason="out of memory", scope="event")
    assert stages(of(failed))["classification"] == "failed"
    assert stages(of(judged(3, complete=True), failed))["classification"] == "complete"


def test_a_failure_that_was_mended_is_no_longer_shown() -> None:
    """What a stage gave up was sent back and worked on; as long as one of its failures is left, it has failed."""
    first = life("failed", 2000, stage="translation", reason="unreadable")
    second = life("failed", 2500, stage="translation", reason="unreadable")
    mended = [
        life("mended", 3000 + n, stage="translation", failed=one.event_id) for n, one in enumerate((first, second))
    ]
    assert stages(of(said(1), first, second, mended[0]))["translation"] == "failed"
    assert stages(of(said(1), first, second, *mended))["translation"] == "partial"
    assert stages(of(said(1), first, first, mended[0]))["translation"] == "partial", "told twice, failed once"
    assert stages(of(said(1), first, mended[1]))["translation"] == "failed"


def test_a_failed_door_is_shown() -> None:
    """A failure reported by something that is no stage of the graph stands at the end of the list."""
    found = of(life("failed", reason="line dropped"))
    assert (found.completeness[-1].stage, found.completeness[-1].state) == ("player", "failed")


def test_a_gender_and_an_incident_are_shown_in_their_words() -> None:
    """They tell of nobody who it is; one that is a part of somebody's name does."""
    found = of(
        said(1, named("GENDER", "girl"), named("INCIDENT_TYPE", "raped")), said(2, WANJIKU, named("GENDER", "girl"))
    )
    assert [(one.label, one.text, one.mentions) for one in found.entities] == [
        ("GENDER", "girl", 2),
        ("INCIDENT_TYPE", "raped", 1),
        ("NAME", "[NAME_1]", 1),
    ]
    called = of(said(1, named("GENDER", "lady")), said(2, named("NAME", "Lady Atieno", "[NAME_1]")))
    assert [one.label for one in called.entities] == ["NAME"]
