"""A door's line, a Kafka in memory for it, and sound in which every sample can be told from the others."""

import asyncio
import struct
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from prometheus_client import REGISTRY

from callbus.errors import BrokerError
from producers.line import Line, Sounding, Spool
from producers.line.events import Event
from schemas.records import AudioChunk, CallEvent, Recording, Speaker

TOPICS = {CallEvent: "call-events", AudioChunk: "call-audio", Recording: "call-recordings"}
SOUNDING = Sounding(codec="pcm_s16le", rate_hz=8_000)
LEGS: tuple[Speaker, ...] = ("agent", "caller")


def counted(samples: int, start: int = 0) -> bytes:
    """Samples whose values are their positions (of 15 bits)."""
    return struct.pack(f"<{samples}h", *((start + n) % 32_768 for n in range(samples)))


class Memory:
    """Takes what is published, in order; away while `away` is set. It does not lose, double, or reorder."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False
        self.refusing: BrokerError | None = None
        self.hanging = asyncio.Event()
        self.hanging.set()

    async def publish(self, topic: str, record: Event) -> None:
        await self.hanging.wait()
        if self.away:
            raise BrokerError("away")
        assert topic == TOPICS[type(record)]
        self.events.append(record)

    def steps(self, call_id: str) -> list[str]:
        """The types of its CallEvents, doubles once."""
        found = {e.event_id: e.type for e in self.events if e.call_id == call_id and isinstance(e, CallEvent)}
        return list(found.values())

    def recordings(self, call_id: str) -> list[Recording]:
        """Its recordings, doubles once; doubles must be the same."""
        found: dict[str, Recording] = {}
        for event in self.events:
            if isinstance(event, Recording) and event.call_id == call_id:
                assert found.setdefault(event.event_id, event) == event
        return list(found.values())

    def chunks(self, call_id: str, leg: str) -> list[AudioChunk]:
        return chunks_of(self.events, call_id, leg)


def line(kafka: Memory, folder: Path, *, limit_bytes: int = 1 << 30, most_calls: int = 100) -> Line:
    return Line(kafka, "door", Spool(folder, limit_bytes), most_calls=most_calls, leave_within_s=0.3)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"callbus_door_{name}", {"door": "door", **labels}) or 0.0


def chunks_of(events: Sequence[Event], call_id: str, leg: str) -> list[AudioChunk]:
    """The leg's chunks as they came, doubles once; doubles must be the same."""
    found: dict[str, AudioChunk] = {}
    for event in events:
        if isinstance(event, AudioChunk) and (event.call_id, event.channel) == (call_id, leg):
            assert found.setdefault(event.event_id, event) == event
    return list(found.values())


def assert_whole(chunks: Sequence[AudioChunk], samples: int) -> None:
    """Sequences without gaps, no hole, `last` on the last one alone, and every sample in its place."""
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert b"".join(chunk.payload for chunk in chunks) == counted(samples)
    end_samples = accumulate((len(chunk.payload) // 2 for chunk in chunks), initial=0)
    assert [chunk.start_sample for chunk in chunks] == list(end_samples)[:-1]


def assert_placed(chunks: Sequence[AudioChunk]) -> None:
    """Each chunk's samples are those of its position, and none begins before the end of the one before."""
    end = 0
    for chunk in chunks:
        samples = len(chunk.payload) // 2
        assert chunk.start_sample >= end
        assert chunk.payload == counted(samples, chunk.start_sample)
        end = chunk.start_sample + samples
