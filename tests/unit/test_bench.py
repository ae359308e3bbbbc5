"""tests.bench.bus: the pure parts of the benchmark, from samples to verdicts."""
# ruff: noqa: RUF001 -- the multiplication sign is meant

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.codec import Codec
from schemas.records import AudioChunk, Utterance
from tests.bench.bus import bare, folded, page
from tests.bench.bus.contestants import AT_LEAST_ONCE, BARE, BY_25, EXACTLY_ONCE, FAUST, MAIN, Contestant
from tests.bench.bus.events import CHUNK_BYTES, chunk, derived, payload, payloads, utterance
from tests.bench.bus.figures import (
    Arrival,
    Pace,
    Pause,
    Percentiles,
    Sample,
    commits,
    growth_mb,
    pace,
    pauses,
    percentiles,
    spread,
    whatever,
    window,
)
from tests.bench.bus.graph import Shape, graph, prepare
from tests.bench.bus.order import Order
from tests.bench.bus.parts.handover import JOINS, LEAVES, RESTARTED
from tests.bench.bus.results import Drained, Handover, Latency, Machine, Memory, Profile, Results, Scaled, Started
from tests.bench.bus.targets import verdicts

CODEC = Codec({"utterances": "Utterance", "chunks": "AudioChunk"})


def sample(at_s: float, events: int, cpu_s: float = 0.0) -> Sample:
    return Sample(at_s, events, cpu_s, cpu_s / 2, 100.0)


def steps(every_s: float, each: int, until_s: float) -> list[Sample]:
    """Looked at ten times a second, with a commit of `each` events every `every_s`."""
    looks = [round(n / 10, 1) for n in range(round(until_s * 10))]
    return [sample(at, int(at / every_s + 1e-9) * each) for at in looks]


def test_only_commits_count() -> None:
    """Looks between two commits say nothing, and one before the first says nothing either."""
    assert [s.events for s in commits([sample(0, 0), sample(1, 5), sample(2, 5), sample(3, 9)])] == [5, 9]


def test_a_long_commit_interval_makes_no_error() -> None:
    """One commit each 2.8 s of 2,800 events is 1,000 events a second, wherever the window begins."""
    found = window(steps(2.8, 2_800, 20.0), warm_up_s=1.0, seconds=5.0)
    assert found is not None
    assert pace(*found).per_s == pytest.approx(1_000, rel=0.02)
    assert pace(*found).seconds == pytest.approx(5.6, abs=0.11)


def test_there_is_no_window_before_it_is_full() -> None:
    """Neither without a commit, nor before the warm-up is over, nor before so many seconds have gone by."""
    samples = steps(0.5, 10, 4.0)
    assert window([], 1.0, 2.0) is None
    assert window(samples[:10], 1.0, 2.0) is None
    assert window(samples[:30], 1.0, 2.0) is None
    assert window(samples, 1.0, 2.0) is not None


def test_a_topic_that_was_drained_too_soon_gives_what_there_is() -> None:
    """The widest window after the warm-up, or even without it; nothing to say where there was one commit."""
    assert pace(*whatever(steps(0.5, 10, 3.0), 1.0)).events == 20
    assert pace(*whatever(steps(0.5, 10, 1.2), 1.0)).events == 10
    with pytest.raises(ValueError, match="1 commits"):
        whatever(steps(0.5, 10, 0.8), 1.0)


def test_cpu_is_told_per_event() -> None:
    """2 s of CPU for 1,000 events are 2 ms each."""
    found = pace(sample(0, 1_000, 1.0), sample(4, 2_000, 3.0))
    assert (found.per_s, found.cpu_ms, found.broker_cpu_ms) == (250, 2, 1)


def test_repetitions_are_told_by_their_median_and_ends() -> None:
    """The median, not the mean: one disturbed repetition must not decide."""
    assert spread([1.0, 2.0, 9.0]).median == 2.0
    assert (spread([1.0, 2.0, 9.0]).least, spread([1.0, 2.0, 9.0]).most) == (1.0, 9.0)
    with pytest.raises(ValueError, match="no repetition"):
        spread([])


def test_percentiles_are_of_all_arrivals() -> None:
    """p50, p95 and p99 of 0 … 100 are themselves; of nothing there are none."""
    found = percentiles([float(n) for n in range(101)])
    assert (found.p50, found.p95, found.p99, found.most, found.count) == (50, 95, 99, 100, 101)
    with pytest.raises(ValueError, match="no event"):
        percentiles([])


def arrivals(*makers_at: tuple[float, int], lane: int = 0) -> list[Arrival]:
    return [Arrival(n, lane, at_s - 0.01, at_s, maker) for n, (at_s, maker) in enumerate(makers_at)]


