"""The callers: a process of its own that plays calls in real time until SIGTERM, then ends them and writes its journal.

`python -m tests.bench.live.player ORDER`. Says `begun` on stdout once every call runs.
"""

import asyncio
import json
import signal
import sys
import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from callbus.audio import decode_file
from callbus.kafka import Connection
from callbus.publisher import Publisher
from producers.player import Play, play
from schemas.records import AudioChunk
from tests.bench.live.journal import Journal
from tests.sounds import CALLS, SAMPLES
from tests.transcriber import CODEC, TOPOLOGY

_GOLDEN = 0.618  # turns that are nowhere near each other, however many


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is told. `files` are played over and over, one for each call that runs at a time."""

    brokers: str
    files: Sequence[str]
    journal: str
    name: str  # call ids begin with it

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Order":
        return cls(**json.loads(text))


def turned(folder: Path, count: int) -> list[Path]:
    """The sample calls as so many files, each begun elsewhere: calls that are at different places."""
    files = []
    for number in range(count):
        samples, rate_hz = decode_file(SAMPLES / f"{CALLS[number % len(CALLS)]}.flac")
        shift = round(samples.shape[1] * (number * _GOLDEN % 1))
        file = folder / f"{number:02d}.wav"
        with wave.open(str(file), "wb") as out:
            out.setparams((samples.shape[0], 2, rate_hz, 0, "NONE", "not compressed"))
            out.writeframes(np.roll(samples, -shift, axis=1).T.astype("<i2").tobytes())
        files.append(file)
    return files


@dataclass(frozen=True, slots=True)
class Noting:
    """A door that remembers when it published what."""

    door: Publisher
    journal: Journal

    async def publish(self, topic: str, record: Any) -> None:
        if isinstance(record, AudioChunk):
            self.journal.note(record)
        await self.door.publish(topic, record)


async def run(order: Order) -> None:
    """The whole process."""
    stopping, journal = asyncio.Event(), Journal()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with Publisher(Connection(order.brokers), CODEC, TOPOLOGY.producers["player"]) as door:
        noting = Noting(door, journal)
        calling = [asyncio.create_task(_call(noting, order, number, stopping)) for number in range(len(order.files))]
        print("begun", flush=True)
        await asyncio.gather(*calling)
    journal.save(Path(order.journal))


async def _call(door: Noting, order: Order, number: int, stopping: asyncio.Event) -> None:
    """One call after another of the same file."""
    nth = 0
    while not stopping.is_set():
        one = Play(path=Path(order.files[number]), call_id=f"{order.name}-{number}-{nth}")
        await play(door, [one], stopping=stopping)
        nth += 1


if __name__ == "__main__":
    asyncio.run(run(Order.from_text(sys.argv[1])))
