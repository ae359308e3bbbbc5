"""The recordings of a line's calls where something goes wrong: full disks, kills, files that are gone."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import structlog

from callbus.errors import InputError
from callbus.modes import Mode
from producers.line import Recordings
from schemas.records import CallEvent
from tests.lines import LEGS, SOUNDING, Memory, assert_whole, counted
from tests.recorded import heard, left, line, of
from tests.until import until

HEARD_S = 4_000_000_000  # later than any event of the call


@pytest.fixture
def kafka() -> Memory:
    return Memory()


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """No recording can be written any more; journals can."""

    def refuse(file: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", refuse)


async def test_a_hybrid_call_whose_recording_fails_goes_on_live(
    kafka: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once; from then on its chunks say that it is not heard again, its last ones too."""
    async with line(kafka, tmp_path, "hybrid") as door:
        call = await door.begin("one", LEGS, SOUNDING)
        await call.hear("agent", counted(2_000))
        with monkeypatch.context() as patched:
            full(patched)
            await call.hear("agent", counted(4_000, 2_000))
        await call.hear("agent", counted(2_000, 6_000))
        await call.end()
        await until(lambda: door.left == 0)
    agent = kafka.chunks("one", "agent")
    assert_whole(agent, 8_000)
    assert [chunk.heard_again for chunk in agent] == [True, False, False, False, False]
    assert kafka.steps("one") == ["started", "failed", "ended"]
    assert kafka.recordings("one") == []
    assert left(tmp_path) == []


async def test_a_given_up_recording_stays_given_up(
    kafka: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the door is killed before all is sent: said once, and nothing of it is looked for."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path, "hybrid") as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        full(monkeypatch)
        await call.hear("caller", counted(2_500))
        await call.end()
    kafka.hanging.set()
    async with line(kafka, tmp_path, "hybrid") as again:
        await until(lambda: again.left == 0)
    assert kafka.steps("one") == ["started", "failed", "ended"]
    assert [chunk.heard_again for chunk in kafka.chunks("one", "caller")] == [False, False]


async def test_silence_at_the_end_is_recorded(kafka: Memory, tmp_path: Path) -> None:
    """A hole that no sound follows makes the recording longer, as it does a live leg."""
    async with line(kafka, tmp_path, "post-call") as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(100))
        await call.skip("caller", 8_000)
        await call.end()
        await until(lambda: door.left == 0)
    samples = heard(kafka.recordings("one")[0])[0]
    assert (len(samples), int(np.flatnonzero(samples).max())) == (8_100, 99)


