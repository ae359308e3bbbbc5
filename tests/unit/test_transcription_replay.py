"""A crash at any moment, a replay from what was committed: the same utterances, none twice, none missing."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

from callbus.consumer import CallResult
from consumers.transcription import Transcription
from schemas.records import AudioChunk, Utterance
from tests.replays import Log, RememberingVad
from tests.sounds import Digests, Result, Samples, chunks, play, sample, step, utterances, whisper

SECONDS = 17


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return Transcription("transcription", whisper().model, RememberingVad(), Digests())


@pytest.fixture(scope="module")
def audio() -> tuple[Samples, int]:
    samples, rate_hz = sample("physical_abuse_hold")
    return samples[:, : SECONDS * rate_hz], rate_hz


def after_every_chunk(log: Log) -> Iterator[Log]:
    while log.handled < len(log.events):
        log.work(1)
        yield log


def test_a_crash_after_any_chunk_changes_nothing(consumer: Transcription, audio: tuple[Samples, int]) -> None:
    """For every k: crash after chunk k, replay from the held offset; the utterances are bit for bit the same."""
    events = chunks(*audio, chunk_ms=500)
    undisturbed, _ = play(consumer, events)
    assert len([one for one in undisturbed if one.kind == "speech"]) >= 4
    for log in after_every_chunk(Log(consumer, events)):
        other = log.fork()
        other.crash()
        while other.handled < len(events):
            other.work(4)
        assert other.said == undisturbed, f"after chunk {log.handled}"


@pytest.mark.parametrize("seed", range(3))
def test_many_crashes_change_nothing(consumer: Transcription, audio: tuple[Samples, int], seed: int) -> None:
    """Crashes at random moments, with slices of random sizes."""
    chance = random.Random(seed)  # noqa: S311
    events = chunks(*audio, chunk_ms=250)
    undisturbed, _ = play(consumer, events)
    log = Log(consumer, events)
    while log.handled < len(events):
        log.work(chance.randint(1, 30))
        if chance.random() < 0.4 and log.result.state is not None:
            log.crash()
    assert sorted(log.said, key=lambda one: one.event_id) == sorted(undisturbed, key=lambda one: one.event_id)


@pytest.mark.parametrize("chunk_ms", [20, 500, 1000])
def test_the_size_of_chunks_changes_nothing(consumer: Transcription, audio: tuple[Samples, int], chunk_ms: int) -> None:
    """The same ids, times and audio for chunks of 20 ms as of a second."""

    def essence(said: list[Utterance]) -> set[tuple[object, ...]]:
        return {(one.event_id, one.start_ms, one.end_ms, one.text) for one in said}

    usual, _ = play(consumer, chunks(*audio, chunk_ms=250))
    other, _ = play(consumer, chunks(*audio, chunk_ms=chunk_ms))
    assert essence(other) == essence(usual)


def test_the_offset_is_held_by_unsaid_speech_only(consumer: Transcription, audio: tuple[Samples, int]) -> None:
    """Silence is let go after seconds, so that a caller on hold holds no offset back."""
    _, rate_hz = audio
    quiet = chunks(np.zeros((2, 60 * rate_hz), dtype=np.int16), rate_hz)
    _, result = play(consumer, quiet[:-2])
    assert isinstance(result.holding, AudioChunk)
    assert quiet.index(result.holding) >= len(quiet) - 2 * 4 * 4  # both channels, 4 chunks a second, 4 s


def test_a_failed_batch_can_be_tried_again(consumer: Transcription, audio: tuple[Samples, int]) -> None:
    """Working on the same slice twice with the same memory gives the same result: nothing was changed in place."""
    events = chunks(*audio)
    _, before = play(consumer, events[:100])
    first = step(consumer, events[100:160], before)
    again = step(consumer, events[100:160], before)
    assert utterances(first) == utterances(again) != []
    assert first.state == again.state


def test_duplicates_and_disorder_within_a_slice_change_nothing(
    consumer: Transcription, audio: tuple[Samples, int]
) -> None:
    """Chunks that come again, or in the wrong order within one slice, leave the utterances as they were."""
    events = chunks(*audio)
    undisturbed, _ = play(consumer, events, slice_size=10)
    result: Result = CallResult(events=(), state=None)
    said: list[Utterance] = []
    for one in range(0, len(events), 10):
        again = events[max(0, one - 10) : one]
        result = step(consumer, [*reversed(events[one : one + 10]), *again], result)
        said += utterances(result)
    assert [one.event_id for one in said] == [one.event_id for one in undisturbed]
    assert [one.text for one in said] == [one.text for one in undisturbed]
