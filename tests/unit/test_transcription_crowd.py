"""Many recordings at once: a backlog, or a night's calls that were all heard post-call."""

import errno
import gc
import io
import os
import resource
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import IO, Any
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from callbus.consumer import CallResult, CallSlice
from callbus.errors import Reject, Retry
from consumers.transcription import Transcription, copy, pace
from consumers.transcription.hearings import Slice
from consumers.transcription.pace import MOST_BEGUN, MOST_OPEN, SMALL_PART_S
from schemas.records import AudioChunk, Recording, Utterance
from tests.partials import Counting
from tests.replays import LoudnessVad, bursts, by_id
from tests.sounds import Digests, Result, chunks, utterances, whisper
from tests.unit.test_transcription_recording import recording

SECONDS = 18
MANY = MOST_OPEN + 4
NOTHING: Result = CallResult(events=(), state=None)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    file = tmp_path_factory.mktemp("crowd") / "call.wav"
    with wave.open(str(file), "wb") as content:
        content.setparams((2, 2, 8000, 0, "NONE", ""))
        content.writeframes(bursts(SECONDS).T.astype("<i2").tobytes())
    return recording(file)


def crowd(tape: Recording, many: int, revision: int = 1) -> dict[str, Recording]:
    names = [f"call-{number}" for number in range(many)]
    return {name: replace(tape, call_id=name, event_id=f"tape of {name}", revision=revision) for name in names}


def consumer(recognizer: Digests | Counting | None = None) -> Transcription:
    return Transcription("transcription", whisper().model, LoudnessVad(), recognizer or Digests())


def live_chunks() -> list[AudioChunk]:
    return chunks(bursts(SECONDS), 8000, 500, call_id="live")


def goes_on(transcription: Transcription, results: dict[str, Result]) -> Iterator[list[Utterance]]:
    """As a worker does: one of those that are unfinished with every batch, each in its turn."""
    for name in cycle(list(results)):
        if not any(result.unfinished for result in results.values()):
            return
        if results[name].unfinished:
            before = results[name]
            [results[name]] = transcription.advance([CallSlice(name, [], before.state, before.memory)])
            yield utterances(results[name])


def begun(transcription: Transcription, tapes: dict[str, Recording], results: dict[str, Result]) -> dict[str, Result]:
    """All of them in one batch, with what is remembered of them."""
    slices: list[Slice] = [
        CallSlice(name, [one], results.get(name, NOTHING).state, None) for name, one in tapes.items()
    ]
    return dict(zip(tapes, transcription.advance(slices), strict=True))


def alone(tapes: dict[str, Recording]) -> list[Utterance]:
    """What each of them comes to when it is the only one."""
    said: list[Utterance] = []
    for name, one in tapes.items():
        transcription = consumer()
        results = begun(transcription, {name: one}, {})
        said += [*utterances(results[name]), *(each for part in goes_on(transcription, results) for each in part)]
    assert len(said) > 5 * len(tapes)
    return said


def test_a_live_call_waits_for_one_of_them(tape: Recording) -> None:
    """However many come in one batch, no more audio of them is heard with a live call than a small part of one."""
    counting, live = Counting(), live_chunks()
    transcription = consumer(counting)
    tapes = crowd(tape, 20)
    slices: list[Slice] = [CallSlice(name, [one], None, None) for name, one in tapes.items()]
    *results, _ = transcription.advance([*slices, CallSlice("live", live[:8], None, None)])
    assert sum(bool(result.state and result.state.channels) for result in results) == 1
    assert sum(sound.length_s for asked in counting.asked for sound in asked) < 2 * SMALL_PART_S + 4
    assert all(result.unfinished for result in results)


def test_all_of_them_are_heard(tape: Recording) -> None:
    """Each as it would have been alone, to its end, and then nothing of it is remembered."""
    transcription, tapes = consumer(), crowd(tape, MANY)
    results = begun(transcription, tapes, {})
    said = [one for result in results.values() for one in utterances(result)]
    said += [one for part in goes_on(transcription, results) for one in part]
    assert by_id(said) == by_id(alone(tapes))
    assert len(said) == len({one.event_id for one in said})
    assert {(result.state, result.memory, result.holding) for result in results.values()} == {(None, None, None)}


