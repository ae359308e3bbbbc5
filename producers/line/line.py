"""A door's calls: begun, journalled, sent; and those of the process before it, sent and ended."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from callbus.clock import now_ms
from callbus.errors import CodecError
from callbus.modes import ATTRIBUTE, Rule
from producers.line.call import NOTHING, Busy, Call
from producers.line.chunks import Sounding
from producers.line.events import Known, Place, header, known_from, packed
from producers.line.hearing import Hearing
from producers.line.journal import Journal
from producers.line.meter import Meter
from producers.line.publisher import Publisher
from producers.line.recordings import Recorder, Recordings
from producers.line.sender import Sender
from producers.line.spool import Spool
from schemas.records import Medium, Speaker

log = structlog.get_logger(__name__)

LONGEST_ID = 200
_REMEMBERED = 10_000  # calls that are over: chunks of a second one of the same name would pass for doubles


class Line:
    """The calls of one door process. Use as an async context manager.

    Entering it takes the spool, sends what a process before it has left there, and ends those calls as interrupted.
    Leaving it ends the calls that run, and waits a while until Kafka has everything; `left` says of how many calls it
    has not: those wait in the spool for the next start.
    """

    def __init__(
        self,
        publisher: Publisher,
        door: str,
        spool: Spool,
        *,
        most_calls: int = 100,
        leave_within_s: float = 10.0,
        rules: Sequence[Rule] = (),
        recordings: Recordings | None = None,
        attributes: Mapping[str, str] = NOTHING,
    ) -> None:
        """`door` is its name in topology.yaml, and the `source` of its events. The first of the `rules` that fits a
        call chooses its mode; without `recordings`, those of modes that need one are passed over. `attributes` hold
        for each call that does not say otherwise."""
        self.door = door
        self._publisher = publisher
        self._spool = spool
        self._most_calls = most_calls
        self._attributes = attributes
        self._leave_within_s = leave_within_s
        self._meter = Meter(door)
        self._hearing = Hearing(door, rules, recordings, self._meter)
        self._calls: dict[str, Call] = {}  # that run
        self._senders: dict[str, Sender] = {}  # of those, and of those that are over and not all in Kafka
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._journals: dict[str, Journal] = {}
        self._over: dict[str, None] = {}
        self._leaving = False

    @property
    def running(self) -> int:
        """Calls that run now."""
        return len(self._calls)

    @property
    def left(self) -> int:
        """Calls of which Kafka does not have everything."""
        return len(self._journals)

    @property
    def behind_s(self) -> float:
        """The age of the oldest event that Kafka does not have."""
        oldest_ms = [sender.oldest_ms for sender in self._senders.values() if sender.oldest_ms is not None]
        return max(0.0, (now_ms() - min(oldest_ms)) / 1000) if oldest_ms else 0.0

    async def begin(
        self,
        call_id: str,
        legs: Sequence[Speaker],
        sounding: Sounding,
        attributes: Mapping[str, str] = NOTHING,
        *,
        medium: Medium = "phone",
    ) -> Call:
        """A new call: CallEvent `started`, which says its mode beside the `attributes`.

        Raises Busy, or ValueError for an id or legs that no call may have.
        """
        if not 0 < len(call_id) <= LONGEST_ID or not call_id.isprintable():
            raise ValueError(f"a call_id has 1 to {LONGEST_ID} printable characters")
        if not legs or len(set(legs)) < len(legs):
            raise ValueError(f"legs {list(legs)}: name each once")
        if self._leaving:
            raise self._busy(f"{self.door} is being stopped", "stopping")
        if call_id in self._over or call_id in self._journals:
            raise self._busy(f"a call of this call_id was there already; {self.door} needs another for each", "again")
        if self.running >= self._most_calls:
            raise self._busy(f"{self.running} calls run, and {self.door} takes no more; see --most-calls", "calls")
        at_ms, attributes = now_ms(), {**self._attributes, **attributes}
        choice, recorder = self._hearing.begin(call_id, at_ms, legs, sounding, attributes, self.running)
        known = Known(
            call_id=call_id,
            door=self.door,
            medium=medium,
            sounding=sounding,
            legs=dict.fromkeys(legs, Place()),
            at_ms=at_ms,
            mode=choice.mode,
            longer_than_ms=choice.longer_than_ms,
            recording=str(recorder.target) if recorder else "",
        )
        started = known.step("started", at_ms, {**attributes, ATTRIBUTE: choice.mode})
        try:
            journal = self._begun(known, packed(started))
        except Busy:
            if recorder:
                recorder.discard()
            raise
        call = self._take_on(known.after(started), journal, recorder)
        self._calls[call_id] = call
        self._meter.calls.set(self.running)
        return call

    def refused(self, reason: str) -> None:
        """Count a connection that the door turned away: one word, such as address, token, pace, silent, garbage."""
        self._meter.refused(reason)

    async def __aenter__(self) -> Self:
        """Raises InputError where the spool can't be used, or the recordings' folder."""
        self._spool.open(self.door)
        self._hearing.open()
        self._meter.watch(lambda: self._spool.used_bytes, self._spool.limit_bytes, lambda: self.behind_s)
        for journal, head, entries in await asyncio.to_thread(self._spool.left):
            try:
                known = known_from(head, entries)
            except (ValueError, KeyError, TypeError, CodecError):
                log.exception("journal_not_ours", journal=journal.folder.name, then="it is left where it is")
                continue
            try:
                recorder = known.recording and Recorder(Path(known.recording), list(known.legs), known.sounding)
            except OSError:
                log.exception("recording_out_of_reach", call_id=known.call_id, then="the call is left where it is")
                continue
            interrupted = not known.ended
            log.warning("call_left_over", call_id=known.call_id, interrupted=interrupted, size_bytes=journal.size_bytes)
            at_ms = max(known.at_ms, recorder.written_ms) if recorder else known.at_ms
            call = self._take_on(known, journal, recorder or None)
            if interrupted:
                call.finish("the door was killed or crashed during the call", at_ms)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        for call in list(self._calls.values()):
            call.finish("the door was stopped before the call's end", now_ms())
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._leave_within_s if kind is None else 0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for journal in self._journals.values():
            journal.close()
        self._spool.close()
        if self.left:
            log.warning("left_in_spool", door=self.door, calls=self.left, spool_bytes=self._spool.used_bytes)

    def _begun(self, known: Known, entry: bytes) -> Journal:
        """The journal of a call with its first entry. Raises Busy."""
        if not self._spool.takes_call(len(entry)):
            raise self._busy("the spool is full, and Kafka takes nothing", "spool")
        journal = self._spool.journal(known.call_id)
        try:
            journal.append(entry, lambda: header(known))
        except OSError as problem:
            self._spool.gone(journal)
            raise self._busy(f"the spool can't be written ({problem.strerror})", "spool") from problem
        return journal

    def _take_on(self, known: Known, journal: Journal, recorder: Recorder | None) -> Call:
        """The call with its journal, and the task that sends it."""
        call_id = known.call_id
        call = Call(known, journal, self._spool, self._meter, self._written, recorder)
        sender = Sender(call_id, journal, self._publisher, self._meter, lambda: call.over)
        self._senders[call_id], self._journals[call_id] = sender, journal
        self._tasks[call_id] = asyncio.create_task(self._send(call, sender), name=f"send {call_id}")
        return call

    def _written(self, call: Call) -> None:
        if call.over:
            self._calls.pop(call.call_id, None)
            self._meter.calls.set(self.running)
        self._senders[call.call_id].wake()

    async def _send(self, call: Call, sender: Sender) -> None:
        call_id = call.call_id
        try:
            await sender.run()
            if recorder := call.unmade:
                call.made(await self._hearing.make(call_id, recorder))
                await sender.run()
        except Exception as problem:
            log.exception("sender_failed", call_id=call_id, reason=type(problem).__name__)
            raise
        call.forget_recording()
        self._spool.gone(self._journals.pop(call_id))
        del self._senders[call_id], self._tasks[call_id]
        self._over[call_id] = None
        while len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]

    def _busy(self, message: str, reason: str) -> Busy:
        self._meter.refused(reason)
        return Busy(message, reason)
