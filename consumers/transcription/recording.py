"""A finished recording is a call whose chunks are all here: cut it, and read it part by part."""

from dataclasses import dataclass, replace
from typing import Self

from consumers.transcription.call import Call, Listened, listen
from consumers.transcription.copy import Copy
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, ChannelProgress, Recording

CHUNK_S = 1
PART_S = 15  # of each channel, at a time, where no live call was of late: the first chunk of one waits for it


@dataclass(frozen=True, slots=True)
class Reading:
    """A recording on its way: what was heard of it so far, and the second at which it goes on. A value, but that its
    copy is made while it is waited for."""

    source: Recording
    copy: Copy
    call: Call
    at: int  # the sequence of the next chunk of the channel that is furthest behind

    @classmethod
    def begin(cls, recording: Recording, channels: tuple[ChannelProgress, ...] = ()) -> Self:
        """From the start, or after a crash from where its channels were. Raises as `Copy`."""
        known = {one.channel: one.next_sequence for one in channels}
        at = min((known.get(name, 0) for name in recording.channels), default=0)
        return cls(recording, Copy(recording), Call.of(channels), at)

    def next_part(self, vad: Vad, seconds: int = PART_S) -> tuple[Listened, "Reading | None"]:
        """Hear the next `seconds`, and say what is left; None after the last part. Nothing is heard while the copy is
        made. Where it is cut does not depend on the size of the parts. Raises `Reject` as `Copy.step`."""
        if not self.copy.ready:
            self.copy.step()
        if not self.copy.ready:
            return Listened(self.call), self
        after = self.at + seconds // CHUNK_S
        listened = listen(self.call, [c for second in range(self.at, after) for c in self._chunks(second)], vad)
        going_on = after * CHUNK_S * self.copy.rate_hz < self.copy.length
        return listened, replace(self, call=listened.call, at=after) if going_on else None

    def _chunks(self, sequence: int) -> list[AudioChunk]:
        step = CHUNK_S * self.copy.rate_hz
        samples = self.copy.read(sequence * step, (sequence + 1) * step)
        if not samples.size:
            return []
        return [
            AudioChunk(
                event_id=self.source.event_id,
                call_id=self.source.call_id,
                channel=name,
                channels=len(self.source.channels),
                sequence=sequence,
                start_sample=sequence * step,
                sample_rate_hz=self.copy.rate_hz,
                codec="pcm_s16le",
                last=(sequence + 1) * step >= self.copy.length,
                at_ms=self.source.at_ms,
                payload=row.tobytes(),
            )
            for name, row in sorted(zip(self.source.channels, samples, strict=True))
        ]
