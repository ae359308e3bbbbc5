"""Calls in the plain form over real sockets."""

from pathlib import Path

import pytest

from producers.asterisk import plain
from tests.clients import plain as plain_client
from tests.clients.audiosocket import Leg
from tests.clients.ringing import ringing
from tests.unit.test_asterisk_serving import noise
from tests.until import until


@pytest.mark.parametrize("line_end", [b"\r", b"\n"])
async def test_the_plain_form_is_a_call_of_one_leg(tmp_path: Path, line_end: bytes) -> None:
    """Named by its first line, at 16 kHz, of a speaker that is not known; it ends when the connection closes."""
    async with ringing(plain.serve, tmp_path, name="plain") as door:
        await plain_client.play(door.address, "1723456789.12", noise(1.1, rate_hz=16_000), line_end)
        assert await door.kept.ended("1723456789.12") == ["started", "ended"]
        chunks = door.kept.chunks("1723456789.12", "unknown")
        assert b"".join(chunk.payload for chunk in chunks) == noise(1.1, rate_hz=16_000)
        assert {(chunk.channels, chunk.sample_rate_hz) for chunk in chunks} == {(1, 16_000)}


async def test_a_plain_call_that_is_reset_is_interrupted(tmp_path: Path) -> None:
    """Its close is the only hang-up there is."""
    async with ringing(plain.serve, tmp_path, name="plain") as door:
        leg = await Leg.connect(door.address)
        await leg.send(b"call-1\n" + noise(0.25, rate_hz=16_000))
        await until(lambda: door.kept.chunks("call-1", "unknown"))
        leg.reset()
        assert await door.kept.ended("call-1") == ["started", "interrupted", "ended"]
