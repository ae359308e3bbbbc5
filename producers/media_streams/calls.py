"""The calls that this door carries, each for as long as one connection after another brings its audio.

**A connection that breaks without `stop`** leaves its call waiting for `REJOIN_S`. A connection that says the same call
in that time goes on with it, if its tracks and format are the same: what was missed becomes a hole. After that time the
call is ended as interrupted, and its id is used up: one who comes later is refused.

**A second connection for a call whose first still seems to be there** (it hangs half open, and the platform has dialled
again) takes the call over, if it names the same stream or if the first has brought nothing for `QUIET_S`. Otherwise it
is refused: one stream carries both tracks.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from producers.line import Busy, Call, Line
from producers.media_streams import metrics
from producers.media_streams.closing import Closing, Code
from producers.media_streams.messages import Media, Start
from producers.media_streams.start import ByteOrder, Track, attributes_of, call_id_of
from producers.media_streams.stream import Pieces, Stream
from producers.media_streams.track import Heard
from schemas.records import Speaker

log = structlog.get_logger(__name__)

REJOIN_S = 5.0
QUIET_S = 2.0


class Carrier(Protocol):
    """What brings a call's audio: a connection."""

    def cut(self, closing: Closing) -> None: ...


@dataclass(slots=True, eq=False)
class Carried:
    """A call, its stream, and the connection that carries it now. `heard_s` is when it last brought something."""

    call: Call
    stream: Stream
    carrier: Carrier | None
    heard_s: float
    ending: "asyncio.Task[None] | None" = field(default=None)
    legs_s: dict[Speaker, float] = field(default_factory=dict)  # when each leg that speaks was heard

    async def hear(self, media: Media) -> None:
        """Raises Malformed."""
        self.heard_s = asyncio.get_running_loop().time()
        pieces = self.stream.hear(media, self.heard_s)
        await self.pass_on(pieces)
        self.legs_s |= {leg: self.heard_s for leg, piece in pieces if isinstance(piece, Heard)}
        for leg, heard_s in list(self.legs_s.items()):
            if paused := self.stream.pause(leg, self.heard_s - heard_s):
                del self.legs_s[leg]  # until it speaks again
                await self.pass_on(paused)

    async def pass_on(self, pieces: Pieces) -> None:
        for leg, piece in pieces:
            if isinstance(piece, Heard):
                await self.call.hear(leg, piece.payload)
            elif piece.at_once:
                await self.call.pause(leg, piece.samples)
            else:
                await self.call.skip(leg, piece.samples)


class Calls:
    """All of them, by call_id."""

    def __init__(
        self, line: Line, who_speaks: Mapping[Track, Speaker], byte_order: ByteOrder, rejoin_s: float = REJOIN_S
    ) -> None:
        self._line = line
        self._who_speaks = who_speaks
        self._byte_order = byte_order
        self._rejoin_s = rejoin_s
        self._carried: dict[str, Carried] = {}

    async def take(self, start: Start, carrier: Carrier) -> Carried:
        """The call that this `start` begins, or goes on with. Raises Closing."""
        call_id = call_id_of(start)
        carried = self._carried.get(call_id)
        return await (self._go_on(carried, start, carrier) if carried else self._begin(call_id, start, carrier))

    def leave(self, carried: Carried, carrier: Carrier) -> None:
        """The connection broke; the call waits for another one. Nothing, if another one has it already."""
        if carried.carrier is carrier:
            carried.carrier = None
            carried.ending = asyncio.create_task(self._give_up(carried), name=f"rejoin {carried.call.call_id}")

    async def end(self, carried: Carried, carrier: Carrier | None, interrupted: bool) -> None:
        """The call is over. Nothing, if another connection has it."""
        if carried.carrier is not carrier or self._carried.pop(carried.call.call_id, None) is None:
            return
        carried.carrier = None
        await carried.pass_on(carried.stream.flush())
        await carried.call.end(interrupted)
        self._tell(carried, interrupted)

    async def stop(self) -> None:
        """End the calls that wait for a connection."""
        for carried in [one for one in self._carried.values() if one.ending]:
            await self._stop_waiting(carried)
            await self.end(carried, None, interrupted=True)

    async def _begin(self, call_id: str, start: Start, carrier: Carrier) -> Carried:
        now_s = asyncio.get_running_loop().time()
        stream = Stream.of(start, now_s, self._who_speaks, self._byte_order)
        try:
            call = await self._line.begin(
                call_id, tuple(stream.legs.values()), stream.sounding, attributes_of(start, call_id)
            )
        except Busy as busy:
            if busy.reason == "again":
                raise Closing(Code.POLICY, busy.reason, "a call of this id was here already") from busy
            raise Closing(Code.TRY_AGAIN, busy.reason, "this door takes no more calls now") from busy
        carried = self._carried[call_id] = Carried(call, stream, carrier, now_s)
        format_ = {"codec": stream.sounding.codec, "rate_hz": stream.sounding.rate_hz}
        log.info("call_begun", door=self._line.door, call_id=call_id, legs=list(stream.legs.values()), **format_)
        return carried

    async def _go_on(self, carried: Carried, start: Start, carrier: Carrier) -> Carried:
        now_s = asyncio.get_running_loop().time()
        away_s = now_s - carried.heard_s
        if carried.carrier and start.stream_sid != carried.stream.stream_sid and away_s < QUIET_S:
            raise Closing(Code.POLICY, "again", "this call is here already; one stream carries both tracks")
        pieces = carried.stream.go_on(start, away_s)
        before, carried.carrier, carried.heard_s = carried.carrier, carrier, now_s
        if before:
            before.cut(Closing(Code.POLICY, "moved", "this call goes on in another connection"))
        await self._stop_waiting(carried)
        log.info("call_rejoined", door=self._line.door, call_id=carried.call.call_id, away_s=round(away_s, 1))
        await carried.pass_on(pieces)
        return carried

    async def _give_up(self, carried: Carried) -> None:
        await asyncio.sleep(self._rejoin_s)
        carried.ending = None
        await self.end(carried, None, interrupted=True)

    async def _stop_waiting(self, carried: Carried) -> None:
        if carried.ending:
            carried.ending.cancel()
            await asyncio.gather(carried.ending, return_exceptions=True)
            carried.ending = None

    def _tell(self, carried: Carried, interrupted: bool) -> None:
        """What was odd about the call's frames, in the log and in the metrics."""
        stream = carried.stream
        odd = {"doubled": stream.doubled, "late": stream.late, "holes": stream.holes, "strays": stream.counts.strays}
        odd |= {"repeated": stream.counts.repeated, "leapt": stream.counts.leapt, "restarts": stream.counts.restarts}
        for what, count in odd.items():
            metrics.ODDITIES.labels(self._line.door, what).inc(count)
        call_id = carried.call.call_id
        log.info("call_over", door=self._line.door, call_id=call_id, interrupted=interrupted, **odd)
