"""transcription: audio in, utterances out; each channel is one speaker.

A live call's chunks and a finished recording take the same way: `channel` and `segmenter` find the utterances,
`recognizer` hears what was said in all of them together, `utterances` says it in events. A recording is read in parts,
so that live calls pass between. Utterances are cut at pauses and depend on nothing but the audio, so a replay after a
crash goes on from `TranscriptionProgress`, repeating nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from callbus.consumer import CallResult, CallSlice, Model, Settings
from callbus.errors import Reject
from consumers.transcription import utterances
from consumers.transcription.call import Call, Listened, listen
from consumers.transcription.channel import Piece, Segment
from consumers.transcription.recognizer import Heard, Sound
from consumers.transcription.recognizer import load as load_recognizer
from consumers.transcription.recording import Reading
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, Recording, TranscriptionProgress, Utterance

Input = AudioChunk | Recording
Slice = CallSlice[Input, TranscriptionProgress]
Result = CallResult[Input, TranscriptionProgress]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Part:
    """What one slice was heard to be. `rest` is what is still unread of its recording."""

    listened: Listened
    rejected: Sequence[tuple[Input, Reject]]
    rest: Reading | None = None


class Recognizes(Protocol):
    """What turns sounds into words: one answer per sound, each depending on its sound alone."""

    def recognize(self, sounds: Sequence[Sound]) -> list[Heard]: ...


def load(settings: Settings) -> "Transcription":
    """The consumer with its models. Raises `ModelError` if the recogniser's model can't be loaded."""
    return Transcription(settings.group, settings.model, Vad(), load_recognizer(settings))


class Transcription:
    """A `Stateful` consumer of AudioChunk and Recording; makes Utterance."""

    def __init__(self, group: str, model: Model, vad: Vad, recognizer: Recognizes) -> None:
        self._group = group
        self._model = model
        self._vad = vad
        self._recognizer = recognizer

    def advance(self, slices: Sequence[Slice]) -> list[Result]:
        """Find the utterances of every call, recognise them together, and say what each call came to."""
        parts = [self._listen(one) for one in slices]
        pieces = [piece for part in parts for piece in part.listened.pieces]
        sounds = [piece.sound for piece in pieces if isinstance(piece, Segment)]
        answers = iter(self._recognizer.recognize(sounds) if sounds else [])
        return [self._result(one, part, answers) for one, part in zip(slices, parts, strict=True)]

    def _listen(self, one: Slice) -> _Part:
        """The next part of the call: of its recording if one is being read, else its live chunks."""
        reading, rejected = self._open(one)
        if reading:
            listened, rest = reading.next_part(self._vad)
            return _Part(listened, rejected, rest)
        call = one.memory if isinstance(one.memory, Call) else Call.restored(one.state.channels if one.state else ())
        live = listen(call, [event for event in one.events if isinstance(event, AudioChunk)], self._vad)
        return _Part(live, [*rejected, *live.rejected])

    def _open(self, one: Slice) -> tuple[Reading | None, list[tuple[Input, Reject]]]:
        """The call's recording, where there is one. A call is live or a recording: the other kind is rejected."""
        reading = one.memory if isinstance(one.memory, Reading) else None
        live = reading is None and one.state is not None and not one.state.recording_id
        rejected: list[tuple[Input, Reject]] = []
        for event in one.events:
            if reason := _why_not(event, reading, live):
                rejected.append((event, Reject(reason)))
            elif isinstance(event, AudioChunk):
                live = True
            elif reading is None:
                try:
                    reading = Reading.begin(event, one.state)
                except Reject as problem:
                    rejected.append((event, problem))
        return reading, rejected

    def _result(self, one: Slice, part: _Part, answers: Iterator[Heard]) -> Result:
        call, rest = part.listened.call, part.rest
        said = self._say(one.call_id, part.listened, answers)
        if part.listened.ended_by or not call.channels:
            return CallResult(events=said, state=None, rejected=part.rejected)
        before = one.state.utterances if one.state else 0
        state = TranscriptionProgress(
            call_id=one.call_id,
            channels=call.progress(),
            utterances=before + len(said),
            recording_id=rest.source.event_id if rest else "",
        )
        if rest:
            return CallResult(said, state, rest, rest.source, part.rejected, unfinished=True)
        return CallResult(said, state, call, call.holding, part.rejected)

    def _say(self, call_id: str, part: Listened, answers: Iterator[Heard]) -> list[Utterance]:
        """A part's utterances in order of time, and its end if it has ended."""
        made = [self._utterance(call_id, piece, answers) for piece in part.pieces]
        said = sorted(
            (utterance for utterance in made if utterance is not None),
            key=lambda one: (one.start_ms, one.speaker),
        )
        if last := part.ended_by:
            said.append(utterances.end(call_id, self._group, part.call.length_ms, last.at_ms, last.event_id))
        return said

    def _utterance(self, call_id: str, piece: Piece, answers: Iterator[Heard]) -> Utterance | None:
        if not isinstance(piece, Segment):
            return utterances.gap(call_id, self._group, piece)
        heard = next(answers)
        if not heard.text:
            log.debug("nothing was said", call_id=call_id, channel=piece.speaker, length_s=piece.sound.length_s)
            return None
        return utterances.spoken(call_id, self._group, self._model, piece, heard)


def _why_not(event: Input, reading: Reading | None, live: bool) -> str | None:
    """Why this event can't belong to the call as it is."""
    if isinstance(event, AudioChunk):
        return "live audio of a call that came as a recording; give it a call_id of its own" if reading else None
    if live:
        return f"{event.uri}: a recording of a call that is live; give it a call_id of its own"
    if reading and event.event_id != reading.source.event_id:
        return f"{event.uri}: another recording of this call is being read; publish it under a call_id of its own"
    return None
