"""Which event of a call is due when: the player's decisions, without a clock and without Kafka.

An event is due when the thing it tells of is over: a chunk at its last sample, a message when it has been typed. What
a file doesn't tell (that a caller was put on hold) is not made up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from callbus.errors import InputError
from callbus.ids import event_id
from callbus.modes import ATTRIBUTE
from producers.player.files import AudioCall, Play, WrittenCall, WrittenTurn
from schemas.records import AudioChunk, CallEvent, CallEventType, Medium, Provenance, Recording, Utterance

STAGE = "player"
CHUNK_MS = 250
AGAIN = 2
"""The revision of a recording whose call was live as well."""
_FIRST_HAND = Provenance(stage=STAGE, model="", model_version="", origin_ids=())

PlayedEvent = CallEvent | AudioChunk | Recording | Utterance


class Due(NamedTuple):
    """An event with its time: `at_ms` in the record stays 0 until it is published."""

    due_ms: float  # from the start of the call
    topic: str
    record: PlayedEvent


def events(play: Play, call: AudioCall | WrittenCall) -> Iterator[Due]:
    """A call's events in order of time, from `started` on. Their ids depend on `play.call_id` alone.

    Live audio comes in chunks, unless the mode is post-call. Where the mode needs a recording it comes when the call is
    over. Raises InputError for a written call with a mode.
    """
    if isinstance(call, WrittenCall):
        if play.as_recording or play.mode:
            how = "as a recording" if play.as_recording else f"in the mode {play.mode}"
            raise InputError(f"{play.path}: a written call can't be played {how}; leave that out, or name audio")
        return _written(play, call)
    if play.as_recording:
        return _finished(play, call)
    return _post_call(play, call) if play.mode == "post-call" else _live(play, call)


def cut_off(rest: Iterable[Due], at_ms: float) -> Iterator[Due]:
    """How a call ends that is cut off at `at_ms` with `rest` still to come: all of it due at once.

    The next chunk of each channel becomes its last, and messages that were not yet written never come: nothing that
    waits for an end waits for ever. A recording can't be cut: on its own it comes whole; where chunks are cut it never
    comes, as it would tell more than the call.
    """
    closed: set[str] = set()
    for _, topic, record in rest:
        match record:
            case AudioChunk(channel=channel):
                if channel in closed:
                    continue
                closed.add(channel)
                yield Due(at_ms, topic, replace(record, last=True, heard_again=False))
            case Utterance(kind="end"):
                yield Due(at_ms, topic, replace(record, start_ms=round(at_ms), end_ms=round(at_ms)))
            case Utterance():
                continue
            case Recording() if closed:
                continue
            case CallEvent() | Recording():
                yield Due(at_ms, topic, record)


def _live(play: Play, call: AudioCall) -> Iterator[Due]:
    yield _step(play, "started", call.medium, 0)
    size = max(1, call.sample_rate_hz * CHUNK_MS // 1000)
    total = call.samples.shape[1]
    for sequence, start in enumerate(range(0, total, size)):
        end = min(start + size, total)
        for number, channel in enumerate(call.channels):
            chunk = AudioChunk(
                event_id=event_id(play.call_id, STAGE, f"{channel}/{sequence}"),
                call_id=play.call_id,
                channel=channel,
                channels=len(call.channels),
                sequence=sequence,
                start_sample=start,
                sample_rate_hz=call.sample_rate_hz,
                codec="pcm_s16le",
                last=end == total,
                heard_again=play.mode == "hybrid",
                at_ms=0,
                payload=call.samples[number, start:end].astype(np.dtype("<i2")).tobytes(),
            )
            yield Due(end * 1000 / call.sample_rate_hz, "call-audio", chunk)
    over_ms = total * 1000 / call.sample_rate_hz
    yield _step(play, "ended", call.medium, over_ms)
    if play.mode == "hybrid":
        yield _recording(play, call, over_ms, AGAIN)


def _post_call(play: Play, call: AudioCall) -> Iterator[Due]:
    over_ms = call.samples.shape[1] * 1000 / call.sample_rate_hz
    yield _step(play, "started", call.medium, 0)
    yield _step(play, "ended", call.medium, over_ms)
    yield _recording(play, call, over_ms)


def _finished(play: Play, call: AudioCall) -> Iterator[Due]:
    yield _step(play, "started", "recording", 0)
    yield _recording(play, call, 0)
    yield _step(play, "ended", "recording", 0)


def _written(play: Play, call: WrittenCall) -> Iterator[Due]:
    yield _step(play, "started", call.medium, 0)
    for number, turn in sorted(enumerate(call.turns), key=lambda numbered: numbered[1].end_ms):
        message = _message(play.call_id, f"message/{number}", turn, turn.language or call.language)
        yield Due(turn.end_ms, "transcripts", message)
    yield Due(call.duration_ms, "transcripts", _end(play.call_id, call.duration_ms))
    yield _step(play, "ended", call.medium, call.duration_ms)


def _step(play: Play, type_: CallEventType, medium: Medium, due_ms: float) -> Due:
    mode = {ATTRIBUTE: play.mode} if play.mode else {}
    step = CallEvent(
        event_id=event_id(play.call_id, STAGE, type_),
        call_id=play.call_id,
        at_ms=0,
        type=type_,
        medium=medium,
        source=STAGE,
        attributes={**play.attributes, **mode} if type_ == "started" else {},
    )
    return Due(due_ms, "call-events", step)


def _recording(play: Play, call: AudioCall, due_ms: float, revision: int = 1) -> Due:
    recording = Recording(
        event_id=event_id(play.call_id, STAGE, "recording"),
        call_id=play.call_id,
        at_ms=0,
        uri=call.path.resolve().as_uri(),
        sha256=call.sha256,
        channels=call.channels,
        duration_ms=call.duration_ms,
        revision=revision,
    )
    return Due(due_ms, "call-recordings", recording)


def _message(call_id: str, position: str, turn: WrittenTurn, language: str) -> Utterance:
    return Utterance(
        event_id=event_id(call_id, STAGE, position),
        call_id=call_id,
        at_ms=0,
        kind="message",
        speaker=turn.speaker,
        start_ms=turn.start_ms,
        end_ms=turn.end_ms,
        text=turn.text,
        language=language,
        language_probability=1.0,
        confidence=1.0,
        words=(),
        provenance=_FIRST_HAND,
    )


def _end(call_id: str, duration_ms: int) -> Utterance:
    return Utterance(
        event_id=event_id(call_id, STAGE, "end"),
        call_id=call_id,
        at_ms=0,
        kind="end",
        speaker="unknown",
        start_ms=duration_ms,
        end_ms=duration_ms,
        text="",
        language="",
        language_probability=0.0,
        confidence=1.0,
        words=(),
        provenance=_FIRST_HAND,
    )
