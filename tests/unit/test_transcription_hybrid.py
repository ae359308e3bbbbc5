"""A call heard twice: live, and again from its recording, in whatever order they come and whatever breaks between."""

import hashlib
import random
import wave
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest
import structlog

from callbus.consumer import CallSlice, Model
from consumers.transcription import Transcription
from consumers.transcription.ears import Ear, Ears
from schemas.records import AudioChunk, Recording, Utterance
from tests.hearings import AUDIO, RECORDINGS, Worker
from tests.replays import LoudnessVad, bursts, by_id
from tests.sounds import OVER, Digests, chunks, utterances, whisper
from tests.unit.test_transcription_recording import recording

SECONDS = 20
MODEL = whisper().model
BIGGER = Model("bigger", "faster-whisper", "/nowhere", "1", ("en",))


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return Transcription("transcription", MODEL, LoudnessVad(), Digests())


@pytest.fixture(scope="module")
def live() -> list[AudioChunk]:
    return [replace(one, heard_again=True) for one in chunks(bursts(SECONDS), 8000, 500)]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    file = tmp_path_factory.mktemp("hybrid") / "call.wav"
    with wave.open(str(file), "wb") as content:
        content.setparams((2, 2, 8000, 0, "NONE", ""))
        content.writeframes(bursts(SECONDS).T.astype("<i2").tobytes())
    return recording(file, revision=2, duration_ms=SECONDS * 1000)


def hearing(said: Sequence[Utterance], revision: int) -> list[Utterance]:
    return [one for one in said if one.revision == revision]


def topics(live: Sequence[AudioChunk], again: Recording) -> dict[str, list[AudioChunk | Recording]]:
    return {AUDIO: [*live], RECORDINGS: [again]}


def heard(consumer: Transcription, live: Sequence[AudioChunk], again: Recording, at: int) -> Worker:
    """The call with its recording after so many chunks, and nothing that goes wrong."""
    worker = Worker(consumer, topics(live, again))
    while not worker.over:
        if worker.handled[AUDIO] >= at and worker.left(RECORDINGS):
            worker.work({RECORDINGS: 1})
        worker.work({AUDIO: 4})
    return worker


@pytest.mark.parametrize("at", [0, 1, 40, 76, 80])
def test_a_hybrid_call_is_heard_twice(
    consumer: Transcription, live: list[AudioChunk], again: Recording, at: int
) -> None:
    """Its recording comes before the audio, with it, or after the end: two hearings, each whole, and none refused."""
    worker = heard(consumer, live, again, at)
    first, second = hearing(worker.said, 1), hearing(worker.said, 2)
    assert not worker.refused
    assert worker.call.state == OVER
    assert len(first) == len(second) > 8
    assert (first[-1].kind, first[-1].heard_again, first[-1].interrupted) == ("end", True, False)
    assert (second[-1].kind, second[-1].heard_again, second[-1].interrupted) == ("end", False, False)
    assert {one.kind for one in [*first[:-1], *second[:-1]]} == {"speech"}
    assert len({one.event_id for one in worker.said}) == len(worker.said)
    assert {one.at_ms for one in second} == {again.at_ms}
    assert {one.at_ms for one in first} != {again.at_ms}
    essence = [
        {(one.speaker, one.start_ms, one.end_ms, one.text, one.provenance.model) for one in its}
        for its in (first, second)
    ]
    assert essence[0] == essence[1]


def test_a_recording_that_comes_early_waits_for_the_live_end(
    consumer: Transcription, live: list[AudioChunk], again: Recording
) -> None:
    """Nothing is said of it until then."""
    said = [one.revision for one in heard(consumer, live, again, 40).said]
    assert said == sorted(said)


def test_live_chunks_are_heard_while_the_recording_is_read(
    consumer: Transcription, live: list[AudioChunk], again: Recording
) -> None:
    """The recording overtook them all."""
    worker = Worker(consumer, topics(live, again))
    worker.work({RECORDINGS: 1})
    while not worker.over:
        worker.work({AUDIO: 4})
        worker.work({})
    said = [one.revision for one in worker.said]
    assert said != sorted(said)
    assert by_id(worker.said) == by_id(heard(consumer, live, again, 80).said)


