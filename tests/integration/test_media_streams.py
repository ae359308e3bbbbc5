"""A real call through the WebSocket door, Kafka and the model: word for word what `callbus play` gives."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext

from callbus.kafka import Connection
from callbus.publisher import Publisher
from callbus.subscriber import subscribe
from consumers import transcription
from consumers.transcription import Transcription
from consumers.transcription.codecs import decode
from producers import media_streams
from producers.player import Play, events
from producers.player.files import AudioCall
from schemas.records import AudioChunk, CallEvent, Speaker
from tests import sounds
from tests.clients.media_stream import dial, mulaw
from tests.clients.ringing import FAST, ringing
from tests.integration.applied import applied
from tests.integration.working import CODEC, TOPOLOGY
from tests.sounds import Samples

CALL = "maintenance_custody"
TOKEN = "correct-horse-battery"  # noqa: S105 -- of this test
TRACKS: dict[Speaker, str] = {"agent": "outbound", "caller": "inbound"}


def from_mulaw(coded: bytes) -> Samples:
    """By FFmpeg: independent of how transcription does it."""
    decoder = AudioCodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate, decoder.layout = 8_000, "mono"
    frames = decoder.decode(av.Packet(coded))
    samples: Samples = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.int16)
    return samples


async def published(connection: Connection, call_id: str) -> tuple[list[str], list[AudioChunk]]:
    """A call's steps and chunks as a subscriber reads them."""
    async with subscribe(connection, CODEC, ["call-events", "call-audio"], "beginning") as topics:
        records = [one.record async for one in topics.until_end() if one.call_id == call_id]
    steps: list[str] = [one.type for one in records if isinstance(one, CallEvent)]
    return steps, [one for one in records if isinstance(one, AudioChunk)]


def said(consumer: Transcription, chunks: Sequence[AudioChunk]) -> list[tuple[object, ...]]:
    """What transcription makes of a call's chunks: everything but ids and times of publishing."""
    utterances, _ = sounds.play(consumer, chunks, slice_size=64)
    return [(one.kind, one.speaker, one.start_ms, one.end_ms, one.text, one.words) for one in utterances]


@pytest.mark.broker
@pytest.mark.model
async def test_a_call_through_the_door_is_the_call_that_was_played(broker: str, tmp_path: Path) -> None:
    """Both tracks faster than real time, with a token; the same samples on Kafka, and the same words."""
    connection = Connection(broker)
    await applied(connection, TOPOLOGY)
    samples, rate_hz = sounds.sample(CALL)
    coded = {speaker: mulaw(row) for speaker, row in zip(TRACKS, samples, strict=True)}
    serve = functools.partial(media_streams.serve, token=TOKEN)
    async with (
        Publisher(connection, CODEC, TOPOLOGY.producers["media_streams"]) as kafka,
        ringing(serve, tmp_path, FAST, publisher=kafka, name="media_streams") as door,
        dial(door.address) as platform,
    ):
        await platform.start(parameters={"token": TOKEN, "queue": "child"})
        await platform.speak({TRACKS[speaker]: audio for speaker, audio in coded.items()})
        assert await platform.stop() == 1000
    steps, chunks = await published(connection, platform.call_sid)
    assert steps == ["started", "ended"]
    for speaker, audio in coded.items():
        mine = [chunk for chunk in chunks if chunk.channel == speaker]
        assert [chunk.sequence for chunk in mine] == list(range(len(mine)))
        assert np.array_equal(np.concatenate([decode(chunk) for chunk in mine]), from_mulaw(audio))
    heard = AudioCall(
        path=sounds.SAMPLES / f"{CALL}.flac",
        channels=tuple(TRACKS),
        samples=np.stack([from_mulaw(audio) for audio in coded.values()]),
        sample_rate_hz=rate_hz,
        sha256="",
    )
    play = Play(path=heard.path, call_id=platform.call_sid)
    played = [due.record for due in events(play, heard) if isinstance(due.record, AudioChunk)]
    consumer = transcription.load(replace(sounds.whisper(), options={"partials": None}))
    words = said(consumer, chunks)
    assert sum(len(str(text).split()) for *_, text, _ in words) > 60
    assert words == said(consumer, played)
