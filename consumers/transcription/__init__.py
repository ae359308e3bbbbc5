"""transcription: audio in, utterances out; each channel is one speaker.

A live call's chunks and a finished recording take the same way: `channel` and `segmenter` find the utterances,
`recognizer` hears what was said in all of them together, `saying` says it in events. A recording is read in parts, one
with each batch (`pace`), so that live calls pass between. Utterances are cut at pauses and depend on nothing but the
audio, so a replay after a crash goes on from `TranscriptionProgress`, repeating nothing.

While an utterance is still being spoken, `partials` says what is understood of it so far. In one batch the finals of
live calls come first, then partials within their budget, then a recording's part: a small one while calls are live, and
mostly none beside live finals.

A call may be heard twice (mode hybrid): live, and again from its recording as revision 2. `hearings` says whose turn it
is, `ears` which model hears it.

A live call that falls silent is said to its end, and its progress is kept: a late chunk goes on at its position, what
never came between becomes a gap, and the call ends once more.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from callbus.consumer import CallResult, Model, Settings
from callbus.errors import Reject, Retry
from consumers.transcription import ears as listening
from consumers.transcription import partials
from consumers.transcription.call import Call, Listened, fall_silent, listen
from consumers.transcription.copy import CopyFailed, may_wait
from consumers.transcription.ears import Ear, Ears, Recognizes, Recordings
from consumers.transcription.hearings import (
    Hearings,
    Result,
    Slice,
    Turn,
    after_live,
    after_reading,
    newest,
    put_off,
    turn_of,
)
from consumers.transcription.pace import Pace
from consumers.transcription.partials import Partials
from consumers.transcription.saying import Part, Saying
from consumers.transcription.sound import Heard
from consumers.transcription.vad import Vad
from schemas.records import PartialUtterance, Recording, Utterance

log = structlog.get_logger()

_LISTENERS = min(8, os.cpu_count() or 1)


class Options(BaseModel):
    """`options:` of the group in topology.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partials: Partials | None = Field(default=Partials(), description="What is told of open utterances; null: nothing.")
    recordings: Recordings = Field(default=Recordings(), description="With how much care recordings are heard.")

    @field_validator("recordings")
    @classmethod
    def _after_partials(cls, recordings: Recordings, info: ValidationInfo) -> Recordings:
        """Under load partials are thinned out first, then a model steps down."""
        before = info.data.get("partials")
        if before and recordings.behind_ms is not None and recordings.behind_ms < before.behind_ms:
            raise ValueError("its `behind` should be no shorter than that of `partials`, which are thinned out first")
        return recordings


def load(settings: Settings) -> "Transcription":
    """The consumer with its models. Raises `ModelError` if one of the recogniser's models can't be loaded."""
    options = Options.model_validate(settings.options)
    ears = listening.load(settings, options.recordings)
    return Transcription(settings.group, settings.model, Vad(), ears.live.recognizer, options, ears)