@pytest.mark.parametrize("at", [0, 40, 80])
def test_a_crash_at_any_point_changes_nothing(
    consumer: Transcription, live: list[AudioChunk], again: Recording, at: int
) -> None:
    """For every n: the n-th step is lost with all that was in memory, or it is committed and then all is lost."""
    expected = by_id(heard(consumer, live, again, at).said)
    for crashed in count():
        worker = Worker(consumer, topics(live, again))
        crashes = 0
        while not worker.over:
            recorded = worker.handled[AUDIO] >= at and worker.left(RECORDINGS)
            lost = worker.steps == crashed // 2 and not crashes
            worker.work({RECORDINGS: 1} if recorded else {AUDIO: 16}, lost=lost and bool(crashed % 2))
            if lost and not crashed % 2:
                worker.crash()
            crashes += lost
        assert by_id(worker.said) == expected, f"crash {crashed}"
        assert not worker.refused
        if not crashes:
            break
    assert crashed > 12


@pytest.mark.parametrize("seed", range(40))
def test_any_order_and_many_crashes_change_nothing(
    consumer: Transcription, live: list[AudioChunk], again: Recording, seed: int
) -> None:
    """The two topics come mixed otherwise each time, after a crash as well."""
    chance = random.Random(seed)  # noqa: S311
    worker = Worker(consumer, topics(live, again))
    crashes = 6
    while not worker.over:
        counts = [(AUDIO, chance.randint(0, 25)), (RECORDINGS, int(chance.random() < 0.15))]
        chance.shuffle(counts)
        if not worker.left(AUDIO):
            counts = [(AUDIO, 0), (RECORDINGS, 1)]
        worker.work(dict(counts), lost=chance.random() < 0.1)
        if crashes and chance.random() < 0.3:
            crashes -= 1
            worker.crash()
    assert by_id(worker.said) == by_id(heard(consumer, live, again, 80).said)
    assert not worker.refused


def test_under_load_a_recording_steps_down_and_is_said_once(live: list[AudioChunk], again: Recording) -> None:
    """By the smaller model, with a narrower beam, and it says so; whatever the lag was before a crash, each utterance
    comes once. Live audio is always heard by the live model."""
    ears = Ears(Ear(MODEL, Digests()), Ear(BIGGER, Digests(), 5), behind_ms=1000)
    consumer = Transcription("transcription", MODEL, LoudnessVad(), Digests(), ears=ears)
    for seed in range(8):
        chance = random.Random(seed)  # noqa: S311
        worker = Worker(consumer, topics(live, again), behind=(0.0, 5.0), chance=chance)
        while not worker.over:
            worker.work({AUDIO: 25, RECORDINGS: int(not worker.left(AUDIO))}, lost=chance.random() < 0.3)
            if chance.random() < 0.3:
                worker.crash()
        first, second = hearing(worker.said, 1), hearing(worker.said, 2)
        assert [(one.speaker, one.start_ms) for one in by_place(first)] == [
            (one.speaker, one.start_ms) for one in by_place(second)
        ]
        models = {(one.provenance.model, one.degraded) for one in second if one.kind == "speech"}
        assert models <= {("bigger", ()), (MODEL.name, ("model", "beam"))}
        assert {one.provenance.model for one in first[:-1]} == {MODEL.name}
        assert {one.degraded for one in first[:-1]} <= {(), ("revisions",)}  # beyond four times the limit no partials


def by_place(said: Sequence[Utterance]) -> list[Utterance]:
    return sorted(said, key=lambda one: (one.start_ms, one.speaker))


def test_what_is_left_out_is_named() -> None:
    """Both where there are two models; only the beam where there is one; nothing while the group keeps up, or may
    not step down."""
    narrow, wide = Ear(MODEL, Digests()), Ear(MODEL, Digests(), 5)
    assert Ears(narrow, wide, 1000).for_recording(2).degraded == ("beam",)
    assert Ears(narrow, Ear(BIGGER, Digests(), 5), 1000).for_recording(2).degraded == ("model", "beam")
    assert Ears(narrow, wide, 1000).for_recording(1) is wide
    assert Ears(narrow, wide).for_recording(1000) is wide


def test_another_recording_is_refused(consumer: Transcription, live: list[AudioChunk], again: Recording) -> None:
    """While one waits; and one of revision 1 of a call that is live."""
    other = replace(again, event_id="other")
    first = replace(again, event_id="first", revision=1)
    [result] = consumer.advance([CallSlice("call", [*live[:8], again, other, first], None, None)])
    assert [event.event_id for event, _ in result.rejected] == ["other", "first"]
    assert result.state is not None
    assert result.state.recording == again
    [result] = consumer.advance([CallSlice("call", [first, *live[8:16]], replace(result.state, recording=None), None)])
    assert ["live" in str(reason) for _, reason in result.rejected] == [True]


