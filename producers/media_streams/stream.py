"""The media of one call: its tracks side by side, over all the streams that carried it. Pure."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

from producers.line import TOLD_S, Sounding, missed
from producers.media_streams import start as starting
from producers.media_streams.closing import Closing, Code, Malformed
from producers.media_streams.messages import Media, Message, Start
from producers.media_streams.track import Frame, Piece, Track
from schemas.records import Speaker

FROM_ELSEWHERE_MS = 60_000
"""A first timestamp beyond this does not count from the start of the stream (Plivo's is Unix time)."""

EARLY_S = 5.0
"""A timestamp may be so far ahead of the clock: clocks differ, and `start` may have been held up on its way. What is
further ahead counts from elsewhere, or in other units; else a peer could make a call of seconds days long."""

Pieces = list[tuple[Speaker, Piece]]


@dataclass(slots=True)
class Counts:
    """What was odd about a call's messages. Nothing of it is fatal."""

    repeated: int = 0  # a sequenceNumber again, or an earlier one
    leapt: int = 0  # sequence numbers that never came
    strays: int = 0  # media of a track that the stream does not have
    restarts: int = 0  # streams after the first one


@dataclass(slots=True)
class Stream:
    """A call's tracks: media in, pieces of its legs out.

    Timestamps count from the start of the stream. If the first one is far from 0, they count from there on.
    """

    stream_sid: str
    sounding: Sounding
    legs: Mapping[starting.Track, Speaker]
    byte_order: starting.ByteOrder
    began_s: float
    counts: Counts = field(default_factory=Counts)
    _tracks: dict[starting.Track, Track] = field(default_factory=dict)
    _base_ms: float | None = None
    _sequence: int | None = None

    @classmethod
    def of(
        cls,
        start: Start,
        now_s: float,
        who_speaks: Mapping[starting.Track, Speaker] = starting.CALLER_INBOUND,
        byte_order: starting.ByteOrder = "little",
    ) -> "Stream":
        """Begins at `now_s`, of a clock that never goes back. Raises Closing for a format that no leg can have."""
        sounding = starting.sounding_of(start)
        legs = {track: who_speaks[track] for track in starting.tracks_of(start)}
        stream = cls(start.stream_sid, sounding, legs, byte_order, now_s, _sequence=start.sequence)
        stream._tracks = {track: Track(sounding.rate_hz, stream.sample_bytes) for track in legs}
        return stream

    @property
    def sample_bytes(self) -> int:
        return 2 if self.sounding.codec == "pcm_s16le" else 1

    @property
    def doubled(self) -> int:
        """Frames that came twice."""
        return sum(track.doubled for track in self._tracks.values())

    @property
    def late(self) -> int:
        """Frames that came after they had been given up."""
        return sum(track.late for track in self._tracks.values())

    @property
    def holes(self) -> int:
        return sum(track.holes for track in self._tracks.values())

    def check(self, message: Message) -> None:
        """Count what the message's sequence number says was lost or repeated. `chunk` decides what is heard."""
        number = message.sequence
        if number is None:
            return
        if self._sequence is not None:
            if number <= self._sequence:
                self.counts.repeated += 1
                return
            self.counts.leapt += number - self._sequence - 1
        self._sequence = number

    def hear(self, media: Media, now_s: float) -> Pieces:
        """What the legs have come to with this message, which came at `now_s`. Raises Malformed for half a sample."""
        if len(media.payload) % self.sample_bytes:
            raise Malformed(f"media: payload: not whole samples of {self.sample_bytes} bytes")
        name = media.track.removesuffix("_track")
        for track, leg in self.legs.items():
            if track == name:
                return [(leg, piece) for piece in self._tracks[track].take(self._frame(media, now_s))]
        self.counts.strays += 1
        return []

    def pause(self, leg: Speaker, quiet_s: float) -> Pieces:
        """What a leg has come to of which nothing came for so long, while the other one went on; nothing where it may
        be only a little behind. Timestamps will tell how long its silence was in the end, if it was one."""
        track = next(self._tracks[name] for name, its in self.legs.items() if its == leg)
        if self._base_ms is None:
            return []
        furthest = max(one.position for one in self._tracks.values())
        samples = missed(track.position, furthest, self.sounding.rate_hz, quiet_s)
        samples = min(samples, round(TOLD_S * self.sounding.rate_hz))
        return [(leg, piece) for piece in track.pause(samples)] if samples else []

    def flush(self) -> Pieces:
        """What was held back for frames that will not come any more."""
        return [(leg, piece) for track, leg in self.legs.items() for piece in self._tracks[track].flush()]

    def go_on(self, start: Start, away_s: float) -> Pieces:
        """The call goes on in another connection, `away_s` after the last was heard.

        With the stream's SID and a sequence number that goes on, so do timestamps, and they tell what was missed. Else
        they begin anew, and `away_s` tells it. Raises Closing if the tracks or the format are others.
        """
        if starting.sounding_of(start) != self.sounding or tuple(self.legs) != starting.tracks_of(start):
            raise Closing(Code.POLICY, "format", "start: this call began with other tracks or another format")
        self.counts.restarts += 1
        if start.stream_sid == self.stream_sid and (start.sequence or 0) > 1:
            self.check(start)
            return []
        self.stream_sid, self._base_ms, self._sequence = start.stream_sid, None, start.sequence
        reached = max(track.position for track in self._tracks.values()) + round(away_s * self.sounding.rate_hz)
        return [(leg, piece) for track, leg in self.legs.items() for piece in self._tracks[track].begin_anew(reached)]

    def _frame(self, media: Media, now_s: float) -> Frame:
        at = None
        if media.timestamp_ms is not None:
            if self._base_ms is None:
                self._base_ms = media.timestamp_ms if media.timestamp_ms > FROM_ELSEWHERE_MS else 0.0
            at = round((media.timestamp_ms - self._base_ms) * self.sounding.rate_hz / 1000)
        until = round((now_s - self.began_s + EARLY_S) * self.sounding.rate_hz)
        return Frame(media.chunk, at, self._little_endian(media.payload), until)

    def _little_endian(self, payload: bytes) -> bytes:
        if self.sample_bytes == 1 or self.byte_order == "little":
            return payload
        samples = array("h", payload)
        samples.byteswap()
        return samples.tobytes()
