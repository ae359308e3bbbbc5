"""What a line keeps in its spool: for a Kafka that is away, within a limit, over kills and stops."""

import asyncio
import errno
import os
import shutil
from pathlib import Path

import pytest
import structlog

from callbus.errors import InputError
from producers.line import Busy, Call, Line, Spool
from producers.line.journal import entries, framed
from schemas.records import CallEvent
from tests.lines import LEGS, SOUNDING, Memory, assert_placed, assert_whole, counted, line, metric
from tests.until import until

KIB = 1024


@pytest.fixture
def kafka() -> Memory:
    return Memory()


def segments(folder: Path) -> list[Path]:
    return list(folder.glob("calls/*/*.log"))


async def test_kafka_may_be_away(kafka: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call goes on, the door says how far Kafka is behind, and then all of it comes, in order."""
    monkeypatch.setattr("producers.line.sender._AGAIN_S", 0.02)
    async with line(kafka, tmp_path) as door:
        kafka.away = True
        call = await door.begin("one", ["caller"], SOUNDING)
        with structlog.testing.capture_logs() as log:
            for n in range(0, 400_000, 2_000):
                await call.hear("caller", counted(2_000, n))
            await until(lambda: metric("behind_seconds") > 0.1)
            assert metric("spool_bytes") > 800_000
            assert len(segments(tmp_path)) > 5
            kafka.away = False
            await until(lambda: len(kafka.events) == 201)
        assert [entry["event"] for entry in log] == ["kafka_does_not_take_it"]
        await until(lambda: metric("behind_seconds") == 0)
        assert len(segments(tmp_path)) == 1
        await call.end()
    assert_whole(kafka.chunks("one", "caller"), 400_000)


async def test_what_does_not_fit_is_refused_visibly(kafka: Memory, tmp_path: Path) -> None:
    """A hole in the samples, one word on the call, the seconds in the metrics; what marks its course always fits."""
    lost_s = metric("lost_audio_seconds_total")
    spool = Spool(tmp_path, 256 * KIB)
    async with Line(kafka, "door", spool) as door:
        kafka.hanging.clear()
        calls = [await door.begin(f"call-{n}", LEGS, SOUNDING) for n in range(3)]
        for n in range(0, 100_000, 1_000):
            for call in calls:
                await call.hear("agent", counted(1_000, n))
        await calls[0].say("held")
        await calls[0].end()
        late = await door.begin("late", LEGS, SOUNDING)
        assert spool.used_bytes <= 256 * KIB
        assert metric("lost_audio_seconds_total") - lost_s > 20
        kafka.hanging.set()
        await until(lambda: door.left == 3)
        await until(lambda: door.behind_s == 0)
        for call in (*calls[1:], late):
            await call.hear("agent", counted(2_000, 100_000 if call is not late else 0))
            await call.end()
        await until(lambda: door.left == 0)
    assert kafka.steps("call-0") == ["started", "failed", "held", "ended"]
    assert kafka.steps("call-1") == ["started", "failed", "ended"]
    assert kafka.steps("late") == ["started", "ended"]
    for n in range(3):
        chunks = kafka.chunks(f"call-{n}", "agent")
        assert_placed(chunks)
        assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
        assert chunks[-1].last
        assert chunks[-1].start_sample + len(chunks[-1].payload) // 2 == (100_000 if n == 0 else 102_000)
    heard = sum(len(c.payload) // 2 for n in range(3) for c in kafka.chunks(f"call-{n}", "agent"))
    assert metric("lost_audio_seconds_total") - lost_s == pytest.approx((304_000 - heard) / 8_000)
    failed = next(event for event in kafka.events if isinstance(event, CallEvent) and event.type == "failed")
    assert (failed.stage, failed.attributes) == ("door", {"scope": "event"})
    assert failed.reason
    assert failed.reason.startswith("audio was refused")


async def test_a_small_spool_does_not_fill_while_kafka_takes_all(kafka: Memory, tmp_path: Path) -> None:
    """What is sent makes room, though its segments are not full: nothing is refused."""
    async with line(kafka, tmp_path, limit_bytes=256 * KIB) as door:
        calls = [await door.begin(f"call-{n}", ["caller"], SOUNDING) for n in range(8)]
        for n in range(0, 60_000, 2_000):
            for call in calls:
                await call.hear("caller", counted(2_000, n))
            await until(lambda: door.behind_s == 0)
        for call in calls:
            await call.end()
    for call in calls:
        assert_whole(kafka.chunks(call.call_id, "caller"), 60_000)


async def test_a_spool_without_room_for_its_end_takes_no_call(kafka: Memory, tmp_path: Path) -> None:
    """Those that it took can be ended, and it never holds more than it may."""
    spool = Spool(tmp_path, 256 * KIB)
    async with Line(kafka, "door", spool) as door:
        kafka.hanging.clear()
        calls: list[Call] = []
        with pytest.raises(Busy) as refused:
            while True:
                calls.append(await door.begin(f"call-{len(calls)}", LEGS, SOUNDING))
        assert refused.value.reason == "spool"
        assert len(calls) > 50
        for call in calls:
            await call.hear("agent", counted(4_000))
            for _ in range(40):
                await call.say("held")
                await call.say("resumed")
            await call.end(interrupted=True)
        assert spool.used_bytes <= 256 * KIB
        kafka.hanging.set()
        await until(lambda: door.left == 0)
    for call in calls:
        assert kafka.steps(call.call_id)[-2:] == ["interrupted", "ended"]
        assert kafka.chunks(call.call_id, "caller")[-1].last


async def test_a_full_disk_is_a_full_spool(kafka: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio is refused visibly, and what must be said is said from memory."""

    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with line(kafka, tmp_path) as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(2_000))
        with monkeypatch.context() as patched, structlog.testing.capture_logs() as log:
            patched.setattr(os, "write", full)
            with pytest.raises(Busy, match="No space left"):
                await door.begin("two", ["caller"], SOUNDING)
            await call.hear("caller", counted(4_000, 2_000))
        assert [(entry["event"], entry["reason"]) for entry in log] == [("audio_refused", "No space left on device")]
        await until(lambda: len(kafka.events) == 3)
        await call.hear("caller", counted(2_000, 6_000))
        await call.end()
    chunks = kafka.chunks("one", "caller")
    assert [(c.start_sample, c.last) for c in chunks] == [(0, False), (6_000, False), (8_000, True)]
    assert kafka.steps("one") == ["started", "failed", "ended"]


