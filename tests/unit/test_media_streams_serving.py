"""Streams over real WebSockets: what a platform does, and which events come of it."""

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from producers import media_streams
from producers.line import TOLD_S
from producers.media_streams import calls
from schemas.records import CallEvent
from tests.clients.media_stream import Platform, dial
from tests.clients.ringing import Door, ringing
from tests.until import until

REJOIN_S = 0.6
NAME = "media_streams"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    serve = functools.partial(media_streams.serve, rejoin_s=REJOIN_S)
    async with ringing(serve, tmp_path, name=NAME) as open_door:
        yield open_door


def noise(seconds: float, seed: int = 0) -> bytes:
    """µ-law of which no frame is like another."""
    return np.random.default_rng(seed).bytes(round(seconds * 8_000))


async def running(door: Door, calls: int) -> None:
    await until(lambda: door.line.running == calls, limit_s=20)


async def heard(door: Door, platform: Platform, channel: str, chunks: int) -> None:
    await until(lambda: len(door.kept.chunks(platform.call_sid, channel)) >= chunks, limit_s=20)


async def test_one_stream_is_a_call_with_two_legs(door: Door) -> None:
    """What each track carried comes out bit for bit, in chunks of one count, with one `last` each."""
    said = {"inbound": noise(2.1, 1), "outbound": noise(1.3, 2)}
    async with dial(door.address) as platform:
        await platform.start()
        await platform.speak(said)
        assert await platform.stop() == 1000
    assert await door.kept.ended(platform.call_sid) == ["started", "ended"]
    for track, channel in (("inbound", "caller"), ("outbound", "agent")):
        chunks = door.kept.chunks(platform.call_sid, channel)
        assert b"".join(chunk.payload for chunk in chunks) == said[track]
        assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
        assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        assert {(chunk.channels, chunk.sample_rate_hz, chunk.codec) for chunk in chunks} == {(2, 8_000, "mulaw")}


async def test_one_track_is_a_call_with_one_leg(door: Door) -> None:
    """Nobody waits for an agent who was not announced."""
    async with dial(door.address) as platform:
        await platform.start(tracks=("inbound",))
        await platform.speak({"inbound": noise(0.3)})
        await platform.stop()
    await door.kept.ended(platform.call_sid)
    assert {chunk.channels for chunk in door.kept.chunks(platform.call_sid, "caller")} == {1}


async def test_who_speaks_on_which_track_can_be_turned_round(tmp_path: Path) -> None:
    """Where the platform's party is the counsellor."""
    serve = functools.partial(media_streams.serve, agent_first=True)
    async with ringing(serve, tmp_path, name=NAME) as door, dial(door.address) as platform:
        await platform.start()
        await platform.speak({"inbound": noise(0.3)})
        await platform.stop()
        await door.kept.ended(platform.call_sid)
        assert door.kept.audio(platform.call_sid, "agent") == noise(0.3)


async def test_the_custom_parameters_are_the_call_s_attributes(door: Door) -> None:
    """With the integrator's call_id; the platform's own can still be found."""
    async with dial(door.address) as platform:
        await platform.start(parameters={"call_id": "case-7", "queue": "child", "language": "sw"})
        await platform.stop()
    await door.kept.ended("case-7")
    [started] = [one for one in door.kept.events if isinstance(one, CallEvent) and one.type == "started"]
    given = {"call_sid": platform.call_sid, "queue": "child", "language": "sw"}
    assert started.attributes == {**given, "mode": "realtime"}
    assert (started.source, started.medium) == (NAME, "phone")


async def test_silence_that_was_not_sent_is_a_hole(door: Door) -> None:
    """The legs stay side by side: the positions are those of the timestamps."""
    async with dial(door.address) as platform:
        await platform.start()
        await platform.speak({"inbound": noise(0.5, 1)})
        await platform.speak({"inbound": noise(0.5, 2), "outbound": noise(0.5, 3)}, from_ms=4_000)
        await platform.stop()
    await door.kept.ended(platform.call_sid)
    for channel, ends in (("caller", [0, 4_500 * 8]), ("agent", [4_500 * 8])):
        chunks = door.kept.chunks(platform.call_sid, channel)
        assert chunks[-1].start_sample + len(chunks[-1].payload) == ends[-1]
        sizes = [b.start_sample - a.start_sample - len(a.payload) for a, b in itertools.pairwise(chunks)]
        holes = [size for size in [chunks[0].start_sample, *sizes] if size]
        assert holes == ([3_500 * 8] if channel == "caller" else [4_000 * 8])


