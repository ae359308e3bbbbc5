"""Calls over real sockets: what an exchange does, and which events come of it."""

import asyncio
import functools
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from structlog.testing import capture_logs

from callbus.errors import InputError
from producers import asterisk
from producers.asterisk import plain
from producers.asterisk.protocol import HANG_UP_FRAME
from schemas.records import AudioChunk
from tests.clients.audiosocket import Leg, packet
from tests.clients.ringing import FAST, Door, ringing
from tests.until import until

RATE_HZ = 8_000


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with ringing(asterisk.serve, tmp_path) as open_door:
        yield open_door


@pytest.fixture
def call_id() -> UUID:
    return uuid.uuid4()


def noise(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> bytes:
    """Audio of which no sample is like another's neighbour."""
    return np.random.default_rng(seed).integers(-(2**15), 2**15, round(seconds * rate_hz), np.dtype("<i2")).tobytes()


async def heard(door: Door, call_id: UUID, channel: str, chunks: int) -> None:
    """Returns once so many chunks of a leg have been published."""
    await until(lambda: len(door.kept.chunks(str(call_id), channel)) >= chunks, limit_s=20)


async def test_two_connections_are_the_legs_of_one_call(door: Door, call_id: UUID) -> None:
    """The first is the caller, the second the agent; what they said comes out bit for bit, with one `last` each."""
    said = {"caller": noise(2.1, 1), "agent": noise(1.3, 2)}
    caller = await Leg.of(call_id, door.address)
    await caller.speak(said["caller"][:320])
    await until(lambda: door.line.running == 1)
    agent = await Leg.of(call_id, door.address)
    await agent.speak(said["agent"])
    await agent.hang_up()
    await caller.speak(said["caller"][320:])
    await caller.hang_up()
    assert await door.kept.ended(call_id) == ["started", "ended"]
    for channel, audio in said.items():
        chunks = door.kept.chunks(str(call_id), channel)
        assert b"".join(chunk.payload for chunk in chunks) == audio
        assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
        assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        assert {(chunk.channels, chunk.sample_rate_hz, chunk.codec) for chunk in chunks} == {(2, RATE_HZ, "pcm_s16le")}


async def test_the_agent_may_come_first(tmp_path: Path, call_id: UUID) -> None:
    """The option turns the legs round."""
    async with ringing(functools.partial(asterisk.serve, agent_first=True), tmp_path) as door:
        leg = await Leg.of(call_id, door.address)
        await leg.speak(noise(0.3))
        await leg.hang_up()
        await door.kept.ended(call_id)
        assert door.kept.audio(call_id, "agent") == noise(0.3)


async def test_one_leg_is_a_call(door: Door, call_id: UUID) -> None:
    """The leg that never joined has one chunk, empty and the last, so that nobody waits for it."""
    leg = await Leg.of(call_id, door.address)
    await leg.speak(noise(0.6))
    await leg.hang_up()
    assert await door.kept.ended(call_id) == ["started", "ended"]
    [empty] = door.kept.chunks(str(call_id), "agent")
    assert (empty.payload, empty.last, empty.sequence) == (b"", True, 0)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
async def test_the_rate_is_that_of_the_audio(door: Door, call_id: UUID, rate_hz: int) -> None:
    """Newer exchanges send up to 48 kHz."""
    leg = await Leg.of(call_id, door.address)
    await leg.speak(noise(0.5, rate_hz=rate_hz), rate_hz)
    await leg.hang_up()
    await door.kept.ended(call_id)
    assert {chunk.sample_rate_hz for chunk in door.kept.chunks(str(call_id), "caller")} == {rate_hz}
    assert door.kept.audio(call_id, "caller") == noise(0.5, rate_hz=rate_hz)


async def test_a_rate_beyond_what_a_chunk_may_have_is_refused(door: Door, call_id: UUID) -> None:
    """192 kHz is a kind of frame, but no telephone's."""
    leg = await Leg.of(call_id, door.address)
    with capture_logs() as logs:
        await leg.speak(noise(0.1, rate_hz=192_000), 192_000)
        await leg.said()
    assert any("192000 Hz" in entry.get("problem", "") for entry in logs)
    assert door.line.running == 0


@pytest.mark.parametrize(
    ("how", "steps"),
    [
        ("hang_up", ["started", "ended"]),
        ("close", ["started", "ended"]),
        ("error 1", ["started", "ended"]),
        ("error 2", ["started", "interrupted", "ended"]),
        ("close inside a frame", ["started", "interrupted", "ended"]),
        ("reset", ["started", "interrupted", "ended"]),
        ("garbage", ["started", "interrupted", "ended"]),
    ],
)
async def test_a_call_without_a_hang_up_is_interrupted(door: Door, call_id: UUID, how: str, steps: list[str]) -> None:
    """A close between two frames is a hang-up, as Asterisk does it; all that was heard before is kept either way."""
    leg = await Leg.of(call_id, door.address)
    await leg.speak(noise(0.75))
    await heard(door, call_id, "caller", 3)
    match how:
        case "hang_up":
            await leg.hang_up()
        case "close":
            await leg.close()
        case "error 1" | "error 2":
            await leg.fail(int(how[-1]))
        case "close inside a frame":
            await leg.send(packet(0x10, bytes(320))[:-1])
            await leg.close()
        case "reset":
            leg.reset()
        case "garbage":
            await leg.send(packet(0x01, bytes(15)))
    assert await door.kept.ended(call_id) == steps
    assert door.kept.audio(call_id, "caller") == noise(0.75)


async def test_a_call_lasts_until_its_last_leg_has_gone(door: Door, call_id: UUID) -> None:
    """One leg is cut, the other goes on and hangs up: the call has ended well."""
    caller = await Leg.of(call_id, door.address)
    await caller.speak(noise(0.25))
    await heard(door, call_id, "caller", 1)
    agent = await Leg.of(call_id, door.address)
    await agent.speak(noise(0.25, 1))
    with capture_logs() as logs:
        agent.reset()
        await until(lambda: [entry for entry in logs if entry["event"] == "leg_left"])
    await caller.speak(noise(0.5, 2))
    await heard(door, call_id, "caller", 3)
    assert door.kept.steps(str(call_id)) == ["started"]
    await caller.hang_up()
    assert await door.kept.ended(call_id) == ["started", "ended"]


async def test_a_uuid_is_good_for_one_call(door: Door, call_id: UUID) -> None:
    """A second call of the same name would pass for a repetition of the first."""
    for _ in range(2):
        leg = await Leg.of(call_id, door.address)
        await leg.speak(noise(0.25))
        await leg.hang_up()
        await until(lambda: door.kept.steps(str(call_id))[-1:] == ["ended"] and door.line.left == 0)
    assert door.kept.steps(str(call_id)) == ["started", "ended"]
    assert door.kept.audio(call_id, "caller") == noise(0.25)


async def test_digits_leave_no_trace(door: Door, call_id: UUID) -> None:
    """What a caller types may be a PIN: no event, no log line, nothing but the audio."""
    with capture_logs() as logs:
        leg = await Leg.of(call_id, door.address)
        await leg.speak(noise(0.25))
        for digit in "7391#":
            await leg.press(digit)
        await leg.speak(noise(0.25, 1))
        await leg.hang_up()
        await door.kept.ended(call_id)
    assert {entry["event"] for entry in logs} == {"leg_joined", "leg_left"}
    assert [one.type for one in door.kept.events if not isinstance(one, AudioChunk)] == ["started", "ended"]
    assert door.kept.audio(call_id, "caller") == noise(0.25) + noise(0.25, 1)


async def test_frames_of_an_unknown_kind_are_passed_over(door: Door, call_id: UUID) -> None:
    """An exchange that is newer than this door; it is said once."""
    with capture_logs() as logs:
        leg = await Leg.of(call_id, door.address)
        for seed in range(3):
            await leg.send(packet(0x42, b"something new"))
            await leg.speak(noise(0.25, seed))
        await leg.hang_up()
        assert await door.kept.ended(call_id) == ["started", "ended"]
    assert [entry["kind"] for entry in logs if entry["event"] == "frames_passed_over"] == ["0x42"]
    assert len(door.kept.audio(call_id, "caller")) == 3 * 2 * RATE_HZ // 4


async def test_a_door_that_stops_hangs_up(door: Door, call_id: UUID) -> None:
    """A hang-up frame and no reset, though the exchange goes on sending: or the caller's channel would be ended."""
    leg = await Leg.of(call_id, door.address)
    await leg.speak(noise(0.5))
    await heard(door, call_id, "caller", 2)
    door.stopping.set()
    while not leg.reader.at_eof() and not leg.reader._buffer:  # type: ignore[attr-defined]
        await leg.speak(noise(0.02))
    assert await leg.reader.readexactly(3) == HANG_UP_FRAME
    await leg.close()
    assert await door.kept.ended(call_id) == ["started", "interrupted", "ended"]


async def test_a_door_that_stops_waits_for_nobody(door: Door, call_id: UUID) -> None:
    """A leg that says nothing is hung up on as soon as one that speaks, and not when it has been silent too long."""
    leg = await Leg.of(call_id, door.address)
    await leg.speak(noise(0.5))
    await heard(door, call_id, "caller", 2)
    door.stopping.set()
    async with asyncio.timeout(FAST.silent_after_s / 3):
        assert await leg.said() == HANG_UP_FRAME
    leg.reset()
    assert await door.kept.ended(call_id) == ["started", "interrupted", "ended"]


async def test_a_token_is_refused() -> None:
    """A secret that nobody asks for protects nothing: the door says so instead of starting."""
    for serve in (asterisk.serve, plain.serve):
        with pytest.raises(InputError, match="has no place for a token"):
            await serve(None, ("127.0.0.1", 0), FAST, token="x" * 20, stopping=None)  # type: ignore[arg-type]


async def test_an_address_that_is_taken_is_named(door: Door, tmp_path: Path) -> None:
    """Who starts the door reads which address it could not have."""
    with pytest.raises(
        InputError, match=rf"127.0.0.1:{door.address[1]}: can't be listened on \(Address already in use"
    ):
        await asterisk.serve(door.line, door.address, FAST, stopping=door.stopping)
