"""One call's chunks through its channels: what was said, what is left to hold, and whether the call is over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from callbus.errors import Reject
from consumers.transcription.channel import Channel, Piece
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, ChannelProgress, Speaker


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call in progress. A value, like its channels."""

    channels: dict[Speaker, Channel] = field(default_factory=dict)
    arrivals: int = 0

    @classmethod
    def restored(cls, progress: Iterable[ChannelProgress]) -> "Call":
        """The call as it was at each channel's last cut."""
        return cls({one.channel: Channel.restored(one) for one in progress})

    @property
    def holding(self) -> AudioChunk | None:
        """The oldest chunk with audio that is still unsaid."""
        held = [channel.held[0] for channel in self.channels.values() if channel.held]
        return min(held, key=lambda one: one.arrival).chunk if held else None

    @property
    def length_ms(self) -> int:
        return max(c.received * 1000 // c.rate_hz if c.rate_hz else 0 for c in self.channels.values())

    def progress(self) -> tuple[ChannelProgress, ...]:
        return tuple(self.channels[name].progress() for name in sorted(self.channels))


@dataclass(frozen=True, slots=True)
class Listened:
    """What a slice's chunks came to. `ended_by` is the chunk that ended the call."""

    call: Call
    pieces: Sequence[Piece] = ()
    rejected: Sequence[tuple[AudioChunk, Reject]] = ()
    ended_by: AudioChunk | None = None


def listen(call: Call, chunks: Sequence[AudioChunk], vad: Vad) -> Listened:
    """Take in a slice's chunks, each channel's in its own order, however they arrived."""
    channels = dict(call.channels)
    pieces: list[Piece] = []
    rejected: list[tuple[AudioChunk, Reject]] = []
    ending: list[tuple[int, AudioChunk]] = []
    arrived = list(enumerate(chunks, start=call.arrivals))
    first = {chunk.channel: arrival for arrival, chunk in reversed(arrived)}
    for arrival, chunk in sorted(arrived, key=lambda one: (first[one[1].channel], one[1].sequence)):
        if chunk.channel not in channels and 1 <= chunk.channels <= len(channels):
            rejected.append((chunk, _too_many(chunk, channels)))
            continue
        before = channels.get(chunk.channel) or Channel(chunk.channel)
        try:
            channel, heard = before.hear(chunk, arrival, vad)
        except Reject as reason:
            rejected.append((chunk, reason))
            channel, heard = before.skip(chunk, vad)
        channels[chunk.channel] = channel
        pieces += heard
        if channel.ended and not before.ended:
            ending.append((arrival, chunk))
    after = Call(channels, call.arrivals + len(arrived))
    last = max(ending, key=lambda one: one[0])[1] if ending else None
    over = last is not None and sum(channel.ended for channel in channels.values()) >= last.channels
    return Listened(after, pieces, rejected, last if over else None)


def _too_many(chunk: AudioChunk, channels: Iterable[Speaker]) -> Reject:
    return Reject(
        f"chunk {chunk.sequence} of {chunk.channel}: the call has {chunk.channels} channel(s) by its own word, and "
        f"{', '.join(sorted(channels))} came before; say in every chunk how many channels there are"
    )
