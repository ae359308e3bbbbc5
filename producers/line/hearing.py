"""How the calls of one door are heard: the mode of each, its recorder, and its recording once it is over."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from callbus.modes import DEFAULT, MODES, RECORDED, Choice, Rule, live_choice
from producers.line.chunks import Sounding
from producers.line.meter import Meter
from producers.line.recordings import Recorded, Recorder, Recordings, can_record
from schemas.records import Speaker

log = structlog.get_logger(__name__)

_AGAIN_S = 1.0


class Hearing:
    """The topology's rules, and what this door can do of them."""

    def __init__(self, door: str, rules: Sequence[Rule], recordings: Recordings | None, meter: Meter) -> None:
        self._door, self._rules, self._recordings, self._meter = door, rules, recordings, meter
        self._making = asyncio.Semaphore(1)  # each takes a core for a while

    def open(self) -> None:
        """InputError where no recording can be written."""
        if self._recordings:
            self._recordings.open()
        elif modes := sorted({rule.mode for rule in self._rules} & {*RECORDED}):
            log.warning("modes_passed_over", door=self._door, modes=modes, mend="record calls with --recordings")

    def begin(
        self,
        call_id: str,
        at_ms: int,
        legs: Sequence[Speaker],
        sounding: Sounding,
        attributes: Mapping[str, str],
        running: int,
    ) -> tuple[Choice, Recorder | None]:
        """How a call that begins beside so many others is heard, and its recorder where that needs one."""
        recordings = self._recordings if can_record(legs) else None
        able = MODES if recordings and recordings.has_room() else (DEFAULT,)
        choice = live_choice(self._rules, attributes, running=running, able=able)
        if choice.mode not in RECORDED or not recordings:
            return choice, None
        try:
            return choice, recordings.begin(self._door, call_id, at_ms, legs, sounding)
        except OSError:
            log.exception("not_recorded", call_id=call_id, then="the call is heard live alone")
            self._meter.unrecorded.inc()
            return Choice(DEFAULT), None

    async def make(self, call_id: str, recorder: Recorder) -> Recorded | None:
        """The recording of a call that is over, for as long as it takes; None where nothing is left of it."""
        told = False
        while True:
            try:
                async with self._making:
                    return await asyncio.to_thread(recorder.make)
            except OSError:
                if not told:
                    log.exception("recording_not_made", call_id=call_id, then="it is tried again")
                told = True
            await asyncio.sleep(_AGAIN_S)
