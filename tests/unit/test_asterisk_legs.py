"""The two legs of a call over AudioSocket: side by side, one after another, alone."""

from uuid import UUID

from structlog.testing import capture_logs

from producers.asterisk.protocol import HANG_UP_FRAME
from tests.clients.audiosocket import Leg
from tests.clients.ringing import Door
from tests.unit.test_asterisk_serving import RATE_HZ, call_id, door, heard, noise
from tests.until import until

__all__ = ["call_id", "door"]


async def test_a_leg_that_joins_late_starts_where_the_call_is(door: Door, call_id: UUID) -> None:
    """So what the agent says stands beside what the caller says at that time."""
    caller = await Leg.of(call_id, door.address)
    await caller.speak(noise(3.0))
    await heard(door, call_id, "caller", 12)
    agent = await Leg.of(call_id, door.address)
    await agent.speak(noise(1.0, 1))
    await agent.hang_up()
    await caller.hang_up()
    await door.kept.ended(call_id)
    first = door.kept.chunks(str(call_id), "agent")[0]
    assert (first.start_sample, first.sequence) == (3 * RATE_HZ, 0)


async def test_one_agent_follows_another(door: Door, call_id: UUID) -> None:
    """A caller who is passed on: the next connection takes the agent's place, where the call is by then."""
    caller = await Leg.of(call_id, door.address)
    await caller.speak(noise(0.5))
    await heard(door, call_id, "caller", 2)
    with capture_logs() as logs:
        first = await Leg.of(call_id, door.address)
        await first.speak(noise(0.5, 1))
        await first.hang_up()
        await until(lambda: [entry for entry in logs if entry["event"] == "leg_left"])
    await caller.speak(noise(2.0, 2))
    await heard(door, call_id, "caller", 10)
    second = await Leg.of(call_id, door.address)
    await second.speak(noise(0.5, 3))
    await second.hang_up()
    await caller.hang_up()
    assert await door.kept.ended(call_id) == ["started", "ended"]
    assert door.kept.audio(call_id, "agent") == noise(0.5, 1) + noise(0.5, 3)


async def test_an_agent_left_alone_is_hung_up_on(door: Door, call_id: UUID) -> None:
    """A leg that an exchange forgot must not be heard for ever: 60 s of audio after the caller's end, the call's."""
    caller = await Leg.of(call_id, door.address)
    await caller.speak(noise(0.25))
    await heard(door, call_id, "caller", 1)
    agent = await Leg.of(call_id, door.address)
    await agent.speak(noise(0.25))
    await caller.hang_up()
    await agent.speak(noise(61))
    assert await agent.said() == HANG_UP_FRAME
    assert await door.kept.ended(call_id) == ["started", "ended"]
    assert len(door.kept.audio(call_id, "agent")) < 2 * 62 * RATE_HZ


async def test_a_third_leg_is_hung_up_on(door: Door, call_id: UUID) -> None:
    """A call has two legs; the others hear nothing of it."""
    legs = [await Leg.of(call_id, door.address) for _ in range(2)]
    for leg in legs:
        await leg.speak(noise(0.25))
    await until(lambda: all(door.kept.chunks(str(call_id), channel) for channel in ("caller", "agent")))
    third = await Leg.of(call_id, door.address)
    assert await third.said() == HANG_UP_FRAME
    for leg in legs:
        await leg.hang_up()
    assert await door.kept.ended(call_id) == ["started", "ended"]


async def test_a_leg_of_another_rate_is_refused(door: Door, call_id: UUID) -> None:
    """The one that was there first goes on."""
    caller = await Leg.of(call_id, door.address)
    await caller.speak(noise(0.25))
    await heard(door, call_id, "caller", 1)
    agent = await Leg.of(call_id, door.address)
    with capture_logs() as logs:
        await agent.speak(noise(0.02, rate_hz=16_000), 16_000)
        await until(lambda: any("both legs of a call need the same" in entry.get("problem", "") for entry in logs))
    await caller.speak(noise(0.25, 1))
    await caller.hang_up()
    assert await door.kept.ended(call_id) == ["started", "ended"]
    assert door.kept.audio(call_id, "caller") == noise(0.25) + noise(0.25, 1)
