"""One live call: the bytes of its legs in, its events into the journal, and its recording if its mode wants one."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import structlog

from callbus.clock import now_ms
from callbus.errors import CallbusError
from producers.line.chunks import Gathered, Slice, heard, rest, skipped
from producers.line.events import Event, Known, header, packed
from producers.line.journal import Journal
from producers.line.meter import Meter
from producers.line.recordings import Recorded, Recorder
from producers.line.spool import LIFECYCLE_BYTES, Spool
from schemas.records import CallEventType, Speaker

log = structlog.get_logger(__name__)

NOTHING: Mapping[str, str] = MappingProxyType({})
_STEPS_BYTES = LIFECYCLE_BYTES // 2  # of what is kept free for a call; its end takes less than the other half


class Busy(CallbusError):
    """This call is not taken; the door closes its connection. `reason` is a word for metrics: calls, again, spool,
    stopping."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Call:
    """One live call. No method waits for Kafka, and none does anything once the call has ended."""

    def __init__(
        self,
        known: Known,
        journal: Journal,
        spool: Spool,
        meter: Meter,
        written: Callable[["Call"], None],
        recorder: Recorder | None = None,
    ) -> None:
        """`written` is called whenever there is more in the journal. With `recorder` the call is recorded."""
        self.call_id = known.call_id
        self._known = known
        self._gathered = {leg: Gathered(place.start_sample) for leg, place in known.legs.items()}
        self._recorder = recorder
        self._journal, self._spool, self._meter, self._written = journal, spool, meter, written
        self._steps_bytes = 0
        self._unwritable = ""  # what the disk said

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._known.ended

    @property
    def unmade(self) -> Recorder | None:
        """Of a call that is over: what its recording is still to be made of, and then told with `made`."""
        return self._recorder if self.over and self._known.recording and not self._known.recorded else None

    async def hear(self, leg: Speaker, payload: bytes) -> None:
        """The next bytes of this leg, as many as came (half a sample waits for its other half).

        Of `ogg_opus` each payload is a whole Ogg stream of its own (OpusHead, OpusTags, some pages), and becomes one
        chunk; ValueError for another. KeyError for a leg that the call was not begun with.
        """
        if self.over:
            return
        self._gathered[leg], full = heard(self._gathered[leg], payload, self._known.sounding)
        self._meter.received.inc(len(payload))
        for slice_ in full:
            self._keep(leg, slice_)
        if full:
            await asyncio.sleep(0)  # a socket that always has more must not keep the other calls waiting

    async def skip(self, leg: Speaker, samples: int) -> None:
        """Audio of this leg that never came: a hole in the protocol's own count, or a leg that joins late."""
        if self.over or samples <= 0:
            return
        self._gathered[leg], before = skipped(self._gathered[leg], samples, self._known.sounding)
        for slice_ in before:
            self._keep(leg, slice_)

    async def pause(self, leg: Speaker, samples: int) -> None:
        """As `skip`, and told at once by an empty chunk: what was said before the hole need not wait for what comes
        after it."""
        await self.skip(leg, samples)
        if not self.over and samples > 0:
            self._keep(leg, rest(self._gathered[leg], self._known.sounding))

    async def say(self, what: CallEventType, attributes: Mapping[str, str] = NOTHING) -> None:
        """A step in the call's life between `started` and its end: held, resumed."""
        if self.over:
            return
        event = self._known.step(what, now_ms(), attributes)
        size_bytes = len(packed(event))
        self._steps_bytes += size_bytes
        if self._steps_bytes > _STEPS_BYTES and not self._spool.takes_audio(size_bytes):
            self._meter.refused("step")
            log.warning("step_refused", call_id=self.call_id, type=what, reason="the spool is full")
            return
        self._must(event)

    async def end(self, interrupted: bool = False) -> None:
        """The last chunk of every leg, then CallEvent `ended`; before that `interrupted` where the line broke.

        Idempotent: the first word counts.
        """
        self.finish("the connection broke before the call's end" if interrupted else None, now_ms())

    def finish(self, interrupted: str | None, at_ms: int) -> None:
        """As `end`, with the reason of an interruption, and when it was."""
        if self.over:
            return
        open_legs = [leg for leg, place in self._known.legs.items() if not place.ended]
        for leg in open_legs:
            self._record(leg, rest(self._gathered[leg], self._known.sounding))
        if self._recorder:
            self._recorder.close()
            if self._recorder.length_ms <= self._known.longer_than_ms:  # or nobody spoke: a file can't tell that
                self._leave_recording()
        if self._known.live or not self._known.recording:
            for leg in open_legs:
                self._close(leg, at_ms)
        if interrupted:
            self._meter.interrupted.inc()
            self._must(self._known.step("interrupted", at_ms, NOTHING, interrupted))
        self._must(self._known.step("ended", at_ms, NOTHING))

    def made(self, recorded: Recorded | None) -> None:
        """The recording is there, or came to nothing: then a `failed` says so."""
        if recorded:
            self._meter.recordings.inc()
            self._must(self._known.of_it(recorded, now_ms()))
        else:
            self._give_up("the call's recording is lost: what it was to be made of is gone")

    def forget_recording(self) -> None:
        """What the recording was made of goes."""
        if self._recorder:
            self._recorder.discard()

    def _close(self, leg: Speaker, at_ms: int) -> None:
        last = rest(self._gathered[leg], self._known.sounding)
        if not (last.samples and self._kept(self._known.chunk(leg, last, at_ms, last=True))):
            end_sample = last.start_sample + last.samples
            self._lose(last.samples)
            self._must(self._known.chunk(leg, Slice(end_sample, 0, b""), at_ms, last=True))

    def _keep(self, leg: Speaker, slice_: Slice) -> None:
        self._record(leg, slice_)  # first: the recording tells all that the chunks do
        if self._known.live and not self._kept(self._known.chunk(leg, slice_, now_ms())):
            self._lose(slice_.samples)

    def _record(self, leg: Speaker, slice_: Slice) -> None:
        if not (self._recorder and self._known.recording):
            return
        try:
            self._recorder.write(leg, slice_)
        except ValueError:  # of Ogg Opus; live, the transcription says so
            log.warning("not_decoded", call_id=self.call_id, leg=leg, then="its recording is silent there")
            if not self._known.live:
                self._lose(slice_.samples)
        except OSError as problem:
            self._unwritable = problem.strerror or ""
            if self._known.live:
                self._give_up("the call's recording could not be written: it is heard live alone")
            else:
                self._lose(slice_.samples)

    def _give_up(self, reason: str) -> None:
        log.error("recording_given_up", call_id=self.call_id, reason=self._unwritable or reason)
        self._meter.unrecorded.inc()
        self._leave_recording()
        self._must(self._known.step("failed", now_ms(), {"scope": "event"}, reason))

    def _leave_recording(self) -> None:
        self._known = replace(self._known, recording="")
        self.forget_recording()

    def _kept(self, chunk: Event) -> bool:
        """Whether the spool took the audio."""
        entry = packed(chunk)
        if not self._spool.takes_audio(len(entry)):
            return False
        try:
            self._journal.append(entry, self._header)
        except OSError as problem:
            self._unwritable = problem.strerror or ""
            return False
        self._meter.chunks.inc()
        self._next(chunk)
        return True

    def _lose(self, samples: int) -> None:
        """A hole where so much was: said on the call once, and counted every time."""
        if not samples:
            return
        self._meter.lost_s.inc(samples / self._known.sounding.rate_hz)
        if "failed" not in self._known.steps:
            reason = "audio was refused: the spool was full, or could not be written, while Kafka did not take it"
            if not self._known.live:
                reason = "audio was lost: the call's recording could not be written"
            why = self._unwritable or ("the spool is full" if self._known.live else "not decoded")
            log.error("audio_refused", call_id=self.call_id, spool_bytes=self._spool.used_bytes, reason=why)
            self._must(self._known.step("failed", now_ms(), {"scope": "event"}, reason))

    def _must(self, event: Event) -> None:
        self._journal.append(packed(event), self._header, must=True)
        self._next(event)

    def _next(self, event: Event) -> None:
        self._known = self._known.after(event)
        self._written(self)

    def _header(self) -> bytes:
        return header(self._known)
