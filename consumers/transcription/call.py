"""One call's chunks through its channels: what was said, what is left to hold, and whether the call is over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from callbus.errors import Reject
from consumers.transcription.channel import Channel
from consumers.transcription.ordering import first_come
from consumers.transcription.pieces import Piece
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, ChannelProgress, Speaker, TranscriptionProgress

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call in progress. A value, like its channels."""

    channels: dict[Speaker, Channel] = field(default_factory=dict)
    arrivals: int = 0
    newest: tuple[int, str] = (0, "")  # at_ms and event_id of the newest chunk that told something

    @classmethod
    def restored(cls, progress: TranscriptionProgress | None) -> "Call":
        """The call as it was at each channel's last cut; one that begins if nothing is known of it."""
        if progress is None:
            return cls()
        return replace(cls.of(progress.channels), newest=(progress.heard_ms, progress.heard_id))

    @classmethod
    def of(cls, channels: Iterable[ChannelProgress]) -> "Call":
        """The call with its channels as they were at their last cuts."""
        return cls({one.channel: Channel.restored(one) for one in channels})

    @property
    def holding(self) -> AudioChunk | None:
        """The oldest chunk that is still unsaid, or that waits for its turn."""
        first = first_come([channel.oldest for channel in self.channels.values() if channel.oldest])
        return first.chunk if first else None

    @property
    def late(self) -> int:
        """How many chunks came after they had been given up."""
        return sum(channel.late for channel in self.channels.values())

    @property
    def length_ms(self) -> int:
        return max((c.received * 1000 // c.rate_hz for c in self.channels.values() if c.rate_hz), default=0)

    def is_over(self, last: AudioChunk) -> bool:
        """Whether so many channels have ended as this last chunk of one says that there are."""
        return sum(channel.ended for channel in self.channels.values()) >= last.channels

    def progress(self) -> tuple[ChannelProgress, ...]:
        return tuple(self.channels[name].progress() for name in sorted(self.channels))


@dataclass(frozen=True, slots=True)
class Listened:
    """What a slice's chunks came to. `ended_by` is the chunk that ended the call; `silent`: silence did."""

    call: Call
    pieces: Sequence[Piece] = ()
    rejected: Sequence[tuple[AudioChunk, Reject]] = ()
    ended_by: AudioChunk | None = None
    silent: bool = False


def listen(call: Call, chunks: Sequence[AudioChunk], vad: Vad) -> Listened:
    """Take in a slice's chunks as they arrived: each channel brings its own into their order."""
    channels = dict(call.channels)
    pieces: list[Piece] = []
    rejected: list[tuple[AudioChunk, Reject]] = []
    newest, last = call.newest, None
    for arrival, chunk in enumerate(chunks, start=call.arrivals):
        if chunk.channel not in channels and 1 <= chunk.channels <= len(channels):
            rejected.append((chunk, _too_many(chunk, channels)))
            continue
        known = channels.get(chunk.channel)
        before, told = known or Channel(chunk.channel), known is None or chunk.last
        try:
            channel, heard = before.hear(chunk, arrival, vad)
            told = channel is not known
        except Reject as reason:
            rejected.append((chunk, reason))
            channel, heard = before.skip(chunk, vad)
        if told:
            newest = max(newest, (chunk.at_ms, chunk.event_id))
        channels[chunk.channel] = channel
        pieces += heard
        if channel.ended and not before.ended:
            last = before.waiting_end or chunk
    after = Call(channels, call.arrivals + len(chunks), newest)
    ended_by = last if last and after.is_over(last) else None
    if after.late and not call.late:
        log.warning("audio came too late to be heard", call_id=chunks[0].call_id, chunks=after.late)
    return Listened(after, pieces, rejected, ended_by)


def fall_silent(call: Call, vad: Vad) -> Listened:
    """No more chunks may come: all that is here is said, whatever is missing in it, and cut where the audio ends.
    A chunk that comes even so goes on from there, unless a last chunk has waited for it: then the call is over."""
    channels: dict[Speaker, Channel] = {}
    pieces: list[Piece] = []
    ends = [end for channel in call.channels.values() if (end := channel.waiting_end)]
    last = max(ends, key=lambda end: (end.at_ms, end.event_id), default=None)  # the channels' order is a batch's
    for name, channel in call.channels.items():
        channels[name], said = channel.finish(vad)
        pieces += said
    after = Call(channels, call.arrivals, call.newest)
    ended_by = last if last and after.is_over(last) else None
    return Listened(after, pieces, ended_by=ended_by, silent=ended_by is None)


def _too_many(chunk: AudioChunk, channels: Iterable[Speaker]) -> Reject:
    return Reject(
        f"chunk {chunk.sequence} of {chunk.channel}: the call has {chunk.channels} channel(s) by its own word, and "
        f"{', '.join(sorted(channels))} came before; say in every chunk how many channels there are"
    )
