"""The calls that run, and which connections are their legs."""

import asyncio
from time import monotonic

import structlog

from producers.asterisk.connection import Cut
from producers.asterisk.legs import Legs
from producers.asterisk.protocol import Audio, ProtocolError
from producers.line import TOLD_S, Call, Line, Sounding, SpeaksAgain, missed
from schemas.records import Speaker

log = structlog.get_logger(__name__)

_SAMPLE_BYTES = 2


class Talk:
    """One call. It begins with the first audio of any leg, for only that tells its rate."""

    def __init__(self, line: Line, call_id: str, order: tuple[Speaker, Speaker]) -> None:
        self.call_id = call_id
        self.legs = Legs(order)
        self._line = line
        self._beginning = asyncio.Lock()
        self._call: Call | None = None
        self._rate_hz = 0
        self._heard = dict.fromkeys(order, 0)  # samples, with those left out
        self._heard_at_s = dict.fromkeys(order, 0.0)
        self._holes = dict.fromkeys(order, 0)  # samples to leave out before what comes next
        self._silent = set(order)  # legs that have not spoken
        self._told: set[Speaker] = set()  # legs whose silence was told
        self._again: dict[Speaker, SpeaksAgain] = {}
        self._alone_from = 0  # samples, when the other leg left

    async def hear(self, leg: Speaker, audio: Audio) -> None:
        """The next audio of a leg.

        Raises Cut where it was alone for too long, Busy where the call is not taken, ProtocolError for a rate that is
        not the call's, or that no call may have.
        """
        call = await self._begun(audio.rate_hz)
        if audio.rate_hz != self._rate_hz:
            raise ProtocolError(
                f"{audio.rate_hz} Hz in a call of {self._rate_hz} Hz; both legs of a call need the same format"
            )
        now_s = monotonic()
        quiet_s, self._heard_at_s[leg] = now_s - self._heard_at_s[leg], now_s
        if leg not in self._again and (hole := self._hole(leg, quiet_s)):
            self._again[leg] = SpeaksAgain(hole, self._rate_hz, now_s)
        if leg in self._again:
            self._again[leg].hear(audio.payload, now_s)
        else:
            await self._place(call, leg, audio.payload)
        for one in self.legs.on:
            if (again := self._again.get(one)) and again.known(now_s):
                await self._settle(call, one)
        for other in self.legs.on - self._silent - self._told - self._again.keys() - {leg}:
            await self._pause(call, other, now_s)
        alone_s = self.legs.alone_s(leg)
        if alone_s is not None and self._heard[leg] - self._alone_from > alone_s * self._rate_hz:
            raise Cut(f"the {leg} was alone for {alone_s:g} s of audio", "alone")

    def joined(self, leg: Speaker) -> None:
        self.legs = self.legs.join(leg)
        self._heard_at_s[leg] = monotonic()
        self._leave_out(leg, max(self._heard.values()) - self._heard[leg])
        log.info("leg_joined", call_id=self.call_id, leg=leg)

    async def left(self, leg: Speaker, hung_up: bool) -> None:
        """A leg has gone; the call ends with the last one."""
        self.legs = self.legs.leave(leg, hung_up)
        if self._call and leg in self._again:
            await self._settle(self._call, leg)
        self._alone_from = max(self._heard.values())
        log.info("leg_left", call_id=self.call_id, leg=leg, hung_up=hung_up)
        if self._call and self.legs.over:
            await self._call.end(interrupted=self.legs.interrupted)

    async def _pause(self, call: Call, leg: Speaker, now_s: float) -> None:
        """A leg that nothing comes of while the other goes on: what was said on it is told now, not when it speaks
        again. Once; the rest of its silence is left out before what comes next."""
        if hole := self._hole(leg, now_s - self._heard_at_s[leg]):
            told = min(hole, round(TOLD_S * self._rate_hz))
            self._told.add(leg)
            self._heard_at_s[leg] += told / self._rate_hz
            self._leave_out(leg, told)
            hole, self._holes[leg] = self._holes[leg], 0
            await call.pause(leg, hole)

    async def _settle(self, call: Call, leg: Speaker) -> None:
        """A leg that spoke again: what came is put behind as much of the hole as was one."""
        again = self._again.pop(leg)
        self._leave_out(leg, again.lacks)
        await self._place(call, leg, bytes(again.audio))

    async def _place(self, call: Call, leg: Speaker, payload: bytes) -> None:
        hole, self._holes[leg] = self._holes[leg], 0
        self._silent.discard(leg)
        self._told.discard(leg)
        self._heard[leg] += len(payload) // _SAMPLE_BYTES
        if hole:
            await call.skip(leg, hole)
        await call.hear(leg, payload)

    def _hole(self, leg: Speaker, quiet_s: float) -> int:
        """How far a leg is behind for which nothing came so long. Of one whose silence was told, every bit counts."""
        furthest = max(self._heard.values())
        if leg in self._told:
            return missed(self._heard[leg], furthest, self._rate_hz, quiet_s, 0.0)
        return missed(self._heard[leg], furthest, self._rate_hz, quiet_s)

    def _leave_out(self, leg: Speaker, samples: int) -> None:
        self._holes[leg] += samples
        self._heard[leg] += samples

    async def _begun(self, rate_hz: int) -> Call:
        async with self._beginning:
            if self._call is None:
                self._call = await self._line.begin(self.call_id, self.legs.order, _sounding(rate_hz))
                self._rate_hz = rate_hz
            return self._call


class Talks:
    """All calls of one door, by UUID."""

    def __init__(self, line: Line, order: tuple[Speaker, Speaker]) -> None:
        self._line = line
        self._order = order
        self._running: dict[str, Talk] = {}

    def join(self, call_id: str) -> tuple[Talk, Speaker]:
        """The call of this connection, and which of its legs it is. Raises Cut for a third one."""
        talk = self._running.get(call_id) or Talk(self._line, call_id, self._order)
        leg = talk.legs.free
        if leg is None:
            raise Cut(f"{call_id}: both legs are there already; a call has two at most", "legs")
        self._running[call_id] = talk
        talk.joined(leg)
        return talk, leg

    async def leave(self, talk: Talk, leg: Speaker, hung_up: bool) -> None:
        if talk.legs.on == {leg}:
            del self._running[talk.call_id]
        await talk.left(leg, hung_up)


def _sounding(rate_hz: int) -> Sounding:
    try:
        return Sounding(codec="pcm_s16le", rate_hz=rate_hz)
    except ValueError as problem:
        raise ProtocolError(str(problem)) from problem