async def test_what_a_leg_said_before_it_went_quiet_is_told(door: Door) -> None:
    """A platform that sends no silence: after a second the caller's last words are on their way, with where the hole
    begins. Once; and what comes next stands where its timestamp says."""
    async with dial(door.address) as platform:
        await platform.start()
        await platform.speak({"inbound": noise(0.6, 1), "outbound": noise(0.6, 2)})
        await asyncio.sleep(1.05)  # the door measures this on the clock
        await platform.speak({"outbound": noise(3.0, 3)}, from_ms=600)
        await heard(door, platform, "caller", 4)
        told = [(one.start_sample, len(one.payload)) for one in door.kept.chunks(platform.call_sid, "caller")]
        await platform.speak({"inbound": noise(0.5, 4)}, from_ms=3_600)
        assert await platform.stop() == 1000
    await door.kept.ended(platform.call_sid)
    *before, (beyond, size) = told
    assert before == [(0, 2_000), (2_000, 2_000), (4_000, 800)]
    assert size == 0
    assert beyond == 4_800 + TOLD_S * 8_000
    assert door.kept.chunks(platform.call_sid, "caller")[4].start_sample == 3_600 * 8
    assert door.kept.audio(platform.call_sid, "caller") == noise(0.6, 1) + noise(0.5, 4)


async def test_frames_out_of_order_and_doubled_are_put_right(door: Door) -> None:
    """What comes out is what was said."""
    said = noise(0.4)
    frames = [said[start : start + 160] for start in range(0, len(said), 160)]
    async with dial(door.address) as platform:
        await platform.start()
        for number in (0, 2, 1, 1, 4, 3, 3, 6, 5, 7, *range(8, len(frames)), 9):
            await platform.media("inbound", frames[number], 20 * number, number + 1)
        await platform.stop()
    await door.kept.ended(platform.call_sid)
    assert door.kept.audio(platform.call_sid, "caller") == said


async def test_what_waits_for_a_frame_that_never_comes_is_heard_at_the_end(door: Door) -> None:
    """After a hole."""
    async with dial(door.address) as platform:
        await platform.start()
        await platform.media("inbound", noise(0.02, 1), 0, chunk=1)
        await platform.media("inbound", noise(0.02, 3), 40, chunk=3)
        await platform.stop()
    await door.kept.ended(platform.call_sid)
    chunks = door.kept.chunks(platform.call_sid, "caller")
    assert [(one.start_sample, one.payload) for one in chunks] == [(0, noise(0.02, 1)), (320, noise(0.02, 3))]


async def test_keys_marks_and_unknown_events_are_passed_over(door: Door) -> None:
    """No digit is in any log line or event: it may be a PIN."""
    with capture_logs() as logs:
        async with dial(door.address) as platform:
            await platform.start()
            for digit in "48151623":
                await platform.press(digit)
            await platform.mark("m")
            await platform.send("clear", sequenceNumber="77")
            await platform.speak({"inbound": noise(0.3)})
            assert await platform.stop() == 1000
        await door.kept.ended(platform.call_sid)
    assert door.kept.audio(platform.call_sid, "caller") == noise(0.3)
    assert not any("dtmf" in str(one) or "digit" in str(one) for one in [*logs, *door.kept.events])


async def test_a_spoilt_message_costs_its_own_audio_only(door: Door) -> None:
    """It becomes a hole; the call goes on."""
    async with dial(door.address) as platform:
        await platform.start()
        await platform.media("inbound", noise(0.02, 1), 0)
        await platform.socket.send_str('{"event":"media","media":{"payload":"@@@"}}')
        await platform.socket.send_bytes(b"\x00\x01")
        await platform.media("inbound", noise(0.02, 2), 1_000, chunk=3)
        assert await platform.stop() == 1000
    await door.kept.ended(platform.call_sid)
    assert door.kept.audio(platform.call_sid, "caller") == noise(0.02, 1) + noise(0.02, 2)


@pytest.mark.parametrize("how", ["cut", "close"])
async def test_a_socket_that_breaks_without_stop_interrupts_the_call(door: Door, how: str) -> None:
    """Once nobody has come back for it; what was heard is kept."""
    async with dial(door.address) as platform:
        await platform.start()
        await platform.speak({"inbound": noise(0.6)})
        await heard(door, platform, "caller", 2)
        if how == "cut":
            platform.cut()
        else:
            await platform.socket.close()
    assert await door.kept.ended(platform.call_sid) == ["started", "interrupted", "ended"]
    assert door.kept.audio(platform.call_sid, "caller") == noise(0.6)


@pytest.mark.parametrize("same_stream", [True, False])
async def test_who_comes_back_in_time_goes_on_with_the_call(door: Door, same_stream: bool) -> None:
    """One call, one count of chunks; what was missed is a hole."""
    async with dial(door.address) as first:
        await first.start()
        await first.speak({"inbound": noise(0.5, 1), "outbound": noise(0.5, 2)})
        await heard(door, first, "agent", 2)
        first.cut()
    goes_on = first if same_stream else None
    async with dial(door.address, call_sid=first.call_sid, resumes=goes_on) as second:
        await second.start()
        again = {"inbound": noise(0.5, 3), "outbound": noise(0.5, 4)}
        await second.speak(again, from_ms=1_000 if same_stream else 0)
        assert await second.stop() == 1000
    assert await door.kept.ended(first.call_sid) == ["started", "ended"]
    assert door.kept.audio(first.call_sid, "caller") == noise(0.5, 1) + noise(0.5, 3)
    assert door.kept.audio(first.call_sid, "agent") == noise(0.5, 2) + noise(0.5, 4)
    ends = [door.kept.chunks(first.call_sid, channel)[-1] for channel in ("caller", "agent")]
    caller, agent = (chunk.start_sample + len(chunk.payload) for chunk in ends)
    assert caller == agent
    assert caller == 12_000 if same_stream else 8_000 < caller < 8_000 * 20


