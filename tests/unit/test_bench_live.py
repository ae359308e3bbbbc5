"""tests.bench.live: the pure parts of the benchmark, from a journal and arrivals to the page."""

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.records import Utterance
from tests.bench.bus.figures import percentiles
from tests.bench.bus.results import Machine
from tests.bench.live import page
from tests.bench.live.journal import Journal
from tests.bench.live.ladder import CALLS, highest, holds, next_calls
from tests.bench.live.latency import CUT_AFTER_MS, latencies
from tests.bench.live.metrics import parsed
from tests.bench.live.player import turned
from tests.bench.live.results import Bare, Cores, Results, Rung
from tests.builders import chunk, utterance
from tests.partials import partial

BEGAN_MS = 1_000_000


def rung(calls: int, first_ms: float = 1_200.0, final_ms: float = 1_800.0, problem: str = "") -> Rung:
    return Rung(
        calls=calls,
        seconds=45.0,
        first=percentiles([first_ms]),
        age=percentiles([300.0]),
        final=percentiles([final_ms]),
        after_cut=percentiles([final_ms - CUT_AFTER_MS]),
        utterances=9,
        without_partial=1,
        partials=30,
        degraded=0,
        cores=Cores(0.2 * calls, 0.05, 0.03, 0.02),
        batch_events=2.5,
        batches_per_s=4.0,
        handler_ms=60.0,
        drained_s=1.0,
        player_late_ms=3.0,
        problem=problem,
    )


@pytest.fixture
def journal() -> Journal:
    """The caller's channel of a call that began at BEGAN_MS, 10 s in chunks of 250 ms, published in their time."""
    found = Journal()
    for sequence in range(40):
        found.note(chunk("call", sequence, at_ms=BEGAN_MS + (sequence + 1) * 250))
    return found


def test_a_sample_was_spoken_when_its_chunk_was_not_yet_over(journal: Journal, tmp_path: Path) -> None:
    """A chunk is published with its last sample; the others were spoken before. Also after a way through a file."""
    journal.save(tmp_path / "journal")
    for one in (journal, Journal.load(tmp_path / "journal")):
        assert one.spoken_ms("call", "caller", 0) == BEGAN_MS
        assert one.spoken_ms("call", "caller", 1_250) == BEGAN_MS + 1_250
        assert one.spoken_ms("call", "caller", 1_260) == pytest.approx(BEGAN_MS + 1_260)
        assert one.spoken_ms("call", "caller", 99_000) == BEGAN_MS + 10_000
    with pytest.raises(KeyError):
        journal.spoken_ms("call", "agent", 0)


def test_a_player_that_falls_behind_shows(journal: Journal) -> None:
    """Neither its call's words are late by that, nor is it hidden."""
    assert journal.late_ms() == 0
    journal.note(chunk("call", 40, at_ms=BEGAN_MS + 10_250 + 400))
    assert journal.late_ms() == 400
    assert journal.spoken_ms("call", "caller", 10_250) == BEGAN_MS + 10_650


def final(start_ms: int, end_ms: int, name: str) -> Utterance:
    return utterance("call", start_ms=start_ms, end_ms=end_ms, event_id=name)


def test_latencies_are_counted_from_when_it_was_spoken(journal: Journal) -> None:
    """First words from the onset, a partial's age from what it heard last, a final from the end of speech, and from
    the end of the silence that cuts it."""
    finals = [(BEGAN_MS + 4_000.0, final(1_000, 2_500, "a"))]
    partials = [(BEGAN_MS + 2_100.0, partial("a", 1_800)), (BEGAN_MS + 3_100.0, partial("a", 2_800, revision=2))]
    found = latencies(journal, finals, partials, BEGAN_MS, BEGAN_MS + 10_000)
    assert found.first == [pytest.approx(1_100)]
    assert found.age == [pytest.approx(300), pytest.approx(300)]
    assert found.final == [pytest.approx(1_500)]
    assert found.after_cut == [pytest.approx(1_500 - CUT_AFTER_MS)]
    assert found.without_partial == 0


def test_without_a_partial_the_final_has_the_first_words(journal: Journal) -> None:
    """Also where its only partial came too late, or was taken back: leaving partials out makes nothing look better."""
    finals = [(BEGAN_MS + 4_000.0, final(1_000, 2_500, "a"))]
    late, taken_back = partial("a", 1_800), partial("a", 1_800, withdrawn=True)
    for partials in ([], [(BEGAN_MS + 4_500.0, late)], [(BEGAN_MS + 2_000.0, taken_back)]):
        found = latencies(journal, finals, partials, BEGAN_MS, BEGAN_MS + 10_000)
        assert found.first == [pytest.approx(3_000)]
        assert found.age == []
        assert found.without_partial == 1


