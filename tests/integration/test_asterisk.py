"""The telephone doors on a real Kafka: what an exchange plays in comes out bit for bit, and word for word."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.subscriber import Subscription, subscribe
from consumers.transcription import load
from producers import asterisk, player
from producers.asterisk import plain
from schemas.records import AudioChunk, CallEvent, Utterance
from tests import sounds
from tests.clients import plain as plain_client
from tests.clients.audiosocket import Leg
from tests.clients.ringing import ringing
from tests.integration.applied import applied
from tests.integration.working import CODEC, TOPOLOGY
from tests.until import until

pytestmark = pytest.mark.broker

CALL = "maintenance_custody"


@pytest.fixture
async def kafka(broker: str) -> AsyncIterator[Connection]:
    connection = Connection(broker)
    await applied(connection, TOPOLOGY)
    yield connection


async def until_ended(events: Subscription, call_id: str) -> list[Any]:
    """Everything of this call, up to its end."""
    found: list[Any] = []
    async with asyncio.timeout(60):
        while not any(isinstance(one, CallEvent) and one.type == "ended" for one in found):
            found += [each.record for each in await events.next() if each.call_id == call_id]
        while missing_last(found):  # another topic is read beside that of the end
            found += [each.record for each in await events.next() if each.call_id == call_id]
    return found


def missing_last(found: Sequence[Any]) -> bool:
    chunks = [one for one in found if isinstance(one, AudioChunk)]
    return not chunks or sum(chunk.last for chunk in chunks) < chunks[0].channels


def of(found: Sequence[Any], channel: str) -> list[AudioChunk]:
    return [one for one in found if isinstance(one, AudioChunk) and one.channel == channel]


async def through_audiosocket(kafka: Connection, folder: Path) -> list[Any]:
    """The sample call as an exchange sends it, two legs side by side, as fast as the door takes it."""
    samples, rate_hz = sounds.sample(CALL)
    call_id = uuid.uuid4()
    agent_said, caller_said = (row.astype(np.dtype("<i2")).tobytes() for row in samples)
    async with (
        Publisher(kafka, CODEC, TOPOLOGY.producers["asterisk"]) as publisher,
        ringing(asterisk.serve, folder, publisher=publisher) as door,
        subscribe(kafka, CODEC, ("call-audio", "call-events")) as events,
    ):
        legs: list[Leg] = []
        with capture_logs() as logs:  # which leg a connection is goes by their order
            for joined in (1, 2):
                legs.append(await Leg.of(call_id, door.address))
                await until(lambda joined=joined: sum(one["event"] == "leg_joined" for one in logs) == joined)  # type: ignore[misc]
        caller, agent = legs
        await asyncio.gather(caller.speak(caller_said, rate_hz), agent.speak(agent_said, rate_hz))
        await asyncio.gather(caller.hang_up(), agent.hang_up())
        return await until_ended(events, str(call_id))


async def through_the_player(kafka: Connection) -> list[Any]:
    """The same call by `callbus play`."""
    plays = [player.Play(path=sounds.SAMPLES / f"{CALL}.flac").named()]
    async with (
        Publisher(kafka, CODEC, TOPOLOGY.producers["player"]) as publisher,
        subscribe(kafka, CODEC, ("call-audio", "call-events")) as events,
    ):
        await player.play(publisher, plays, float("inf"))
        return await until_ended(events, plays[0].call_id)


async def test_a_call_comes_out_bit_for_bit(kafka: Connection, tmp_path: Path) -> None:
    """Both legs of the sample call, through a socket and through Kafka: every sample, in its place."""
    found = await through_audiosocket(kafka, tmp_path)
    samples, rate_hz = sounds.sample(CALL)
    assert [one.type for one in found if isinstance(one, CallEvent)] == ["started", "ended"]
    for channel, row in zip(("agent", "caller"), samples, strict=True):
        chunks = of(found, channel)
        assert b"".join(chunk.payload for chunk in chunks) == row.astype(np.dtype("<i2")).tobytes()
        assert [chunk.start_sample for chunk in chunks] == list(range(0, len(row), rate_hz // 4))
        assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
        assert {(chunk.channels, chunk.sample_rate_hz) for chunk in chunks} == {(2, rate_hz)}


@pytest.mark.model
@pytest.mark.slow
async def test_words_are_those_of_the_player(kafka: Connection, tmp_path: Path) -> None:
    """Word for word and millisecond for millisecond: transcription can't tell the door from `callbus play`."""
    consumer = load(sounds.whisper())
    said = [
        await asyncio.to_thread(words, consumer, [one for one in found if isinstance(one, AudioChunk)])
        for found in (await through_audiosocket(kafka, tmp_path), await through_the_player(kafka))
    ]
    assert said[0] == said[1]
    assert sum(len(spoken) for *_, spoken in said[0]) > 50


def words(consumer: Any, chunks: Sequence[AudioChunk]) -> list[tuple[Any, ...]]:
    """What was said: who, when, what, and each word with its time."""
    said, _ = sounds.play(consumer, chunks)
    heard = [one for one in said if isinstance(one, Utterance) and one.kind == "speech"]
    return sorted((one.start_ms, one.speaker, one.end_ms, one.text, one.words) for one in heard)


async def test_the_plain_form_comes_out_bit_for_bit(kafka: Connection, tmp_path: Path) -> None:
    """The older form, of one leg at 16 kHz."""
    call_id = f"plain-{uuid.uuid4().hex}"
    said = np.random.default_rng(1).integers(-(2**15), 2**15, 16_000 * 3 + 77, np.dtype("<i2")).tobytes()
    async with (
        Publisher(kafka, CODEC, TOPOLOGY.producers["plain"]) as publisher,
        ringing(plain.serve, tmp_path, publisher=publisher, name="plain") as door,
        subscribe(kafka, CODEC, ("call-audio", "call-events")) as events,
    ):
        await plain_client.play(door.address, call_id, said)
        found = await until_ended(events, call_id)
    assert [one.type for one in found if isinstance(one, CallEvent)] == ["started", "ended"]
    assert b"".join(chunk.payload for chunk in of(found, "unknown")) == said