def test_few_files_are_open(tape: Recording) -> None:
    """Those that wait hold none: a thousand of them must not use up what the process may open, nor the disk."""
    transcription, tapes = consumer(), crowd(tape, MANY)
    before, most = open_files(), 0
    results = begun(transcription, tapes, {})
    for _ in goes_on(transcription, results):
        most = max(most, open_files() - before)
    assert most == MOST_OPEN


def test_what_is_wrong_with_one_of_a_few_is_said_of_its_event(tape: Recording) -> None:
    """It is not this one's turn, but it is in hand: later no dead letter could say why it is not heard."""
    tapes = crowd(tape, MOST_BEGUN)
    wrong = list(tapes)[-1]
    tapes[wrong] = replace(tapes[wrong], sha256="0" * 64)
    results = begun(consumer(), tapes, {})
    assert {name: len(result.rejected) for name, result in results.items()} == {n: int(n == wrong) for n in tapes}
    [(event, reason)] = results[wrong].rejected
    assert event is tapes[wrong]
    assert "sha256" in str(reason)


def test_a_thousand_are_no_fault(tape: Recording) -> None:
    """More than the process has files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 3 * MOST_OPEN, hard))
    try:
        results = begun(consumer(), crowd(tape, 1_000), {})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(result.unfinished and result.holding for result in results.values())


@pytest.mark.parametrize("revision", [1, 2])
def test_a_crash_while_some_wait_changes_nothing(tape: Recording, revision: int) -> None:
    """Memory is lost after every step: each event that was held comes again, with the state of its call."""
    tapes = crowd(tape, 3, revision)
    whole = by_id(alone(tapes))
    for crash in range(0, 10, 2):
        transcription = consumer()
        results = begun(transcription, tapes, {})
        said = [one for result in results.values() for one in utterances(result)]
        for _, part in zip(range(crash), goes_on(transcription, results), strict=False):
            said += part
        left = {name: one for name, one in tapes.items() if results[name].unfinished}
        assert all(results[name].holding is tapes[name] for name in left)
        transcription = consumer()
        results = begun(transcription, left, results)
        said += [one for result in results.values() for one in utterances(result)]
        said += [one for part in goes_on(transcription, results) for one in part]
        assert by_id(said) == whole, crash
        assert len(said) == len(whole)


def test_a_file_that_is_not_there_is_refused_at_once(tape: Recording, tmp_path: Path) -> None:
    """Its event is in hand: the reason goes with it, wherever it stands in the crowd."""
    tapes = crowd(tape, 5)
    tapes["call-3"] = replace(tapes["call-3"], uri=(tmp_path / "missing.wav").as_uri())
    results = begun(consumer(), tapes, {})
    refused = {name: result.rejected for name, result in results.items() if result.rejected}
    [(event, reason)] = refused.pop("call-3")
    assert (event, refused) == (tapes["call-3"], {})
    assert "no such file" in str(reason)
    assert not results["call-3"].unfinished


def test_a_store_that_does_not_answer_is_asked_while_the_event_is_in_hand(tape: Recording) -> None:
    """Only then can the event wait; later there would be nothing left that could."""
    tapes = crowd(tape, 2)
    tapes["call-1"] = replace(tapes["call-1"], uri="https://127.0.0.1:9/call.wav")
    with pytest.raises(Retry, match="does not answer"):
        begun(consumer(), tapes, {})


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_copy_that_nobody_has_any_more_holds_no_file(
    tape: Recording, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """At once, also where it is not whole: its lane went elsewhere. Or it would count as open, and others would wait
    for it."""
    monkeypatch.setattr(copy, "PIECE_BYTES", 1 << 10)
    gc.collect()
    gc.disable()
    try:
        before = open_files()
        one = copy.Copy(tape)
        for _ in range(steps):
            one.step()
        assert (one.ready, open_files()) == (False, before + 2)
        del one
        assert open_files() == before
    finally:
        gc.enable()


def test_a_copy_that_was_refused_holds_no_file(tape: Recording) -> None:
    """Nor does the reason of it."""
    gc.collect()
    gc.disable()
    try:
        before = open_files()
        one = copy.Copy(replace(tape, sha256="0" * 64))
        for _ in range(2):
            with pytest.raises(Reject, match="sha256 is"):
                one.step()
        del one
        assert open_files() == before
    finally:
        gc.enable()


def fills(monkeypatch: pytest.MonkeyPatch, folder: Path, size_bytes: int) -> None:
    """The disk of temporary files takes so much more; then it is full, as the kernel itself says."""

    def opened() -> IO[bytes]:
        return Narrow(tempfile.mkstemp(dir=folder)[1], size_bytes)

    monkeypatch.setattr(tempfile, "TemporaryFile", opened)


class Narrow(io.FileIO):
    """A file of a disk that is full beyond so many bytes."""

    def __init__(self, path: str, size_bytes: int) -> None:
        super().__init__(path, "w+b")
        self._room = size_bytes

    def write(self, content: Any) -> int:
        if self.tell() + len(content) > self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(content)


@pytest.mark.parametrize("revision", [1, 2])
@pytest.mark.parametrize("room", [0, 100_000])
def test_a_full_disk_delays_a_recording(
    tape: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: int, room: int
) -> None:
    """Whether its event is in hand or not: it is held, the log says why, and once there is room all of it is said."""
    monkeypatch.setattr(pace, "PAUSE_S", 0.0)
    tapes = crowd(tape, 2, revision)
    transcription = consumer()
    with monkeypatch.context() as full, capture_logs() as told:
        fills(full, tmp_path, room)
        results = begun(transcription, tapes, {})
        for _, said in zip(range(4), goes_on(transcription, results), strict=False):
            assert said == []
        assert all(result.unfinished and result.holding is tapes[name] for name, result in results.items())
        assert not any(result.rejected for result in results.values())
    assert {one["event"] for one in told} == {"a recording can't be read now"}
    assert all("No space left on device" in one["reason"] and tape.uri not in one["reason"] for one in told)
    said = [one for part in goes_on(transcription, results) for one in part]
    assert by_id(said) == by_id(alone(tapes))


def test_a_file_that_can_not_be_read_now_is_read_later(
    tape: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk gives an error in the middle: that says nothing of the recording."""
    monkeypatch.setattr(pace, "PAUSE_S", 0.0)
    monkeypatch.setattr(copy, "PIECE_BYTES", 1 << 14)
    transcription, tapes = consumer(), crowd(tape, 1)
    with monkeypatch.context() as broken, capture_logs() as told:
        broken.setattr(copy, "_opened", lambda uri: Failing(Path(uri.removeprefix("file://")), "rb"))
        results = begun(transcription, tapes, {})
        for _, said in zip(range(3), goes_on(transcription, results), strict=False):
            assert said == []
    assert {one["event"] for one in told} == {"a recording can't be read now"}
    said = [one for part in goes_on(transcription, results) for one in part]
    assert by_id(said) == by_id(alone(tapes))