def test_a_pause_is_where_the_owner_changed() -> None:
    """Also where the lane once stood longer for another reason; a lane that stayed tells its longest pause."""
    moved = arrivals((0, 1), (3, 1), (4, 2), (4.1, 2))
    stayed = arrivals((0, 1), (0.7, 1), (0.9, 1), lane=1)
    assert pauses([*moved, *stayed], 0, 10) == [Pause(0, 1.0, True), Pause(1, 0.7, False)]


def test_pauses_outside_the_time_do_not_count() -> None:
    """What was over before, or began after."""
    seen = arrivals((0, 1), (1, 2), (1.25, 2), (1.5, 2), (9, 3))
    assert pauses(seen, 1.3, 1.4) == [Pause(0, 0.25, False)]


@pytest.mark.parametrize(("per_event_mb", "grown"), [(0.0, 0.0), (0.001, 500.0)])
def test_memory_grows_from_the_second_quarter_to_the_last(per_event_mb: float, grown: float) -> None:
    """Whatever it did in the first quarter."""
    curve = [(n, (200.0 if n < 250_000 else 100.0) + n * per_event_mb) for n in range(0, 1_000_001, 1_000)]
    assert growth_mb(curve) == pytest.approx(grown, rel=0.01)


def test_too_few_looks_at_memory_say_nothing() -> None:
    """A figure from one sample would be chance."""
    with pytest.raises(ValueError, match="too few"):
        growth_mb([(100, 5.0)])


STACKS = [
    "run (asyncio/runners.py:1);work (callbus/worker/stage.py:90);decode (callbus/codec.py:60) 30",
    "run (asyncio/runners.py:1);work (callbus/worker/stage.py:90);read (site-packages/fastavro/_read.pyx:5) 10",
    "run (asyncio/runners.py:1);select (selectors.py:468) 40",
    "boot (threading.py:1) 20",
]


def test_a_librarys_time_counts_for_its_caller() -> None:
    """fastavro's under the stage that called it, the loop's under asyncio; what nobody knows is other."""
    assert folded.shares(STACKS) == {
        "asyncio": 0.4,
        "codec: typed records and Avro": 0.3,
        "other": 0.2,
        "callbus: stage": 0.1,
    }


def test_functions_are_told_with_their_own_time() -> None:
    """The innermost frame, with the end of its path."""
    assert folded.functions(STACKS, 1) == [("select (selectors.py:468)", 0.4)]


@pytest.mark.parametrize("event", [utterance("call", 3), utterance("call", 3, "message"), chunk("call", 3)])
@pytest.mark.parametrize("headers", [True, False])
def test_all_contestants_make_the_same_event(event: Utterance | AudioChunk, headers: bool) -> None:
    """The bare loop's dictionaries come to the worker's bytes and, where asked for, its headers."""
    topic = "chunks" if isinstance(event, AudioChunk) else "utterances"
    made, its_headers = bare.stage_of("first", type(event).__name__, headers)(CODEC.encode(topic, event))
    expected = derived("first", event)
    assert CODEC.decode(topic, made) == expected
    ours = payload(CODEC, topic, expected).headers
    told = [(name, value.replace(b"/door", b"/first")) for name, value in ours]
    assert its_headers == (told if headers else [])


def test_events_have_the_sizes_that_the_page_tells() -> None:
    """About 1 KB with their headers, and 250 ms of audio."""
    for kind in ("speech", "message"):
        one = payload(CODEC, "utterances", utterance("call-00-00", 3, kind))
        assert 900 < len(one.value) + sum(len(name) + len(value) for name, value in one.headers) < 1_200
    assert CHUNK_BYTES == 16_000 * 2 // 4 == len(chunk("call", 0).payload)


def test_a_lane_has_many_calls_and_every_event_its_own_id() -> None:
    """So that no call crowds a lane out, and calls stay on their lane."""
    filling = payloads(CODEC, "utterances", "small", 2)
    calls = [{one.key for one in of_lane} for of_lane in filling]
    assert len(calls[0]) == 16
    assert not calls[0] & calls[1]
    ids = [dict(one.headers)["ce_id"] for of_lane in filling for one in of_lane]
    assert len(set(ids)) == len(ids)


def test_each_heat_has_topics_and_groups_of_its_own(tmp_path: Path) -> None:
    """But for the inputs, which it shares with others; lanes, delivery and batch are the heat's."""
    shape = Shape("full", "h7", lanes=4, delivery="at-least-once", per_commit=25)
    topology = graph(prepare(tmp_path), Shape.from_text(shape.to_text()))
    first, second = topology.group("first_h7"), topology.group("second_h7")
    assert (first.inputs, first.outputs, second.inputs) == (("utterances-full",), ("once-h7",), ("once-h7",))
    assert (first.delivery, first.batch.size) == ("at-least-once", 25)
    assert {topic.partitions for topic in topology.all_topics()} == {4}


