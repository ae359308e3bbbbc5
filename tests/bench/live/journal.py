"""When each sample of each call was spoken: written by the player, read by who measures. Pure but for its file."""

import json
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from schemas.records import AudioChunk


@dataclass(frozen=True, slots=True)
class Track:
    """One channel of one call: where its chunks end, in samples, and when each was published, in Unix ms."""

    rate_hz: int
    ends: list[int] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Journal:
    """By call and channel."""

    channels: dict[tuple[str, str], Track] = field(default_factory=dict)

    def note(self, chunk: AudioChunk) -> None:
        """A chunk that is published now, in 16 bit samples."""
        key = (chunk.call_id, chunk.channel)
        channel = self.channels.setdefault(key, Track(chunk.sample_rate_hz))
        channel.ends.append(chunk.start_sample + len(chunk.payload) // 2)
        channel.at_ms.append(chunk.at_ms)

    def spoken_ms(self, call_id: str, speaker: str, position_ms: float) -> float:
        """When the sample at this position was spoken, in Unix ms: a chunk is published as its last one is.

        A position behind the last chunk is as late as that one; KeyError for a channel that was never played.
        """
        channel = self.channels[call_id, speaker]
        sample = position_ms * channel.rate_hz / 1000
        index = min(bisect_left(channel.ends, sample), len(channel.ends) - 1)
        return channel.at_ms[index] - max(0.0, channel.ends[index] - sample) * 1000 / channel.rate_hz

    def late_ms(self) -> float:
        """How much slower than real time a channel was played at worst."""
        return max((_late_ms(channel) for channel in self.channels.values()), default=0.0)

    def save(self, file: Path) -> None:
        rows = [[*key, track.rate_hz, track.ends, track.at_ms] for key, track in self.channels.items()]
        file.write_text(json.dumps(rows))

    @classmethod
    def load(cls, file: Path) -> Self:
        rows = json.loads(file.read_text())
        return cls({(call_id, name): Track(rate, ends, at_ms) for call_id, name, rate, ends, at_ms in rows})


def _late_ms(track: Track) -> float:
    begins = [at - end * 1000 / track.rate_hz for end, at in zip(track.ends, track.at_ms, strict=True)]
    return max(begins) - min(begins)