def killed(folder: Path, copy: Path) -> None:
    """What `kill -9` leaves: the files as they are at this moment, and no lock."""
    shutil.copytree(folder, copy)


async def test_a_killed_door_sends_what_it_kept_and_ends_its_calls(kafka: Memory, tmp_path: Path) -> None:
    """At the next start: at most the chunk in hand is lost, and what comes twice is the same."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path / "a") as door:
        call = await door.begin("one", LEGS, SOUNDING, {"queue": "night"})
        over = await door.begin("over", ["caller"], SOUNDING)
        await over.end()
        await call.say("held")
        for n in range(0, 300_000, 1_500):
            await call.hear("agent", counted(1_500, n))
        killed(tmp_path / "a", tmp_path / "b")
    kafka.hanging.set()
    with structlog.testing.capture_logs() as log:
        async with line(kafka, tmp_path / "b") as again:
            with pytest.raises(Busy) as refused:
                await again.begin("one", LEGS, SOUNDING)
            assert refused.value.reason == "again"
            await until(lambda: again.left == 0)
            assert again.running == 0
            with pytest.raises(Busy):
                await again.begin("one", LEGS, SOUNDING)
    assert {(e["call_id"], e["interrupted"]) for e in log if e["event"] == "call_left_over"} == {
        ("one", True),
        ("over", False),
    }
    assert kafka.steps("one") == ["started", "held", "interrupted", "ended"]
    assert kafka.steps("over") == ["started", "ended"]
    agent = kafka.chunks("one", "agent")
    assert_whole(agent, 300_000)
    assert (kafka.chunks("one", "caller")[0].last, agent[-1].payload) == (True, b"")
    ended = [event for event in kafka.events if isinstance(event, CallEvent) and event.call_id == "one"][-1]
    assert ended.at_ms == agent[-2].at_ms  # when it was last heard of, not when the door came back


async def test_what_kafka_has_of_a_killed_door_is_not_sent_again(kafka: Memory, tmp_path: Path) -> None:
    """Though it stands in its journal still: only what was kept since, and the end."""
    async with line(kafka, tmp_path / "a") as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(20_000))
        await until(lambda: len(kafka.events) == 11)
        kafka.hanging.clear()
        await call.hear("caller", counted(4_000, 20_000))
        killed(tmp_path / "a", tmp_path / "b")
    kafka.hanging.set()
    async with line(kafka, tmp_path / "b") as again:
        await until(lambda: again.left == 0)
    assert kafka.steps("one") == ["started", "interrupted", "ended"]
    assert b"".join(chunk.payload for chunk in kafka.chunks("one", "caller")) == counted(24_000)
    assert len({event.event_id for event in kafka.events}) == len(kafka.events)


async def test_a_call_left_over_twice_ends_once(kafka: Memory, tmp_path: Path) -> None:
    """Killed again while it sends: the ids are the same, and `interrupted` is said once."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path / "a") as door:
        await (await door.begin("one", LEGS, SOUNDING)).hear("agent", counted(5_000))
        killed(tmp_path / "a", tmp_path / "b")
    async with line(kafka, tmp_path / "b") as door:
        await asyncio.sleep(0)
        killed(tmp_path / "b", tmp_path / "c")
    async with line(kafka, tmp_path / "c") as door:
        kafka.hanging.set()
        await until(lambda: door.left == 0)
    assert kafka.steps("one") == ["started", "interrupted", "ended"]
    assert_whole(kafka.chunks("one", "agent"), 4_000)
    assert len({event.event_id for event in kafka.events}) == len(kafka.events)