class Transcription:
    """A `Stateful` consumer of AudioChunk and Recording; makes Utterance and PartialUtterance."""

    def __init__(
        self,
        group: str,
        model: Model,
        vad: Vad,
        recognizer: Recognizes,
        options: Options | None = None,
        ears: Ears | None = None,
    ) -> None:
        """Without `ears` recordings are heard as live audio is."""
        self._vad = vad
        self._ears = ears or Ears(Ear(model, recognizer), Ear(model, recognizer))
        self._partials = (options or Options()).partials
        self._saying = Saying(group, model, partials=self._partials is not None)
        self._pace = Pace()
        self._listeners = ThreadPoolExecutor(_LISTENERS, "listener")

    def advance(self, slices: Sequence[Slice]) -> list[Result]:
        """Find the utterances of every call, recognise them together, and say what each call came to."""
        part_s = self._pace.part_s(slices)
        turns = [turn_of(one) for one in slices]
        next_one = self._pace.next_of(turns)
        if next_one is None and not any(one.events for one in slices):
            self._pace.rest()
        live = self._listen([turn for turn in turns if not turn.read])
        finals = any(isinstance(part, Part) and part.sounds for part in live.values())
        if next_one and self._pace.gives_way(finals):
            next_one = None
        parts = [
            self._read(turn, turn.read, part_s if turn is next_one else 0) if turn.read else live[id(turn)]
            for turn in turns
        ]
        heard = self._hear([part for part in parts if isinstance(part, Part)])
        return [self._result(part, heard) if isinstance(part, Part) else part for part in parts]

    def _hear(self, parts: Sequence[Part]) -> Mapping[int, Heard]:
        """What was said in the segments and in the partials that there is room for, by the `id` of their sounds: in
        live finals, with what partials fill of the same run, and only then in recordings."""
        live = [sound for part in parts if not part.turn.read for sound in part.sounds]
        asked = [one for part in parts for one in part.due]
        chosen = partials.within(asked, self._partials.audio_ms) if self._partials else []
        recorded = [(part.ear.recognizer, sound) for part in parts if part.turn.read for sound in part.sounds]
        first, careful = self._ears.live.recognizer, self._ears.careful.recognizer
        in_order = (
            (first, [*live, *(one.sound for one in chosen)]),
            (first, [sound for by, sound in recorded if by is first]),
            (careful, [sound for by, sound in recorded if by is not first]),
        )
        heard: dict[int, Heard] = {}
        for recognizer, sounds in in_order:
            answers = recognizer.recognize(sounds) if sounds else []
            heard |= {id(sound): its for sound, its in zip(sounds, answers, strict=True)}
        return heard

    def _listen(self, turns: Sequence[Turn]) -> Mapping[int, Part | Result]:
        """What the live chunks of each call come to, by the `id` of its turn. Calls are heard side by side: finding
        speech takes nearly as long as recognising it, and most of that without the interpreter's lock."""
        heard = [self._listeners.submit(copy_context().run, self._live, turn) for turn in turns]
        return {id(turn): its.result() for turn, its in zip(turns, heard, strict=True)}

    def _live(self, turn: Turn) -> Part | Result:
        """The live chunks of a call. A result, where there is nothing to hear now."""
        one = turn.one
        if turn.says_nothing:
            return _as_before(turn)
        before = turn.following
        ear, every = self._ears.live, self._partials.every(one.behind_s) if self._partials else 1
        if one.silent:
            silent = fall_silent(before.call, self._vad)
            return Part(turn, silent, ear, turn.rejected, untold=partials.untold(before, silent.pieces, every))
        live = listen(before.call, turn.chunks, self._vad)
        following = before.heard(live.call)
        due = partials.due(following, every) if self._partials and every else []
        untold = partials.untold(before, live.pieces, every)
        return Part(
            turn,
            live,
            ear,
            [*turn.rejected, *live.rejected],
            following=following if every else partials.left_out(following),
            due=due,
            untold=untold,
        )

    def _read(self, turn: Turn, recording: Recording, part_s: int) -> Part | Result:
        """The next so much of a call's recording. A result, where nothing of it is heard now."""
        ear = self._ears.for_recording(turn.one.behind_s)
        event = next((event for event in turn.one.events if event is recording), None)
        try:
            waits = not part_s and not (event and self._pace.has_room())
            if waits and (event is None or may_wait(recording)):
                return put_off(turn, recording, turn.memory.reading)
            reading = turn.reading(recording)
            self._pace.opened(reading)
            if not part_s:
                reading.copy.step()
                return put_off(turn, recording, reading)
            listened, rest = reading.next_part(self._vad, part_s)
        except Retry as problem:
            if event is not None and not isinstance(problem, CopyFailed):
                raise
            _say("a recording can't be read now", turn, recording, problem)
            self._pace.failed()
            return put_off(turn, recording, None)
        except Reject as problem:
            if event is None:  # no dead letter will say why
                _say("a recording can't be read", turn, recording, problem)
            rejected = [*turn.rejected, (event, problem)] if event else turn.rejected
            return Part(turn, Listened(Call()), ear, rejected, broken=event is None)
        return Part(turn, listened, ear, turn.rejected, rest)

    def _result(self, part: Part, heard: Mapping[int, Heard]) -> Result:
        said, withdrawn = self._saying.of(part, heard)
        if part.turn.read:
            return self._after_reading(part, said)
        turn, listened, memory = part.turn, part.listened, part.turn.memory
        state = after_live(turn, listened, len(said))
        begun = state is not None and bool(state.recording_id)
        if state is None or ((listened.silent or listened.ended_by) and not begun):
            # Without memory: whether there is a crash before a late chunk changes nothing.
            return CallResult([*said, *withdrawn], state, rejected=part.rejected)
        trigger = newest(turn.one.events, part.rejected) or memory.trigger or memory.holding if begun else None
        if listened.ended_by or listened.silent or part.following is None:
            after, revised = Hearings(None, memory.reading, trigger), list[PartialUtterance]()
        else:
            told, revised = self._saying.revised(turn.one.call_id, part.due, heard)
            after = Hearings(part.following.telling(told), memory.reading, trigger)
        return CallResult([*said, *withdrawn, *revised], state, after, after.holding, part.rejected, unfinished=begun)

    def _after_reading(self, part: Part, said: Sequence[Utterance]) -> Result:
        turn, memory = part.turn, part.turn.memory
        state = after_reading(turn, part.listened, part.rest, len(said))
        if state is None:
            return CallResult(said, None, rejected=part.rejected)
        trigger = newest(turn.one.events, part.rejected) or memory.trigger if part.rest else None
        after = Hearings(memory.following, part.rest, trigger)
        return CallResult(said, state, after, after.holding, part.rejected, unfinished=part.rest is not None)


def _say(what: str, turn: Turn, recording: Recording, problem: Exception) -> None:
    """Where the file lies may be personal, and stays out."""
    log.warning(what, call_id=turn.one.call_id, reason=str(problem).removeprefix(f"{recording.uri}: "))


def _as_before(turn: Turn) -> Result:
    """Nothing is said. A call that is over, and of which nothing has come for long, is forgotten."""
    if turn.one.silent and turn.state.live_ended:
        return CallResult((), None)
    return CallResult((), turn.one.state, turn.one.memory, turn.memory.holding, turn.rejected)
