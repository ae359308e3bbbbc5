"""Chunks that come out of order, twice, late or never: what is heard, what is a gap, and what is counted."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from callbus.consumer import CallSlice
from consumers.transcription import Transcription
from consumers.transcription.ordering import MOST_MISSING, MOST_PENDING, REORDER_S, Missing
from schemas.records import AudioChunk, Utterance
from tests.builders import chunk
from tests.replays import Log, LoudnessVad, RememberingVad, bursts, by_id, delayed, doubled, gaps, worked
from tests.sounds import OVER, Digests, Samples, chunks, play, sample, step, utterances, whisper

SECONDS = 17


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    """With the real network."""
    return Transcription("transcription", whisper().model, RememberingVad(), Digests())


LOUD = Transcription("transcription", whisper().model, LoudnessVad(), Digests())


@pytest.fixture(scope="module")
def audio() -> tuple[Samples, int]:
    samples, rate_hz = sample("physical_abuse_hold")
    return samples[:, : SECONDS * rate_hz], rate_hz


@pytest.mark.parametrize("chunk_ms", [20, 250])
def test_disorder_and_doubles_change_nothing(
    consumer: Transcription, audio: tuple[Samples, int], chunk_ms: int
) -> None:
    """A real call whose chunks are up to 2 s late, a third of them twice, in whatever batches."""
    chance = random.Random(chunk_ms)  # noqa: S311  # no secret
    events = chunks(*audio, chunk_ms=chunk_ms)
    undisturbed, _ = play(consumer, events, slice_size=100)
    late = delayed(events, [chance.uniform(0, 1.99) for _ in events])
    assert late != events
    assert {one.kind for one in undisturbed} == {"speech", "end"}
    for crashes in (0, 5):
        log = worked(Log(consumer, doubled(late, chance, 1 / 3)), chance, 100, crashes)
        assert by_id(log.said) == by_id(undisturbed)


def test_a_crash_at_any_moment_changes_nothing(consumer: Transcription, audio: tuple[Samples, int]) -> None:
    """For every k: crash after chunk k, while others wait for their turn; the replay comes to the same."""
    chance = random.Random(4)  # noqa: S311
    samples, rate_hz = audio
    events = chunks(samples[:, 3 * rate_hz : 12 * rate_hz], rate_hz)
    kept = [one for one in events if one.sequence not in (8, 9, 20)]
    disturbed = doubled(delayed(kept, [chance.uniform(0, 3) for _ in kept]), chance, 0.2)
    whole = Log(consumer, disturbed)
    forks, waited = list[Log](), 0
    while not whole.over:
        whole.work(1)
        forks.append(whole.fork())
        waited += whole.handled - whole.committed
    assert waited
    assert gaps(whole.said)
    for log in forks:
        at, late = log.handled, log.late
        if log.result.state is not None:
            log.crash()
            log.work(at - log.committed)
            assert (log.late, log.handled) == (late, at)
        while not log.over:
            log.work(7)
        assert by_id(log.said) == by_id(whole.said), f"after chunk {at}"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_order_within_the_window_is_one(data: st.DataObject) -> None:
    """Whatever the order, the doubles, the batches and the crashes: bit for bit the same utterances, nothing late."""
    events = chunks(bursts(), 8000, chunk_ms=data.draw(st.sampled_from([100, 250, 500]), "chunk_ms"))
    undisturbed, _ = play(LOUD, events, slice_size=20)
    delays = data.draw(st.lists(st.floats(0, REORDER_S, exclude_max=True), min_size=len(events), max_size=len(events)))
    chance = random.Random(data.draw(st.integers(0, 2**32), "seed"))  # noqa: S311
    disturbed = doubled(delayed(events, delays), chance, data.draw(st.sampled_from([0.0, 0.3])))
    log = worked(Log(LOUD, disturbed), chance, data.draw(st.sampled_from([1, 5, 50])), data.draw(st.integers(0, 5)))
    assert by_id(log.said) == by_id(undisturbed)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_comes_is_heard_or_late(data: st.DataObject) -> None:
    """Chunks lost, and late by any time: each that came was heard, or it lies in a gap and is counted; the same after
    crashes, in other batches."""
    events = chunks(bursts(), 8000, chunk_ms=250)
    lost = data.draw(st.sets(st.integers(0, len(events) - 3), max_size=12), "lost")
    kept = [one for index, one in enumerate(events) if index not in lost]
    delays = data.draw(st.lists(st.floats(0, 6), min_size=len(kept), max_size=len(kept)))
    chance = random.Random(data.draw(st.integers(0, 2**32), "seed"))  # noqa: S311
    disturbed = doubled(delayed(kept, delays), chance, 0.2)
    logs = [Log(LOUD, disturbed[:-2]) for _ in range(2)]
    for log, most, crashes in zip(logs, (1, 9), (0, 4), strict=True):
        worked(log, chance, most, crashes)
    late = [log.late for log in logs]
    for log in logs:
        log.events = disturbed
        log.work(len(disturbed))
        if not ended(log.said):
            log.fall_silent()
        assert ended(log.said)
    assert by_id(logs[0].said) == by_id(logs[1].said)
    assert len({one.event_id for one in logs[0].said}) == len(logs[0].said)

    given_up = {
        (name, ms)
        for name in ("agent", "caller")
        for first, after in gaps(logs[0].said, name)
        for ms in range(first, after, 250)
    }
    places = {(one.channel, one.start_sample // 8) for one in events}
    came = {(one.channel, one.start_sample // 8) for one in kept}
    assert places - came <= given_up <= places
    assert late == [len(given_up & came)] * 2


def ended(said: Sequence[Utterance]) -> bool:
    return any(one.kind == "end" and not one.interrupted for one in said)


def test_late_chunks_are_counted_once(consumer: Transcription, audio: tuple[Samples, int]) -> None:
    """Beyond the window there is a gap, exactly as long; what comes then is never heard. The log says so at once, and
    at the end how many there were."""
    events = chunks(*audio)
    caller = [one for one in events if one.channel == "caller"]
    missing = caller[20:23]
    others = [one for one in events if one not in missing]
    never, _ = play(consumer, others)
    assert gaps(never) == [(5_000, 5_750)]
    place = others.index(caller[40])
    late = [*others[:place], *missing, *missing, caller[10], *others[place:]]
    log = Log(consumer, late)
    counts: list[int] = []
    with capture_logs() as told:
        while not log.over:
            log.work(3)
            counts.append(log.late)
    first = next(count for count in counts if count)
    assert max(counts) == 3
    assert log.said == never
    assert [(one["event"], one["call_id"], one["chunks"]) for one in told if one["log_level"] == "warning"] == [
        ("audio came too late to be heard", "call", first),
        ("a call ended without audio that came too late", "call", 3),
    ]


def test_the_window_is_measured_in_later_audio(audio: tuple[Samples, int]) -> None:
    """The chunk that brings 2 s of later audio ends the wait, whatever else the call's other channel says."""
    caller = [chunk(sequence=n) for n in range(30)]
    other = [chunk(sequence=n, channel="agent", channels=2) for n in range(30)]
    log = Log(LOUD, [caller[0], *other, *caller[2:10], caller[1]])
    while not gaps(log.said):
        log.work(1)
    assert log.events[log.handled - 1] is caller[9]
    assert log.committed <= log.events.index(caller[2])