async def test_a_stopped_door_leaves_what_it_could_not_send(kafka: Memory, tmp_path: Path) -> None:
    """It ends the calls that run, waits a while, says how many are left, and the next one sends them."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path) as door:
        call = await door.begin("one", ["caller"], SOUNDING)
        await call.hear("caller", counted(3_000))
    assert (door.left, call.over) == (1, True)
    with pytest.raises(Busy) as refused:
        await door.begin("two", ["caller"], SOUNDING)
    assert refused.value.reason == "stopping"
    kafka.hanging.set()
    async with line(kafka, tmp_path) as again:
        await until(lambda: again.left == 0)
    assert kafka.steps("one") == ["started", "interrupted", "ended"]
    assert_whole(kafka.chunks("one", "caller"), 3_000)


async def test_a_door_that_is_cancelled_does_not_wait(kafka: Memory, tmp_path: Path) -> None:
    """The second signal: what is in hand is in the spool."""
    kafka.hanging.clear()
    door = Line(kafka, "door", Spool(tmp_path), leave_within_s=60)
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5), door:
            await (await door.begin("one", ["caller"], SOUNDING)).hear("caller", counted(3_000))
            raise asyncio.CancelledError
    assert door.left == 1


async def test_a_spool_is_one_process_s_and_one_door_s(kafka: Memory, tmp_path: Path) -> None:
    """Two would send each other's calls."""
    async with line(kafka, tmp_path):
        with pytest.raises(InputError, match="another process works with this spool"):
            Spool(tmp_path).open("door")
    with pytest.raises(InputError, match="is the spool of door door; give plain one of its own"):
        Spool(tmp_path).open("plain")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be written"):
        Spool(tmp_path / "file" / "spool").open("door")
    with pytest.raises(InputError, match="too small"):
        Spool(tmp_path, 1_000)


async def test_a_journal_of_another_form_is_left_alone(kafka: Memory, tmp_path: Path) -> None:
    """A newer release wrote it: told, not sent, not deleted."""
    kafka.hanging.clear()
    async with line(kafka, tmp_path) as door:
        await door.begin("one", ["caller"], SOUNDING)
    [file] = segments(tmp_path)
    found, _ = entries(file.read_bytes())
    newer = b"".join(map(framed, [found[0].replace(b'"form":1', b'"form":2'), *found[1:]]))
    file.write_bytes(newer)
    with structlog.testing.capture_logs() as log:
        async with line(kafka, tmp_path) as door:
            assert door.left == 0
    assert [entry["event"] for entry in log] == ["journal_not_ours"]
    assert file.read_bytes() == newer
