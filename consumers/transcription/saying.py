"""What a part of a call comes to: its utterances, gaps and end, and what is told of utterances that are still open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from callbus.consumer import Model
from callbus.errors import Reject
from consumers.transcription import partials as telling
from consumers.transcription import utterances
from consumers.transcription.call import Listened
from consumers.transcription.ears import Ear
from consumers.transcription.hearings import Input, Turn, unheard
from consumers.transcription.partials import THINNED, Due, Following, Told
from consumers.transcription.pieces import Segment
from consumers.transcription.recording import Reading
from consumers.transcription.sound import Heard, Sound
from schemas.records import PartialUtterance, Recording, Speaker, Utterance

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Part:
    """What one slice was heard to be: of a live call, or of a recording, of which `rest` is still unread.

    `following` is what is remembered of a call that goes on, and `due` are the partials of its open utterances;
    `untold` are the finals, as (speaker, start), of which all partials were left out.
    `broken`: the recording turned out to be unreadable once its event could not be rejected any more.
    """

    turn: Turn
    listened: Listened
    ear: Ear
    rejected: Sequence[tuple[Input, Reject]]
    rest: Reading | None = None
    broken: bool = False
    following: Following | None = None
    due: Sequence[Due] = ()
    untold: Collection[tuple[Speaker, int]] = ()

    @property
    def revision(self) -> int:
        return self.turn.read.revision if self.turn.read else 1

    @property
    def sounds(self) -> list[Sound]:
        return [piece.sound for piece in self.listened.pieces if isinstance(piece, Segment)]


@dataclass(frozen=True, slots=True)
class Saying:
    """In whose name it is said: the group, and the model that hears live audio. With `partials`, those of an utterance
    that comes to nothing are withdrawn. `heard` is always by the `id` of the sounds."""

    group: str
    model: Model
    partials: bool

    def of(self, part: Part, heard: Mapping[int, Heard]) -> tuple[list[Utterance], list[PartialUtterance]]:
        """A part's utterances in order of time, and its end if it has ended; and the partials that came to nothing."""
        call_id, listened, revision, ear = part.turn.one.call_id, part.listened, part.revision, part.ear
        said: list[Utterance] = []
        withdrawn: list[PartialUtterance] = []
        for piece in listened.pieces:
            if not isinstance(piece, Segment):
                said.append(utterances.gap(call_id, self.group, piece, revision))
            elif (its := heard[id(piece.sound)]).text or its.doubts:
                degraded = (*ear.degraded, *((THINNED,) if (piece.speaker, piece.start) in part.untold else ()))
                said.append(utterances.spoken(call_id, self.group, ear.model, piece, its, revision, degraded))
            else:
                log.debug("nothing was said", call_id=call_id, channel=piece.speaker, length_s=piece.sound.length_s)
                if self.partials and not part.turn.read:
                    withdrawn.append(telling.withdraw(call_id, self.group, self.model, piece))
        said.sort(key=lambda one: (one.start_ms, one.speaker))
        return said + (
            self._broken(part.turn, part.turn.read) if part.broken and part.turn.read else self._end(part)
        ), withdrawn

    def _end(self, part: Part) -> list[Utterance]:
        """The end, if this part has come to it."""
        turn, listened = part.turn, part.listened
        call_id, length_ms, late = turn.one.call_id, listened.call.length_ms, listened.call.late
        if late and (listened.ended_by or listened.silent):
            log.warning("a call ended without audio that came too late", call_id=call_id, chunks=late)
        if last := listened.ended_by:
            return [
                utterances.end(
                    call_id,
                    self.group,
                    length_ms,
                    last.at_ms,
                    last.event_id,
                    revision=part.revision,
                    heard_again=last.heard_again,
                )
            ]
        if not listened.silent:
            return []
        newest_ms, newest_id = listened.call.newest
        at_ms = newest_ms or turn.one.silent_since_ms or 0  # an older release's progress does not know the chunk
        nth = 1 + turn.state.interruptions
        return [utterances.end(call_id, self.group, length_ms, at_ms, newest_id, interruption=nth)]

    def _broken(self, turn: Turn, recording: Recording) -> list[Utterance]:
        """What is left of an unreadable recording is a gap, and its end an interrupted one: in documents it takes no
        other hearing's place."""
        call_id, revision = turn.one.call_id, recording.revision
        gaps = [utterances.gap(call_id, self.group, one, revision) for one in unheard(turn, recording)]
        length_ms = max((one.end_ms for one in gaps), default=0)
        at_ms, origin = recording.at_ms, recording.event_id
        end = utterances.end(call_id, self.group, length_ms, at_ms, origin, interruption=1, revision=revision)
        return [*gaps, end]

    def revised(
        self, call_id: str, due: Sequence[Due], heard: Mapping[int, Heard]
    ) -> tuple[list[tuple[Speaker, Told]], list[PartialUtterance]]:
        """What is remembered of the partials that were due, and those that there was room for."""
        told: list[tuple[Speaker, Told]] = []
        revised: list[PartialUtterance] = []
        for one in due:
            if its := heard.get(id(one.sound)):
                after, event = telling.tell(call_id, self.group, self.model, one, its)
                revised += [event] if event else []
            else:
                after = telling.put_off(one)
            told.append((one.speaker, after))
        return told, revised