def test_a_refused_second_hearing_leaves_the_live_one(
    consumer: Transcription, live: list[AudioChunk], again: Recording
) -> None:
    """The recording is another file: it is a dead letter, and the live call is heard."""
    worker = Worker(consumer, topics(live, replace(again, sha256="0" * 64)))
    worker.work({RECORDINGS: 1})
    assert ["sha256" in reason for reason in worker.refused] == [True]
    while not worker.over:
        worker.work({AUDIO: 10})
    assert {one.revision for one in worker.said} == {1}
    assert worker.said[-1].heard_again


def test_what_turns_out_to_be_unreadable_is_a_gap_to_its_end(
    consumer: Transcription, live: list[AudioChunk], again: Recording
) -> None:
    """It waited for the live end, so its event was done with: a gap as long as it is, and an interrupted end. The log
    says why, but not where the file lies."""
    bad = replace(again, sha256=hashlib.sha256(b"").hexdigest())
    with structlog.testing.capture_logs() as log:
        worker = heard(consumer, live, bad, 40)
    [told] = [entry for entry in log if entry["log_level"] == "warning"]
    assert told["reason"].startswith(f"sha256 is {again.sha256}, but the event says {bad.sha256}")
    assert again.uri not in str(told)
    assert [(one.kind, one.start_ms, one.end_ms, one.interrupted) for one in hearing(worker.said, 2)] == [
        ("gap", 0, SECONDS * 1000, False),
        ("gap", 0, SECONDS * 1000, False),
        ("end", SECONDS * 1000, SECONDS * 1000, True),
    ]
    assert worker.call.state == OVER


def test_silence_lets_a_waiting_recording_begin(
    consumer: Transcription, live: list[AudioChunk], again: Recording
) -> None:
    """The door crashed: the live hearing ends as interrupted, then the recording is heard, and an event holds it."""
    worker = Worker(consumer, topics(live[:50], again))
    worker.work({AUDIO: 50, RECORDINGS: 1})
    [result] = consumer.advance([CallSlice("call", [], worker.call.state, worker.call.memory, 1)])
    said = utterances(result)
    assert (said[-1].kind, said[-1].interrupted, said[-1].revision) == ("end", True, 1)
    assert result.unfinished
    assert result.holding is not None
    while result.unfinished:
        [result] = consumer.advance([CallSlice("call", [], result.state, result.memory)])
        said += utterances(result)
    assert (said[-1].kind, said[-1].interrupted, said[-1].revision) == ("end", False, 2)
    assert result.state is not None
    assert (result.state.silent, result.state.recording) == (True, None)


def test_a_live_chunk_after_the_live_end_is_a_double(
    consumer: Transcription, live: list[AudioChunk], again: Recording
) -> None:
    """A door that sends its journal again while the recording is read."""
    worker = Worker(consumer, {AUDIO: [*live, *live[-6:]], RECORDINGS: [again]})
    worker.work({AUDIO: 80, RECORDINGS: 1})
    while not worker.over:
        worker.work({AUDIO: 2})
    assert by_id(worker.said) == by_id(heard(consumer, live, again, 80).said)
    assert not worker.refused


def test_a_file_that_is_not_read_at_once_blocks_nothing(again: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashed and decoded a piece at a time, with nothing said before all of it is right; then it is as ever."""
    once = replace(again, revision=1)
    plain, slow = (
        Worker(Transcription("transcription", MODEL, LoudnessVad(), Digests()), {RECORDINGS: [once]}) for _ in range(2)
    )
    while not plain.over:
        plain.work({RECORDINGS: 1})
    monkeypatch.setattr("consumers.transcription.copy.PIECE_BYTES", 100_000)
    monkeypatch.setattr("consumers.transcription.copy.PIECE_S", 10)
    while not slow.over:
        assert slow.said or slow.steps <= 8
        slow.work({RECORDINGS: 1})
    assert slow.steps == plain.steps + SECONDS * 32_000 // 100_000 + SECONDS // 10
    assert slow.said == plain.said != []