def test_an_order_survives_the_command_line() -> None:
    """What a process is told is what was meant."""
    order = Order("bare", "127.0.0.1:1", "g", "in", "out", "Utterance", "0", "a.log", headers=True)
    assert Order.from_text(order.to_text()) == order


MACHINE = Machine("Linux", "a CPU", 2, 8.0, "3.11", {"Kafka": "4"}, 0.1)


def drained(rates: Mapping[Contestant, Sequence[float]], kind: str = "speech", lanes: int = 8) -> list[Drained]:
    return [
        Drained(one.key, kind, lanes, Pace(100, 1.0, rate, 0.1, 0.05), 90.0)
        for one, its in rates.items()
        for rate in its
    ]


def everything() -> Results:
    """A run that meets every target."""
    results = Results(MACHINE, quick=False, repetitions=3, took_s=800)
    results.drained = drained(
        {BARE: [100, 110], AT_LEAST_ONCE: [90], EXACTLY_ONCE: [85], FAUST: [10], BY_25[0]: [20], BY_25[1]: [15]}
    )
    results.drained += drained({one: [50] for one in MAIN}, "chunk", 1)
    results.latencies = [
        Latency(one.key, hops, load, 100, Percentiles(8, 20, 40, 60, 800), 0.3)
        for one in MAIN
        for hops in (1, 4)
        for load in ("low", "half")
    ]
    results.started = [Started(one.key, 1.0) for one in MAIN]
    results.handovers = [
        Handover(EXACTLY_ONCE.key, RESTARTED, [Pause(0, 1.5, True)]),
        Handover(EXACTLY_ONCE.key, JOINS, [Pause(0, 0.5, True), Pause(1, 0.1, False)]),
        Handover(EXACTLY_ONCE.key, LEAVES, [Pause(0, 0.5, True)]),
    ]
    results.scaled = [Scaled(1, 200), Scaled(8, 1_500)]
    results.memory = Memory(EXACTLY_ONCE.key, [(n * 10_000, 150.0) for n in range(101)])
    results.profiles = [
        Profile(BARE.key, {"aiokafka": 1.0}, [("f (a.py:1)", 0.5)]),
        Profile(FAUST.key, {}, [], "py-spy is not installed"),
    ]
    return results


def test_every_target_gets_its_verdict() -> None:
    """All met in a run where all is well."""
    found = verdicts(everything())
    assert len(found) == 11
    assert all(verdict.met for verdict in found), found


def test_a_missed_target_is_told() -> None:
    """Each verdict is seen red: the same run with every figure made worse."""
    bad = everything()
    rates = {BARE: [100], AT_LEAST_ONCE: [70], EXACTLY_ONCE: [50], FAUST: [10], BY_25[0]: [20], BY_25[1]: [5]}
    bad.drained = drained(rates)
    bad.latencies = [replace(one, ms=Percentiles(13, 300, 60, 400, 9)) for one in bad.latencies]
    bad.handovers = [replace(one, pauses=[Pause(0, 3.0, True)]) for one in bad.handovers]
    bad.scaled = [Scaled(1, 200), Scaled(8, 800)]
    bad.memory = Memory(EXACTLY_ONCE.key, [(n * 10_000, 100.0 + n) for n in range(101)])
    found = verdicts(bad)
    assert len(found) == 11
    assert not any(verdict.met for verdict in found), found


def test_a_partial_run_has_only_its_verdicts() -> None:
    """What was not run is neither met nor missed."""
    results = Results(MACHINE, quick=False, repetitions=1)
    results.scaled = [Scaled(1, 200), Scaled(8, 1_500)]
    assert len(verdicts(results)) == 1


def test_the_page_is_made_from_the_results_alone(tmp_path: Path) -> None:
    """Tables, plots and JSON; and from the JSON the same page again."""
    written = page.write(everything(), tmp_path)
    text = written.read_text()
    assert "0.94 ×" in text
    assert "**not met**" not in text
    assert "py-spy is not installed" in text
    pictures = sorted(file.name for file in tmp_path.glob("*.svg"))
    assert pictures == [f"bench-bus-{name}.svg" for name in ("latency", "memory", "throughput", "workers")]
    assert all(picture in text for picture in pictures)
    again = page.write(Results.load(tmp_path / "bench-bus.json"), tmp_path / "again")
    assert again.read_text() == text


def test_an_empty_run_makes_a_page_too(tmp_path: Path) -> None:
    """With what went wrong."""
    results = Results(MACHINE, quick=True, repetitions=1, failures=["Faust: its process ended"])
    text = page.write(results, tmp_path).read_text()
    assert "Faust: its process ended" in text
    assert "smoke run" in text
    assert json.loads((tmp_path / "bench-bus.json").read_text())["quick"] is True
