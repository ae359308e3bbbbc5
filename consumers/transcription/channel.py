"""One channel of a call: what has arrived, what of it is still unsaid, and what it comes to.

Everything here is a value: hearing a chunk makes a new `Channel`. So a batch that fails half-way can be tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from callbus.audio import Samples
from callbus.errors import Reject
from consumers.transcription.codecs import decode
from consumers.transcription.ordering import (
    MOST_PENDING,
    Held,
    Missing,
    Pending,
    check_place,
    first_come,
    overdue,
    queued,
    waits,
)
from consumers.transcription.pieces import Gap, Piece, Segment
from consumers.transcription.segmenter import Cut, Segmenter
from consumers.transcription.sound import Sound
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, ChannelProgress, Speaker


@dataclass(frozen=True, slots=True)
class Channel:
    """Invariants: `held` covers `position` to `received` without a hole, and `segmenter` has heard exactly that.
    `pending` are chunks beyond `next_sequence`, in order, without overlaps, all of them behind `received`.
    """

    speaker: Speaker
    rate_hz: int = 0
    position: int = 0
    received: int = 0
    next_sequence: int = 0
    ended: bool = False
    replaying: bool = False  # restored, and nothing heard yet: the next chunk may begin before `position`
    segmenter: Segmenter = field(default_factory=lambda: Segmenter(0))
    held: tuple[Held, ...] = ()
    pending: Pending = ()
    oldest: Held | None = None  # of `held` and `pending`, the one that came first
    missing: Missing = field(default_factory=Missing)
    late: int = 0  # chunks that came after they had been given up
    refused: frozenset[int] = frozenset()  # sequences of chunks that were rejected

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
            missing=Missing.of(progress.missing),
            late=progress.late,
        )

    def progress(self) -> ChannelProgress:
        return ChannelProgress(
            channel=self.speaker,
            sample_rate_hz=self.rate_hz,
            position=self.position,
            next_sequence=self.held[0].chunk.sequence if self.held else self.next_sequence,
            ended=self.ended,
            late=self.late,
            missing=self.missing.flat,
        )

    def hear(self, chunk: AudioChunk, arrival: int, vad: Vad) -> tuple["Channel", list[Piece]]:
        """Take in one more chunk. Before its turn it waits; missing audio becomes a `Gap`.

        A missing chunk is given up once `REORDER_S` of later audio is here. If it comes even so, it is counted as late.
        What was heard before changes nothing. The last chunk waits like others, at most until the call falls silent.

        Raises `Reject` for a chunk that can't be used: then `skip` it.
        """
        if self.knows(chunk):
            return self._again(chunk), []
        samples = decode(chunk)
        channel = self._tuned(chunk)
        one = Held(chunk, arrival, chunk.start_sample, samples)
        known = channel.received
        if channel.replaying and chunk.sequence == channel.next_sequence:
            known = min(known, one.start)
        check_place(channel.pending, known, one)
        return replace(channel, pending=queued(channel.pending, one), oldest=channel.oldest or one)._catch_up(vad)

    def skip(self, chunk: AudioChunk, vad: Vad) -> tuple["Channel", list[Piece]]:
        """Go on after a chunk was rejected: as if it had never come, but that the last one ends its channel, and waits
        for none that was rejected. Which they were is in memory only: after a crash it waits, and says the same.
        """
        if chunk.last:
            return self._end(chunk, vad)
        if not 0 <= chunk.sequence - self.next_sequence < MOST_PENDING:
            return self, []
        known = frozenset(number for number in self.refused if number >= self.next_sequence)
        return replace(self, refused=known | {chunk.sequence})._catch_up(vad)

    def finish(self, vad: Vad) -> tuple["Channel", list[Piece]]:
        """Say all that is left, whatever is missing in it, and start afresh where the audio ends."""
        channel, pieces = self._catch_up(vad, wait=False)
        channel, more = channel._say_all(vad)
        return channel, [*pieces, *more]

    def knows(self, chunk: AudioChunk) -> bool:
        """Whether there is nothing to hear in it: it was heard or given up, or it waits already."""
        return self.ended or 0 <= chunk.sequence < self.next_sequence or waits(self.pending, chunk.sequence)

    @property
    def waiting_end(self) -> AudioChunk | None:
        """The channel's last chunk, if it is here before its turn."""
        return next((one.chunk for one in self.pending if one.chunk.last), None)

    def _again(self, chunk: AudioChunk) -> "Channel":
        """The same if this is a double. A late chunk is no longer missing, so that its own doubles count no more."""
        missing = self.missing.without(chunk.sequence)
        return self if missing is None else replace(self, missing=missing, late=self.late + 1)

    def _tuned(self, chunk: AudioChunk) -> "Channel":
        """The channel at the chunk's sample rate."""
        if not self.rate_hz:
            return replace(self, rate_hz=chunk.sample_rate_hz, segmenter=Segmenter(chunk.sample_rate_hz))
        if chunk.sample_rate_hz != self.rate_hz:
            raise Reject(
                f"chunk {chunk.sequence} of {chunk.channel}: {chunk.sample_rate_hz} Hz, but the channel began with "
                f"{self.rate_hz} Hz; a channel keeps its rate for the whole call"
            )
        return self

    def _catch_up(self, vad: Vad, wait: bool = True) -> tuple["Channel", list[Piece]]:
        """Hear what waits, as far as it is its turn; without `wait` all of it."""
        channel, pieces = self, list[Piece]()
        while channel.pending and (not wait or channel._in_turn(channel.pending[0])):
            one, *rest = channel.pending
            channel, more = replace(channel, pending=tuple(rest))._take(one, vad)
            pieces += more
            if one.chunk.last:
                channel, more = channel._end(one.chunk, vad)
                pieces += more
        return channel, pieces

    def _in_turn(self, first: Held) -> bool:
        """Whether the first of `pending` need not wait: what is missing before it has no audio, or is overdue.

        A missing sequence without missing audio is a chunk that was empty. Missing audio without a missing sequence
        never left the door (its disk was full).
        """
        adjoins = first.chunk.sequence == self.next_sequence or first.start == self.received
        return adjoins or overdue(self.pending, self.rate_hz) or self._waits_in_vain(first)

    def _waits_in_vain(self, first: Held) -> bool:
        """Whether the last chunk is here, and all that is missing before the first of `pending` was rejected."""
        between = range(self.next_sequence, first.chunk.sequence)
        return self.waiting_end is not None and all(number in self.refused for number in between)

    def _take(self, one: Held, vad: Vad) -> tuple["Channel", list[Piece]]:
        """Hear a chunk, and give up what is missing before it."""
        chunk, channel, pieces = one.chunk, self, list[Piece]()
        if chunk.sequence == 0:  # a channel may join late; that is no gap
            begin = max(channel.position, one.start)
            channel = replace(channel, position=begin, received=begin)
        start = max(one.start, channel.received)
        if start > channel.received:
            channel, pieces = channel._say_all(vad)
            missing = channel.missing.and_from(channel.next_sequence, chunk.sequence)
            pieces.append(Gap(self.speaker, channel.position, start, self.rate_hz, chunk.at_ms, (chunk.event_id,)))
            channel = replace(channel, position=start, received=start, missing=missing)
        channel = replace(channel, next_sequence=chunk.sequence + 1)
        fresh = one.samples[start - one.start :]
        if not len(fresh):
            return channel._holding(channel.held), pieces
        new = Held(chunk, one.arrival, start, fresh)
        segmenter, cut = channel.segmenter.feed(fresh, vad)
        channel, more = replace(
            channel,
            received=new.end,
            replaying=False,
            segmenter=segmenter,
            held=(*channel.held, new),
            oldest=first_come([channel.oldest, new] if channel.oldest else [new]),
        )._follow(cut, vad)
        return channel, [*pieces, *more]

    def _end(self, last: AudioChunk, vad: Vad) -> tuple["Channel", list[Piece]]:
        channel, pieces = self.finish(vad)
        missing = channel.missing.and_from(channel.next_sequence, last.sequence + 1)
        after = max(channel.next_sequence, last.sequence + 1)
        return replace(channel, next_sequence=after, missing=missing, ended=True), pieces

    def _say_all(self, vad: Vad) -> tuple["Channel", list[Piece]]:
        channel, pieces = self._follow(self.segmenter.finish(vad), vad, ended=True)
        channel = replace(channel, position=channel.received, segmenter=Segmenter(channel.rate_hz))
        return channel._holding(()), pieces

    def _holding(self, held: tuple[Held, ...]) -> "Channel":
        return replace(self, held=held, oldest=first_come((*held, *self.pending)))

    def _follow(self, cut: Cut | None, vad: Vad, ended: bool = False) -> tuple["Channel", list[Piece]]:
        """Carry out a cut and whatever cuts come after it in the audio that is here."""
        pieces: list[Piece] = []
        channel = self
        while cut:
            if cut.end > cut.start:
                pieces.append(channel._segment(cut))
            position = channel.position + cut.resume
            channel = replace(channel, position=position)
            channel = channel._holding(tuple(one for one in channel.held if one.end > position))
            segmenter, cut = Segmenter(channel.rate_hz).feed(channel._audio(position, channel.received), vad)
            channel = replace(channel, segmenter=segmenter)
            if ended and cut is None:
                cut = segmenter.finish(vad)
        return channel, pieces

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