class Failing(io.FileIO):
    """A file of which the disk gives the first 16 KB."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 1 << 14:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size) or b""


def test_a_copy_that_was_lost_half_way_is_made_anew(tape: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """While its recording is read: it goes on from what was said, and repeats nothing."""
    monkeypatch.setattr(pace, "PAUSE_S", 0.0)
    transcription, tapes = consumer(), crowd(tape, 1)
    results = begun(transcription, tapes, {})
    said = utterances(results["call-0"])
    assert said
    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", Mock(side_effect=OSError(errno.EIO, os.strerror(errno.EIO))))
        assert next(goes_on(transcription, results)) == []
    said += [one for part in goes_on(transcription, results) for one in part]
    assert by_id(said) == by_id(alone(tapes))


def test_a_full_disk_is_not_asked_again_at_once(
    tape: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the process spin meanwhile; a live call is heard all the same."""
    transcription, tapes = consumer(), crowd(tape, 2)
    with monkeypatch.context() as full, capture_logs() as told:
        fills(full, tmp_path, 0)
        results = begun(transcription, tapes, {})
        began_s = monotonic()
        for _ in zip(range(4), goes_on(transcription, results), strict=False):
            pass
        assert monotonic() - began_s > 0.25
    assert len(told) <= MOST_BEGUN
    live: Result = NOTHING
    heard: list[Utterance] = []
    chunks_ = live_chunks()
    for at in range(0, len(chunks_), 8):
        [live] = transcription.advance([CallSlice("live", chunks_[at : at + 8], live.state, live.memory)])
        heard += utterances(live)
    assert [one.kind for one in heard[-1:]] == ["end"]
