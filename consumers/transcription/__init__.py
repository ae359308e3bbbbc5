"""transcription: audio in, utterances out; each channel is one speaker.

A live call's chunks and a finished recording take the same way: `channel` and `segmenter` find the utterances,
`recognizer` hears what was said in all of them together, `utterances` says it in events. Utterances are cut at pauses
and depend on nothing but the audio, so a replay after a crash goes on from `TranscriptionProgress`, repeating nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import structlog

from callbus.consumer import CallResult, CallSlice, Model, Settings
from callbus.errors import Reject
from consumers.transcription import utterances
from consumers.transcription.call import Call, Listened, listen
from consumers.transcription.channel import Piece, Segment
from consumers.transcription.recognizer import Heard, Sound
from consumers.transcription.recognizer import load as load_recognizer
from consumers.transcription.recording import chunks_of
from consumers.transcription.vad import Vad
from schemas.records import AudioChunk, Recording, TranscriptionProgress, Utterance

Input = AudioChunk | Recording
Slice = CallSlice[Input, TranscriptionProgress]
Result = CallResult[Input, TranscriptionProgress]

log = structlog.get_logger()


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
        heard = [self._listen(one) for one in slices]
        pieces = [piece for parts, _ in heard for part in parts for piece in part.pieces]
        sounds = [piece.sound for piece in pieces if isinstance(piece, Segment)]
        answers = iter(self._recognizer.recognize(sounds) if sounds else [])
        return [
            self._result(one, parts, rejected, answers) for one, (parts, rejected) in zip(slices, heard, strict=True)
        ]

    def _listen(self, one: Slice) -> tuple[list[Listened], list[tuple[Input, Reject]]]:
        """The slice's recordings, each on its own, and then its live chunks."""
        parts: list[Listened] = []
        rejected: list[tuple[Input, Reject]] = []
        for event in one.events:
            if isinstance(event, Recording):
                try:
                    parts.append(listen(Call(), chunks_of(event), self._vad))
                except Reject as reason:
                    rejected.append((event, reason))
        call = one.memory or Call.restored(one.state.channels if one.state else ())
        live = listen(call, [event for event in one.events if isinstance(event, AudioChunk)], self._vad)
        return [*parts, live], [*rejected, *live.rejected]

    def _result(
        self,
        one: Slice,
        parts: Sequence[Listened],
        rejected: Sequence[tuple[Input, Reject]],
        answers: Iterator[Heard],
    ) -> Result:
        said = [utterance for part in parts for utterance in self._say(one.call_id, part, answers)]
        live = parts[-1]
        if live.ended_by or not live.call.channels:
            return CallResult(events=said, state=None, rejected=rejected)
        before = one.state.utterances if one.state else 0
        state = TranscriptionProgress(call_id=one.call_id, channels=live.call.progress(), utterances=before + len(said))
        return CallResult(said, state, memory=live.call, holding=live.call.holding, rejected=rejected)

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
