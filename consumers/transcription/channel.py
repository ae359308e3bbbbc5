"""One channel of a call: what has arrived, what of it is still unsaid, and what it comes to.

Everything here is a value: hearing a chunk makes a new `Channel`. So a batch that fails half-way can be tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from callbus.audio import Samples
from callbus.errors import Reject
from consumers.transcription.codecs import decode
from consumers.transcription.recognizer import Sound
from consumers.transcription.segmenter import Cut, Segmenter
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, ChannelProgress, Speaker


@dataclass(frozen=True, slots=True)
class Segment:
    """Audio in which something was said. Positions are samples from the start of the call."""

    speaker: Speaker
    start: int
    onset: int  # of speech; `sound` begins a little earlier, at `start`
    offset: int
    sound: Sound
    at_ms: int
    origin_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio that never came."""

    speaker: Speaker
    start: int
    end: int
    rate_hz: int
    at_ms: int
    origin_ids: tuple[str, ...]


Piece = Segment | Gap


@dataclass(frozen=True, slots=True)
class Held:
    """A chunk with audio that is still unsaid."""

    chunk: AudioChunk
    arrival: int  # counts the call's chunks in the order of their lane
    start: int
    samples: Samples

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


@dataclass(frozen=True, slots=True)
class Channel:
    """Invariant: `held` covers `position` to `received` without a hole, and `segmenter` has heard exactly that."""

    speaker: Speaker
    rate_hz: int = 0
    position: int = 0
    received: int = 0
    next_sequence: int = 0
    ended: bool = False
    replaying: bool = False  # restored, and nothing heard yet: chunks may begin before `position`
    segmenter: Segmenter = field(default_factory=lambda: Segmenter(0))
    held: tuple[Held, ...] = ()

    @classmethod
    def restored(cls, progress: ChannelProgress) -> "Channel":
        """The channel as it was at its last cut; the chunks from there on come again."""
        return cls(
            speaker=progress.channel,
            rate_hz=progress.sample_rate_hz,
            position=progress.position,
            received=progress.position,
            next_sequence=progress.next_sequence,
            ended=progress.ended,
            replaying=True,
            segmenter=Segmenter(progress.sample_rate_hz),
        )

    def progress(self) -> ChannelProgress:
        return ChannelProgress(
            channel=self.speaker,
            sample_rate_hz=self.rate_hz,
            position=self.position,
            next_sequence=self.held[0].chunk.sequence if self.held else self.next_sequence,
            ended=self.ended,
        )

    def hear(self, chunk: AudioChunk, arrival: int, vad: Vad) -> tuple["Channel", list[Piece]]:
        """Take in the next chunk. One that was heard before changes nothing; missing audio becomes a `Gap`.

        Raises `Reject` for a chunk that can't be used: then `skip` it.
        """
        if self.knows(chunk):
            return self, []
        channel, samples = self._place(chunk, decode(chunk))
        pieces: list[Piece] = []
        start = chunk.start_sample if chunk.start_sample > channel.received else channel.received
        if start > channel.received:
            channel, pieces = channel._finish(vad)
            pieces.append(Gap(self.speaker, channel.position, start, channel.rate_hz, chunk.at_ms, (chunk.event_id,)))
            channel = replace(channel, position=start, received=start)
        if len(samples):
            channel = replace(
                channel,
                received=start + len(samples),
                replaying=False,
                held=(*channel.held, Held(chunk, arrival, start, samples)),
            )
            segmenter, cut = channel.segmenter.feed(samples, vad)
            channel, more = replace(channel, segmenter=segmenter)._follow(cut, vad)
            pieces += more
        if chunk.last:
            channel, more = channel._finish(vad)
            pieces += more
        return replace(channel, next_sequence=chunk.sequence + 1, ended=chunk.last), pieces

    def skip(self, chunk: AudioChunk, vad: Vad) -> tuple["Channel", list[Piece]]:
        """Go on without a chunk that was rejected: all before it is said now, so that it does not come again."""
        channel, pieces = self._finish(vad)
        return replace(channel, next_sequence=chunk.sequence + 1, ended=chunk.last), pieces

    def knows(self, chunk: AudioChunk) -> bool:
        return self.ended or chunk.sequence < self.next_sequence

    def _place(self, chunk: AudioChunk, samples: Samples) -> tuple["Channel", Samples]:
        """The channel with its sample rate, and what of the samples is new."""
        if not self.rate_hz:
            begin = chunk.start_sample if chunk.sequence == 0 else 0  # a channel may join late; that is no gap
            rate_hz = chunk.sample_rate_hz
            return replace(self, rate_hz=rate_hz, position=begin, received=begin, segmenter=Segmenter(rate_hz)), samples
        where = f"chunk {chunk.sequence} of {chunk.channel}"
        if chunk.sample_rate_hz != self.rate_hz:
            raise Reject(
                f"{where}: {chunk.sample_rate_hz} Hz, but the channel began with {self.rate_hz} Hz; a channel "
                "keeps its rate for the whole call"
            )
        overlap = self.received - chunk.start_sample
        if overlap > 0 and not self.replaying:
            raise Reject(
                f"{where}: starts at sample {chunk.start_sample}, but audio up to {self.received} is here already; "
                "start_sample counts from the start of the call"
            )
        return self, samples[max(0, overlap) :]

    def _follow(self, cut: Cut | None, vad: Vad, ended: bool = False) -> tuple["Channel", list[Piece]]:
        """Carry out a cut and whatever cuts come after it in the audio that is here."""
        pieces: list[Piece] = []
        channel = self
        while cut:
            if cut.end > cut.start:
                pieces.append(channel._segment(cut))
            position = channel.position + cut.resume
            held = tuple(one for one in channel.held if one.end > position)
            channel = replace(channel, position=position, held=held)
            segmenter, cut = Segmenter(channel.rate_hz).feed(channel._audio(position, channel.received), vad)
            channel = replace(channel, segmenter=segmenter)
            if ended and cut is None:
                cut = segmenter.finish(vad)
        return channel, pieces

    def _finish(self, vad: Vad) -> tuple["Channel", list[Piece]]:
        """Say all that is left, and start afresh where the audio ends."""
        channel, pieces = self._follow(self.segmenter.finish(vad), vad, ended=True)
        return replace(channel, position=channel.received, segmenter=Segmenter(channel.rate_hz), held=()), pieces

    def _segment(self, cut: Cut) -> Segment:
        start, end = self.position + cut.start, self.position + cut.end
        chunks = [one.chunk for one in self.held if one.start < end and one.end > start]
        return Segment(
            speaker=self.speaker,
            start=start,
            onset=self.position + cut.onset,
            offset=self.position + cut.offset,
            sound=Sound(self._audio(start, end), self.rate_hz),
            at_ms=max(chunk.at_ms for chunk in chunks),
            origin_ids=tuple(dict.fromkeys((chunks[0].event_id, chunks[-1].event_id))),
        )

    def _audio(self, start: int, end: int) -> Samples:
        parts: Sequence[Samples] = [
            one.samples[max(0, start - one.start) : max(0, end - one.start)] for one in self.held
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)