async def test_a_call_that_was_fetched_is_no_longer_waited_for(tmp_path: Path) -> None:
    """Or the time of its first break would end it after a second one."""
    serve = functools.partial(media_streams.serve, rejoin_s=3_600)
    async with ringing(serve, tmp_path, name=NAME) as door:

        def waiting() -> list[str]:
            names = [task.get_name() for task in asyncio.all_tasks()]
            return [name for name in names if name.startswith("rejoin")]

        async with dial(door.address) as first:
            await first.start()
            await running(door, 1)
            first.cut()
        await until(lambda: waiting() == [f"rejoin {first.call_sid}"])
        async with dial(door.address, resumes=first) as second:
            await second.start()
            await second.speak({"inbound": noise(0.3)})
            await heard(door, second, "caller", 1)
            assert waiting() == []
            assert await second.stop() == 1000


async def test_who_comes_back_too_late_is_refused(door: Door) -> None:
    """The call is over; its id is used up."""
    async with dial(door.address) as first:
        await first.start()
        first.cut()
    await door.kept.ended(first.call_sid)
    async with dial(door.address, call_sid=first.call_sid) as second:
        await second.start()
        assert await second.closed() == 1008


async def test_the_same_stream_takes_its_call_over(door: Door) -> None:
    """The first connection hangs half open; the platform does not wait for it to be found out."""
    async with dial(door.address) as first:
        await first.start()
        await first.speak({"inbound": noise(0.5, 1)})
        await heard(door, first, "caller", 2)
        async with dial(door.address, resumes=first) as second:
            await second.start()
            assert await first.closed() == 1008
            await second.speak({"inbound": noise(0.5, 2)}, from_ms=500)
            await second.stop()
    assert await door.kept.ended(first.call_sid) == ["started", "ended"]
    assert door.kept.audio(first.call_sid, "caller") == noise(0.5, 1) + noise(0.5, 2)


async def test_another_stream_of_a_call_that_runs_is_refused(door: Door) -> None:
    """One stream carries both tracks: mixing two would make nonsense of both."""
    async with dial(door.address) as first:
        await first.start()
        await first.media("inbound", noise(0.02), 0)
        await running(door, 1)
        async with dial(door.address, call_sid=first.call_sid) as second:
            await second.start()
            assert await second.closed() == 1008
        await first.media("inbound", noise(0.02, 1), 20)
        assert await first.stop() == 1000
    await door.kept.ended(first.call_sid)
    assert door.kept.audio(first.call_sid, "caller") == noise(0.02) + noise(0.02, 1)


async def test_another_stream_takes_over_from_one_that_went_quiet(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half open, and the platform names its new stream otherwise."""
    monkeypatch.setattr(calls, "QUIET_S", 0.05)
    async with dial(door.address) as first:
        await first.start()
        await first.media("inbound", noise(0.02), 0)
        await running(door, 1)
        await asyncio.sleep(0.1)  # what is tested: that it is quiet for so long
        async with dial(door.address, call_sid=first.call_sid) as second:
            await second.start()
            assert await first.closed() == 1008
            await second.media("inbound", noise(0.02, 1), 0)
            assert await second.stop() == 1000
    assert await door.kept.ended(first.call_sid) == ["started", "ended"]


async def test_a_door_that_stops_ends_its_calls_as_interrupted(tmp_path: Path) -> None:
    """Those that run, told 1001, and those that wait for somebody to come back."""
    serve = functools.partial(media_streams.serve, rejoin_s=3_600)
    async with ringing(serve, tmp_path, name=NAME) as door:
        async with dial(door.address) as waiting:
            await waiting.start()
            await running(door, 1)
            waiting.cut()
        async with dial(door.address) as platform:
            await platform.start()
            await platform.speak({"inbound": noise(0.3)})
            await heard(door, platform, "caller", 1)
            door.stopping.set()
            assert await platform.closed() == 1001
        for call_id in (platform.call_sid, waiting.call_sid):
            assert await door.kept.ended(call_id) == ["started", "interrupted", "ended"]
        assert door.kept.audio(platform.call_sid, "caller") == noise(0.3)


async def test_several_calls_at_once_are_kept_apart(door: Door) -> None:
    """Each with its own audio."""

    async def call(seed: int) -> str:
        async with dial(door.address) as platform:
            await platform.start()
            await platform.speak({"inbound": noise(0.7, seed), "outbound": noise(0.7, -seed % 1_000)})
            await platform.stop()
        return platform.call_sid

    ids = await asyncio.gather(*map(call, range(1, 9)))
    for seed, call_id in enumerate(ids, 1):
        await door.kept.ended(call_id)
        assert door.kept.audio(call_id, "caller") == noise(0.7, seed)
        assert door.kept.audio(call_id, "agent") == noise(0.7, -seed % 1_000)