def test_many_chunks_without_audio_end_the_wait_too() -> None:
    """Or a door that sends nothing but empty ones would fill the memory."""
    empty = [chunk(sequence=n, start_sample=4000, payload=b"") for n in range(2, 3 + MOST_PENDING)]
    said, result = play(LOUD, [chunk(sequence=0), *empty[:-1]], slice_size=50)
    assert not gaps(said)
    assert result.state is not None
    said, result = play(LOUD, [chunk(sequence=0), *empty], slice_size=50)
    assert gaps(said) == [(250, 500)]


@pytest.mark.parametrize("end", [0, 1])
def test_the_last_chunk_waits_until_the_call_is_silent(
    consumer: Transcription, audio: tuple[Samples, int], end: int
) -> None:
    """For one that is missing before it; then its gap is said, all that waited, and a true end."""
    events = chunks(*audio)
    if end:
        events[-2:] = [replace(one, payload=b"") for one in events[-2:]]
    before, result = play(consumer, events[:-6] + events[-4:])
    assert {one.kind for one in before} == {"speech"}
    assert result.holding
    for memory in (result.memory, None):
        again = [] if memory else events[events.index(result.holding) :]
        again = [one for one in again if one not in events[-6:-4]]
        held = step(consumer, again, replace(result, memory=None)) if again else result
        [silent] = consumer.advance([CallSlice("call", [], held.state, held.memory, 1)])
        said = [*before, *utterances(held), *utterances(silent)] if again else [*before, *utterances(silent)]
        assert gaps(said) == gaps(said, "agent") == [(16_250, 16_500)]
        assert (said[-1].kind, said[-1].end_ms, said[-1].interrupted) == ("end", 16_750 if end else 17_000, False)
        last = max(events[-2:], key=lambda one: (one.at_ms, one.event_id))
        assert (said[-1].at_ms, said[-1].provenance.origin_ids) == (last.at_ms, (last.event_id,))
        assert silent.state is not None
        assert silent.state.live_ended
        [forgotten] = consumer.advance([CallSlice("call", [], silent.state, silent.memory, 1)])
        assert (forgotten.events, forgotten.state) == ((), None)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_those_that_the_last_chunk_overtook_are_heard(
    consumer: Transcription, audio: tuple[Samples, int], size: int
) -> None:
    """Whether they are in one batch with it or not, and whatever crashes in between."""
    events = chunks(*audio)
    undisturbed, _ = play(consumer, events)
    overtaken = [*events[:-8], *reversed(events[-8:])]
    for crashes in (0, 6):
        log = worked(Log(consumer, overtaken), random.Random(crashes), size, crashes)  # noqa: S311
        assert [one for one in by_id(log.said) if one.kind != "end"] == [
            one for one in by_id(undisturbed) if one.kind != "end"
        ]
        assert [one.kind for one in log.said if one.kind == "end"] == ["end"]
        assert log.result.state == OVER


