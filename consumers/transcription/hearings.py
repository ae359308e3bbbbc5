"""Which hearing of a call goes on: the live one, that of its recording, or first the one and then the other (hybrid).

A recording that comes before the live end is kept in the state, and begun once the live hearing is over; one that comes
later, or to a call that is over, at once. Live audio that comes while the recording is read is heard first. So the two
hearings come to the same in whatever order their topics arrive.

While a recording is read an event is held, so that after a crash it comes again and the reading goes on from its state:
the oldest chunk that live audio still rests on, or else the `trigger`, the newest event of the call. What is older must
not come again: it could come when the reading, and with it the memory of the live hearing, is over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import structlog

from callbus.consumer import CallResult, CallSlice
from callbus.errors import Reject
from consumers.transcription.call import Call, Listened
from consumers.transcription.ordering import Missing
from consumers.transcription.partials import Following
from consumers.transcription.pieces import Gap
from consumers.transcription.recording import Reading
from schemas.records import AudioChunk, ChannelProgress, Recording, TranscriptionProgress

log = structlog.get_logger()

Input = AudioChunk | Recording
Slice = CallSlice[Input, TranscriptionProgress]
Result = CallResult[Input, TranscriptionProgress]
Rejected = Sequence[tuple[Input, Reject]]


@dataclass(frozen=True, slots=True)
class Hearings:
    """What is remembered of a call in memory."""

    following: Following | None = None
    reading: Reading | None = None
    trigger: Input | None = None

    @property
    def holding(self) -> Input | None:
        return (self.following.call.holding if self.following else None) or self.trigger


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done with a slice. `recording` is the one that is kept or read; `begun`: it is read."""

    one: Slice
    memory: Hearings
    recording: Recording | None
    begun: bool
    chunks: list[AudioChunk] = field(default_factory=list)
    rejected: list[tuple[Input, Reject]] = field(default_factory=list)

    @property
    def state(self) -> TranscriptionProgress:
        return self.one.state or TranscriptionProgress(call_id=self.one.call_id, channels=(), utterances=0)

    @property
    def read(self) -> Recording | None:
        """The recording, if it is its turn."""
        return self.recording if self.begun and not self.chunks else None

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing to hear: of a call that is silent and has ended already, or is no live one; or
        whose recording is still to come again after a crash."""
        if self.chunks or self.begun:
            return False
        live = _is_live(self.one.state)
        return (not live or self.state.silent) if self.one.silent else (self.one.state is not None and not live)

    @property
    def following(self) -> Following:
        if self.memory.following:
            return self.memory.following
        return Following(Call.restored(self.one.state if _is_live(self.one.state) else None))

    def reading(self, recording: Recording) -> Reading:
        """The recording as far as it was read. Raises as `Reading.begin`."""
        return self.memory.reading or Reading.begin(recording, self.read_before(recording))

    def read_before(self, recording: Recording) -> tuple[ChannelProgress, ...]:
        """How far the recording had been read."""
        return self.state.recording_channels if recording.revision > 1 else self.state.channels


def turn_of(one: Slice) -> Turn:
    """Whose turn it is: live audio first."""
    memory = one.memory if isinstance(one.memory, Hearings) else Hearings()
    state = one.state
    kept = memory.reading.source if memory.reading else (state.recording if state else None)
    if kept is None and isinstance(memory.trigger, Recording):  # it waits for others that are read before it
        kept = memory.trigger
    chunks: list[AudioChunk] = []
    after_end: list[AudioChunk] = []
    rejected: list[tuple[Input, Reject]] = []
    live = _is_live(state) or bool(state and state.live_ended)
    for event in one.events:
        if reason := _why_not(event, kept, state.recording_id if state else "", live):
            rejected.append((event, Reject(reason)))
        elif isinstance(event, Recording):
            kept = event
        else:
            live = True
            (after_end if state and state.live_ended else chunks).append(event)
    going_on = _is_live(state) and not (state and state.silent)
    begun = kept is not None and (bool(state and state.recording_id) or not going_on)
    if state and after_end:
        one = replace(one, state=_counted(state, after_end))
    return Turn(one, memory, kept, begun, chunks, rejected)


def after_live(turn: Turn, live: Listened, said: int) -> TranscriptionProgress | None:
    """What has been said of a call by now. The very same as before if only `heard_*` were new: those chunks are held,
    and come again after a crash."""
    before, ended, kept = turn.state, live.ended_by is not None, turn.recording
    if kept is None and ended:
        return _over(replace(before, channels=_missing(live.call.progress())))
    if kept is None and not live.call.channels:
        return None
    going_on = bool(live.call.channels) and not ended and not live.silent
    begun = kept is not None and (bool(before.recording_id) or not going_on)
    after = replace(
        before,
        channels=_missing(live.call.progress()) if ended else live.call.progress(),
        utterances=before.utterances + said,
        recording_id=kept.event_id if kept and begun else "",
        interruptions=before.interruptions + live.silent,
        silent=live.silent or (before.silent and len(live.rejected) == len(turn.chunks)),
        recording=kept,
        live_ended=ended,
    )
    if after == turn.one.state:
        return turn.one.state
    return replace(after, heard_ms=live.call.newest[0], heard_id=live.call.newest[1])


def after_reading(turn: Turn, read: Listened, rest: Reading | None, said: int) -> TranscriptionProgress | None:
    """The same after a part of the recording; after its last part what is left of a live call."""
    before, utterances = turn.state, turn.state.utterances + said
    if rest is None:
        if before.live_ended:
            return _over(before)
        live = _is_live(turn.one.state)
        none = replace(before, utterances=utterances, recording=None, recording_id="", recording_channels=())
        return none if live else None
    if rest.source.revision > 1:
        return replace(
            before,
            utterances=utterances,
            recording=rest.source,
            recording_id=rest.source.event_id,
            recording_channels=read.call.progress(),
        )
    return replace(
        before,
        utterances=utterances,
        recording_id=rest.source.event_id,
        channels=read.call.progress(),
        heard_ms=read.call.newest[0],
        heard_id=read.call.newest[1],
    )


def put_off(turn: Turn, recording: Recording, reading: Reading | None) -> Result:
    """Others are read before this recording. `reading` is what had to be opened even so."""
    kept = recording if recording.revision > 1 else None  # one of revision 1 is the event that is held
    state = replace(turn.state, recording=kept, recording_id=recording.event_id)
    after = Hearings(turn.memory.following, reading, newest(turn.one.events, turn.rejected) or turn.memory.trigger)
    return CallResult((), state, after, after.holding, turn.rejected, unfinished=True)


def newest(events: Sequence[Input], rejected: Rejected) -> Input | None:
    """The last event that was not rejected."""
    refused = {id(event) for event, _ in rejected}
    return next((event for event in reversed(events) if id(event) not in refused), None)


def _over(before: TranscriptionProgress) -> TranscriptionProgress:
    """All that is remembered of a call that was live and is over, until it has been silent for a while: that it is, and
    what never came. A door that was killed sends its last chunks again, and they must not be heard again."""
    return TranscriptionProgress(call_id=before.call_id, channels=before.channels, utterances=0, live_ended=True)


def _missing(channels: Sequence[ChannelProgress]) -> tuple[ChannelProgress, ...]:
    """Those of an ended call by which a late chunk can be told from a double."""
    return tuple(one for one in channels if one.missing)


def _counted(state: TranscriptionProgress, chunks: Sequence[AudioChunk]) -> TranscriptionProgress:
    """What is known of a call that is over, after these came to it: those that had been given up are counted as late,
    and told of; the others are doubles."""
    channels = {one.channel: one for one in state.channels}
    for chunk in chunks:
        one = channels.get(chunk.channel)
        if one and (rest := Missing.of(one.missing).without(chunk.sequence)) is not None:
            channels[one.channel] = replace(one, missing=rest.flat, late=one.late + 1)
            late = sum(one.late for one in channels.values())
            log.warning("audio came after its call's end", call_id=state.call_id, channel=one.channel, chunks=late)
    return replace(state, channels=tuple(channels.values()))


def _is_live(state: TranscriptionProgress | None) -> bool:
    """Whether it knows of live audio that has not ended."""
    if state is None or state.live_ended or not state.channels:
        return False
    return state.recording is not None or not state.recording_id


def _why_not(event: Input, kept: Recording | None, reading_id: str, live: bool) -> str | None:
    """Why this event can't belong to the call as it is."""
    if isinstance(event, AudioChunk):
        alone = kept.revision == 1 if kept else bool(reading_id)
        return "live audio of a call that came as a recording; give it a call_id of its own" if alone else None
    if event.event_id != (kept.event_id if kept else reading_id or event.event_id):
        return f"{event.uri}: another recording of this call is being read; publish it under a call_id of its own"
    if live and event.revision == 1:
        return f"{event.uri}: a recording of a call that is live; give it a call_id of its own"
    return None


def unheard(turn: Turn, recording: Recording) -> Iterator[Gap]:
    """Of a recording that turns out to be unreadable: what of each channel is never heard, in ms; nothing where its
    length is not known."""
    channels = {one.channel: one for one in turn.read_before(recording)}
    for name in recording.channels:
        one = channels.get(name)
        start = one.position * 1000 // one.sample_rate_hz if one and one.sample_rate_hz else 0
        end = recording.duration_ms or 0
        if start < end:
            yield Gap(name, start, end, 1000, recording.at_ms, (recording.event_id,))