def test_only_speech_that_ended_within_the_window_counts(journal: Journal) -> None:
    """However late it came; and neither an end nor a gap is a final."""
    finals = [
        (BEGAN_MS + 60_000.0, final(1_000, 5_000, "within")),
        (BEGAN_MS + 3_000.0, final(100, 1_999, "before")),
        (BEGAN_MS + 9_000.0, final(5_000, 6_000, "after")),
        (BEGAN_MS + 9_000.0, replace(final(3_000, 4_000, "gap"), kind="gap")),
        (BEGAN_MS + 9_000.0, replace(final(3_000, 4_000, "end"), kind="end", speaker="unknown")),
        (BEGAN_MS + 4_900.0, replace(final(2_000, 3_000, "stepped-down"), degraded=("beam",))),
    ]
    found = latencies(journal, finals, [], BEGAN_MS + 2_000, BEGAN_MS + 6_000)
    assert found.final == [pytest.approx(55_000), pytest.approx(1_900)]
    assert found.degraded == 1


def test_thinned_partials_are_counted_as_degraded(journal: Journal) -> None:
    """Live finals are never degraded: only their partials can show that a machine was too busy."""
    usual = partial("a", 2_800, revision=4)
    thinned = replace(partial("a", 2_000), degraded=("revisions",))
    partials = [(BEGAN_MS + 2_200.0, thinned), (BEGAN_MS + 3_000.0, usual), (BEGAN_MS + 9_000.0, thinned)]
    finals = [(BEGAN_MS + 5_500.0, final(1_000, 4_000, "a"))]
    found = latencies(journal, finals, partials, BEGAN_MS, BEGAN_MS + 6_000)
    assert found.degraded == 1


@pytest.mark.parametrize(
    ("one", "held"),
    [
        (rung(8), True),
        (rung(8, first_ms=2_001.0), False),
        (rung(8, final_ms=3_001.0), False),
        (rung(8, problem="not all was said"), False),
    ],
)
def test_a_rung_holds_if_all_words_came_soon_enough(one: Rung, held: bool) -> None:
    """First words and finals, at p95."""
    assert holds(one) is held


def test_the_ladder_ends_after_two_that_broke() -> None:
    """One may have been an accident; and after one that left work undone there is nothing to be measured."""
    good, bad = [rung(calls) for calls in CALLS], [rung(calls, final_ms=9_000.0) for calls in CALLS]
    assert next_calls([]) == CALLS[0]
    assert next_calls([*good[:4], bad[4]]) == CALLS[5]
    assert next_calls([*good[:4], bad[4], good[5], bad[6]]) is None
    assert next_calls([*good[:4], rung(CALLS[4], problem="not all was said")]) is None
    assert next_calls(good) is None


def test_the_highest_is_below_the_first_that_broke() -> None:
    """What held above it was luck."""
    assert highest([]) == 0
    assert highest([rung(1), rung(2), rung(4)]) == 4
    assert highest([rung(1), rung(2), rung(4, final_ms=9_000.0), rung(6)]) == 2
    assert highest([rung(1, first_ms=9_000.0), rung(2)]) == 0


def test_batches_are_read_from_the_metrics() -> None:
    """Those of the group alone; nothing yet is 0."""
    text = "\n".join(
        [
            "# TYPE callbus_batch_events histogram",
            'callbus_batch_events_count{group="transcription"} 4',
            'callbus_batch_events_sum{group="transcription"} 40',
            'callbus_batch_events_sum{group="ner"} 7',
            "",
        ]
    )
    found = parsed(text, "transcription")
    assert (found.batches, found.events, found.handled, found.handler_s) == (4, 40, 0, 0)


def test_calls_that_run_together_are_at_different_places(tmp_path: Path) -> None:
    """The same sample is begun elsewhere in each file, and none is shorter for it."""
    files = turned(tmp_path, 4)
    contents = [file.read_bytes() for file in files]
    assert len(set(contents)) == 4
    assert len(contents[0]) == len(contents[3])  # the same sample


def test_a_page_is_written_again_from_its_figures(tmp_path: Path) -> None:
    """With its verdict, a table row for each number of calls, and the load of the machine in plain sight."""
    machine = Machine("Linux", "a CPU", 2, 8.0, "3.11", {"Kafka": "4.2.2"}, load_before=3.0)
    results = Results(machine, 45.0, False, 600.0, [rung(1), replace(rung(8), age=None), rung(10, final_ms=3_500.0)])
    results.bare = [Bare(100.0, 9.0, 12.0), Bare(100.0, 11.0, 18.0)]
    said = page.write(results, tmp_path / "first").read_text()
    again = page.write(Results.load(tmp_path / "first" / "bench-live.json"), tmp_path / "second").read_text()
    assert again == said
    assert "| 8 (10 did not hold) | met |" in said
    assert "**The machine was busy before it began**" in said
    assert "9.0 s (12.0 s of CPU) and 11.0 s (18.0 s of CPU) for the words of 100 s" in said
    assert f"| {results.rungs[0].cores.transcription / 0.15:.2f} " in said
    assert (tmp_path / "first" / "bench-live.svg").exists()
    short = page.write(replace(results, rungs=results.rungs[:1]), tmp_path / "third").read_text()
    assert "| 1 (more were not tried) | **not met** |" in short