async def test_a_post_call_s_audio_that_no_disk_takes_is_a_hole(
    kafka: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once, and silent in the recording, which goes on at its place when there is room."""
    async with line(kafka, tmp_path, "post-call") as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(2_000))
        with monkeypatch.context() as patched:
            full(patched)
            await call.hear("caller", counted(4_000, 2_000))
        await call.hear("caller", counted(2_000, 6_000))
        await call.end()
        await until(lambda: door.left == 0)
    [recording] = kafka.recordings("one")
    expected = of(8_000).copy()
    expected[2_000:6_000] = 0
    assert np.array_equal(heard(recording)[0], expected)
    assert kafka.steps("one") == ["started", "failed", "ended"]


async def test_making_the_file_is_tried_until_it_works(
    kafka: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was promised comes: the call stays in the spool until then."""
    monkeypatch.setattr("producers.line.hearing._AGAIN_S", 0.02)
    folder = tmp_path / "recordings"
    with structlog.testing.capture_logs() as log:
        async with line(kafka, tmp_path, "hybrid") as door:
            call = await door.begin("one", ["caller"], SOUNDING)
            await call.hear("caller", counted(2_500))
            folder.rename(tmp_path / "away")
            folder.touch()
            await call.end()
            await until(lambda: bool(log))
            assert (door.left, kafka.recordings("one")) == (1, [])
            folder.unlink()
            (tmp_path / "away").rename(folder)
            await until(lambda: door.left == 0)
    assert [entry["event"] for entry in log] == ["recording_not_made"]
    assert np.array_equal(heard(kafka.recordings("one")[0])[0], of(2_500))


@pytest.mark.parametrize("mode", ["post-call", "hybrid"])
async def test_a_call_in_which_nobody_spoke_has_no_recording(kafka: Memory, tmp_path: Path, mode: Mode) -> None:
    """Its empty last chunks end it: no file can tell of no audio."""
    async with line(kafka, tmp_path, mode) as door:
        await (await door.begin("one", LEGS, SOUNDING)).end()
        await until(lambda: door.left == 0)
    for leg in LEGS:
        [only] = kafka.chunks("one", leg)
        assert (only.payload, only.last, only.heard_again) == (b"", True, False)
    assert kafka.recordings("one") == []
    assert kafka.steps("one") == ["started", "ended"]
    assert left(tmp_path) == []


@pytest.mark.parametrize("mode", ["post-call", "hybrid"])
async def test_a_killed_door_records_what_was_heard(kafka: Memory, tmp_path: Path, mode: Mode) -> None:
    """Also where its next start knows nothing of recordings; at most the chunk in hand is lost."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path, mode) as door:
        call = await door.begin("one", LEGS, SOUNDING)
        for n in range(0, 30_000, 1_500):
            await call.hear("caller", counted(1_500, n))
        shutil.copytree(tmp_path / "spool", tmp_path / "b" / "spool")
        kept = {path.name: path.read_bytes() for path in (tmp_path / "recordings" / "unfinished").iterdir()}
    for path in (tmp_path / "recordings" / "unfinished").iterdir():
        path.unlink()
    for name, content in kept.items():
        (tmp_path / "recordings" / "unfinished" / name).write_bytes(content)
        os.utime(tmp_path / "recordings" / "unfinished" / name, (HEARD_S, HEARD_S))
    kafka.hanging.set()
    async with line(kafka, tmp_path / "b", recording=False) as again:
        await until(lambda: again.left == 0)
    assert kafka.steps("one") == ["started", "interrupted", "ended"]
    [recording] = kafka.recordings("one")
    agent, caller = heard(recording)
    assert np.array_equal(caller, of(30_000))
    assert not agent.any()
    ended = [event for event in kafka.events if isinstance(event, CallEvent)][-1]
    assert ended.at_ms == HEARD_S * 1000  # when it was last heard of, not when the door came back
    assert recording.revision == (1 if mode == "post-call" else 2)
    assert bool(kafka.chunks("one", "caller")) == (mode == "hybrid")
    assert left(tmp_path) == []


@pytest.mark.parametrize("mode", ["post-call", "hybrid"])
async def test_a_door_killed_after_the_call_s_end_still_makes_its_recording(
    kafka: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """That call had ended well: it is not interrupted, and nothing of it is sent again. Whoever has forgotten the call
    by then would hear its last seconds as new ones."""

    async def never(*_: object) -> None:
        raise AssertionError("killed before")

    with monkeypatch.context() as patched:
        patched.setattr("producers.line.hearing.Hearing.make", never)
        async with line(kafka, tmp_path, mode) as door:
            call = await door.begin("one", ["caller"], SOUNDING)
            await call.hear("caller", counted(2_500))
            await call.end()
        assert door.left == 1
    async with line(kafka, tmp_path, mode) as again:
        await until(lambda: again.left == 0)
    assert kafka.steps("one") == ["started", "ended"]
    assert len({event.event_id for event in kafka.events}) == len(kafka.events)
    assert np.array_equal(heard(kafka.recordings("one")[0])[0], of(2_500))


async def test_a_recording_whose_parts_are_gone_is_told(kafka: Memory, tmp_path: Path) -> None:
    """Somebody cleaned up too well: `failed`, and the call is over all the same."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path, "hybrid") as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(2_500))
        await call.end()
    for path in (tmp_path / "recordings" / "unfinished").iterdir():
        path.unlink()
    kafka.hanging.set()
    async with line(kafka, tmp_path, "hybrid") as again:
        await until(lambda: again.left == 0)
    assert kafka.steps("one") == ["started", "ended", "failed"]
    assert kafka.recordings("one") == []


async def test_a_call_whose_recordings_are_out_of_reach_waits(kafka: Memory, tmp_path: Path) -> None:
    """A disk that is not there yet: nothing is sent, nothing is deleted, the next start tries again."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path, "post-call") as door:
        await (await door.begin("one", ["caller"], SOUNDING)).hear("caller", counted(2_500))
    (tmp_path / "recordings").rename(tmp_path / "unmounted")
    kafka.hanging.set()
    with structlog.testing.capture_logs() as log:
        async with line(kafka, tmp_path, recording=False) as again:
            assert again.left == 0
    assert [entry["event"] for entry in log] == ["recording_out_of_reach"]
    (tmp_path / "unmounted").rename(tmp_path / "recordings")
    async with line(kafka, tmp_path) as again:
        await until(lambda: again.left == 0)
    assert np.array_equal(heard(kafka.recordings("one")[0])[0], of(2_500))


async def test_a_folder_that_can_t_be_written_is_said_at_the_start(kafka: Memory, tmp_path: Path) -> None:
    """Before any call is taken."""
    (tmp_path / "recordings").touch()
    with pytest.raises(InputError, match="name another folder with --recordings"):
        async with line(kafka, tmp_path, "hybrid"):
            pass


def test_a_disk_s_room_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deletes old recordings makes room."""
    recordings = Recordings(tmp_path, 1_000)
    for free, room in [(1_001, True), (1_000, False), (5_000, True)]:
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert recordings.has_room() is room