def test_the_last_chunk_waits_no_longer_than_others() -> None:
    """2 s of audio behind the missing chunk, its own among it, end the wait."""
    said, _ = play(LOUD, [chunk(sequence=0), *(chunk(sequence=n, last=n == 9) for n in range(2, 10))])
    assert gaps(said) == [(250, 500)]
    assert said[-1].kind == "end"


def test_what_comes_after_the_end_is_counted(consumer: Transcription, audio: tuple[Samples, int]) -> None:
    """Of a call that is over a chunk that had been given up is told of, and its double is not; nothing is heard."""
    events = chunks(*audio)
    caller = [one for one in events if one.channel == "caller"]
    late = caller[20:23]
    said, ended = play(consumer, [one for one in events if one not in late])
    assert said[-1].kind == "end"
    with capture_logs() as told:
        first = step(consumer, [late[0], late[0], caller[-1], caller[5]], ended)
        second = step(consumer, [late[0], *late], replace(first, memory=None))
        third = step(consumer, [*late, caller[3]], second)
    assert [(one["event"], one["call_id"], one["chunks"]) for one in told] == [
        ("audio came after its call's end", "call", count) for count in (1, 2, 3)
    ]
    assert not [*first.events, *second.events, *third.events]
    assert not any(result.rejected for result in (first, second, third))
    assert third.state is not None
    assert third.state.live_ended


def test_audio_that_never_left_the_door_is_a_gap_at_once() -> None:
    """The sequence goes on, but the samples don't: nothing can come in between."""
    said, _ = play(LOUD, [chunk(sequence=0), chunk(sequence=1, start_sample=6000)])
    assert gaps(said) == [(250, 750)]


