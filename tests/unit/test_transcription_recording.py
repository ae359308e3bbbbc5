"""A finished recording comes to what the live call would have come to, or is refused with its reason."""

import hashlib
import io
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callbus.consumer import CallSlice
from callbus.errors import Retry
from callbus.ids import event_id
from consumers.transcription import Transcription
from consumers.transcription.vad import Vad
from schemas.records import Recording, Utterance
from tests.builders import chunk
from tests.sounds import SAMPLES, Digests, Result, chunks, play, sample, utterances, whisper


@pytest.fixture(scope="module")
def consumer() -> Transcription:
    return Transcription("transcription", whisper().model, Vad(), Digests())


def recording(file: Path, **changes: Any) -> Recording:
    facts: dict[str, Any] = {
        "event_id": event_id("call", "test", "recording"),
        "call_id": "call",
        "at_ms": 5_000,
        "uri": file.as_uri(),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "0" * 64,
        "channels": ("agent", "caller"),
    }
    return Recording(**facts | changes)


def advance(consumer: Transcription, event: Recording) -> Result:
    [result] = consumer.advance([CallSlice("call", [event], None, None)])
    return result


def read_all(consumer: Transcription, event: Recording) -> tuple[list[Utterance], list[Result]]:
    """Part by part to the end: what was said, and the results."""
    results = [advance(consumer, event)]
    while results[-1].unfinished:
        before = results[-1]
        results += consumer.advance([CallSlice("call", [], before.state, before.memory)])
    return [said for result in results for said in utterances(result)], results


def test_a_recording_says_what_the_live_call_says(consumer: Transcription) -> None:
    """The same ids, times and audio, with the end; it is held until its last part, then nothing is remembered."""
    live, _ = play(consumer, chunks(*sample("maintenance_custody")))
    event = recording(SAMPLES / "maintenance_custody.flac")
    said, results = read_all(consumer, event)
    said.sort(key=lambda one: one.start_ms)
    assert [(one.event_id, one.kind, one.end_ms, one.text) for one in said] == [
        (one.event_id, one.kind, one.end_ms, one.text) for one in sorted(live, key=lambda one: one.start_ms)
    ]
    assert said[-1].kind == "end"
    assert {one.at_ms for one in said} == {5_000}
    assert {one.provenance.origin_ids for one in said} == {(event.event_id,)}
    assert len(results) >= 3
    assert all(result.holding is event for result in results[:-1])
    assert (results[-1].state, results[-1].memory, results[-1].holding) == (None, None, None)


def test_a_crash_while_a_recording_is_read_repeats_and_loses_nothing(consumer: Transcription) -> None:
    """After every part: memory is lost, the recording comes again with the state of that part."""
    event = recording(SAMPLES / "maintenance_custody.flac")
    whole, results = read_all(consumer, event)
    said = []
    for crashed in results[:-1]:
        said += utterances(crashed)
        [again] = consumer.advance([CallSlice("call", [event], crashed.state, None)])
        rest, result = utterances(again), again
        while result.unfinished:
            [result] = consumer.advance([CallSlice("call", [], result.state, result.memory)])
            rest += utterances(result)
        assert sorted(one.event_id for one in [*said, *rest]) == sorted(one.event_id for one in whole)


def test_a_call_is_live_or_a_recording(consumer: Transcription) -> None:
    """Audio of the other kind under the same call_id is refused, and changes nothing."""
    event = recording(SAMPLES / "maintenance_custody.flac")
    begun = advance(consumer, event)
    [both] = consumer.advance([CallSlice("call", [chunk("call")], begun.state, begun.memory)])
    assert ["recording" in str(reason) for _, reason in both.rejected] == [True]
    [live] = consumer.advance([CallSlice("call", [chunk("call"), event], None, None)])
    assert ["live" in str(reason) for _, reason in live.rejected] == [True]


def test_one_channel_is_an_unknown_speaker(consumer: Transcription, tmp_path: Path) -> None:
    """A mono recording is transcribed as well; who speaks is not known."""
    samples, rate_hz = sample("maintenance_custody")
    file = tmp_path / "mono.wav"
    file.write_bytes(wav(samples.sum(axis=0).clip(-32768, 32767).astype("<i2"), rate_hz))
    said, _ = read_all(consumer, recording(file, channels=("unknown",)))
    assert {one.speaker for one in said} == {"unknown"}
    assert len(said) > 5


def wav(samples: "np.ndarray[Any, Any]", rate_hz: int) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return content.getvalue()


def refused(consumer: Transcription, event: Recording) -> str:
    result = advance(consumer, event)
    assert not utterances(result)
    [(which, reason)] = result.rejected
    assert which is event
    return str(reason)


def test_another_file_is_refused(consumer: Transcription) -> None:
    """Both digests are named."""
    event = recording(SAMPLES / "maintenance_custody.flac")
    reason = refused(consumer, replace(event, sha256="ab" * 32))
    assert "ab" * 32 in reason
    assert event.sha256 in reason


def test_a_corrupt_file_is_refused(consumer: Transcription, tmp_path: Path) -> None:
    """The file's name and the decoder's reason are in the message."""
    file = tmp_path / "corrupt.flac"
    content = bytearray((SAMPLES / "maintenance_custody.flac").read_bytes())
    content[200_000:200_400] = bytes(400)
    file.write_bytes(content)
    assert "corrupt.flac" in refused(consumer, recording(file))


def test_a_missing_file_is_refused(consumer: Transcription, tmp_path: Path) -> None:
    """A claim check for nothing."""
    assert "no such file" in refused(consumer, recording(tmp_path / "missing.wav"))


@pytest.mark.parametrize("uri", ["nonsense://x/y.wav", "s3-but-not-quite"])
def test_an_unreadable_uri_is_refused(consumer: Transcription, uri: str) -> None:
    """A scheme that nothing reads, or no scheme and no file."""
    reason = refused(consumer, recording(SAMPLES / "maintenance_custody.flac", uri=uri))
    assert uri in reason


@pytest.mark.parametrize("channels", [("agent",), ("agent", "agent"), (), ("agent", "caller", "unknown")])
def test_channels_that_do_not_match_are_refused(consumer: Transcription, channels: tuple[str, ...]) -> None:
    """The file has two channels; the event must name two different ones."""
    event = recording(SAMPLES / "maintenance_custody.flac", channels=channels)
    assert "has 2 channel(s)" in refused(consumer, event)


def test_a_store_that_does_not_answer_is_tried_again(consumer: Transcription) -> None:
    """Nobody listens on port 9 of this machine: not the recording's fault."""
    with pytest.raises(Retry, match="does not answer"):
        advance(consumer, recording(SAMPLES / "x", uri="https://127.0.0.1:9/call.wav"))


def test_a_refused_recording_leaves_other_calls_alone(consumer: Transcription) -> None:
    """In the same batch a live call goes on."""
    bad = recording(SAMPLES / "maintenance_custody.flac", sha256="0" * 64)
    live = [chunk("live", sequence=0), chunk("live", sequence=1, last=True)]
    first, second = consumer.advance([CallSlice("call", [bad], None, None), CallSlice("live", live, None, None)])
    assert len(first.rejected) == 1
    assert [one.kind for one in utterances(second)] == ["end"]