def test_a_missing_chunk_without_audio_is_waited_for_by_nobody(
    consumer: Transcription, audio: tuple[Samples, int]
) -> None:
    """Where the samples go on, nothing is missing: a door may count by twos."""
    events = chunks(*audio)
    usual, by_twos = Log(consumer, events), Log(consumer, [replace(one, sequence=2 * one.sequence) for one in events])
    while not usual.over:
        usual.work(4)
        by_twos.work(4)
        assert by_twos.said == usual.said
    assert by_twos.result.state == OVER


def test_a_chunk_that_overlaps_what_waits_is_rejected() -> None:
    """As one that overlaps what was heard: whichever came first stays."""
    ahead = chunk(sequence=3)
    wrong = [chunk(sequence=1, start_sample=4001), chunk(sequence=4, start_sample=7999)]
    log = Log(LOUD, [chunk(sequence=0), ahead, *wrong, chunk(sequence=1), chunk(sequence=2, last=True)])
    reasons = []
    while not log.over:
        log.work(1)
        reasons += [str(reason) for _, reason in log.result.rejected]
    assert len(reasons) == 2
    assert "ends at sample 6001, but audio from 6000 on is here already" in reasons[0]
    assert "starts at sample 7999, but audio up to 8000 is here already" in reasons[1]
    assert [(one.kind, one.end_ms) for one in log.said] == [("end", 1_000)]


def test_an_empty_chunk_that_came_early_changes_nothing(consumer: Transcription, audio: tuple[Samples, int]) -> None:
    """Inside an utterance, before a crash after which it does not come again."""
    samples, rate_hz = audio
    events = chunks(samples[1:], rate_hz, channels=("caller",))
    place = 46
    after = [replace(one, sequence=one.sequence + 1) for one in events[place:]]
    empty = replace(after[0], event_id="empty", sequence=place, payload=b"")
    disturbed = [*events[: place - 2], empty, *after[:2], *events[place - 2 : place], *after[2:]]
    undisturbed, _ = play(consumer, [*events[:place], empty, *after])
    for k in range(place - 2, place + 6):
        log = Log(consumer, disturbed)
        log.work(k)
        log.crash()
        while not log.over:
            log.work(1)
        assert by_id(log.said) == by_id(undisturbed)


def test_a_call_with_many_holes_remembers_the_newest() -> None:
    """What its progress carries stays small."""
    missing = Missing()
    for first in range(0, 1000, 10):
        missing = missing.and_from(first, first + 3).and_from(first + 5, first + 5)
    assert len(missing.flat) == 2 * MOST_MISSING
    assert missing.flat[-2:] == (990, 993)
    split = missing.without(991)
    assert split is not None
    assert split.flat[-4:] == (990, 991, 992, 993)
    assert split.without(991) is None
    assert Missing.of(split.flat) == split


def costs(events: Sequence[AudioChunk], consumer: Transcription) -> Iterator[float]:
    log = Log(consumer, events)
    while not log.over:
        begun_s = process_time()
        log.work(1)
        yield process_time() - begun_s


def test_the_cost_of_a_chunk_does_not_grow() -> None:
    """20 ms chunks of 16 s without a pause, alone and behind a hole: the last seconds cost as much as the first."""
    noise = np.random.default_rng(2).normal(0, 3000, (1, 16 * 8000)).astype(np.int16)
    events = chunks(noise, 8000, chunk_ms=20, channels=("caller",))
    for lost in (None, 400):
        s = np.array(list(costs([one for one in events if one.sequence != lost][:-1], LOUD)))
        first, last = np.median(s[50:350]), np.median(s[-300:])
        assert last < 2 * first + 0.0003


def test_positions_never_go_back() -> None:
    """The offset that is committed only grows, whatever the order."""
    chance = random.Random(9)  # noqa: S311
    events = chunks(bursts(), 8000)
    log = Log(LOUD, delayed(events, [chance.uniform(0, 4) for _ in events]))
    committed = [0]
    while not log.over:
        log.work(1)
        committed.append(log.committed)
    assert all(one <= other for one, other in pairwise(committed))
