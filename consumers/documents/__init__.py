"""Documents: the utterances of a call become one growing document, in order of time, a new revision each time.

Its output topic `call-documents` is compacted and is also its changelog: the state is the document itself, so it is
never given up, not even when the call has ended. Nothing here needs a model.

An ended call stays ended. What comes after its `end` (an utterance sent back from the dead letters, say) is folded in
as ever and shows as a new revision, which is complete again: everything that is known to have been said is in it.

A chat that falls silent (its door crashed) is completed too, as `interrupted`, and so is a call whose `end` says that
it came by silence. Whatever comes after that opens the document again, until the next end or silence. That nothing
comes of a voice call says nothing: transcription ends those that fall silent, and its `end` comes by way of stages that
may be down for long while people speak.

A call that is heard again (utterances of a higher revision) keeps the turns of the hearings apart. Those of the second
gather in `aside` until its own `end` says that all are there: from then on they are the document, and those of the
first stand aside, to compare with. So the document at last is the same however the two hearings come mixed. An end by
silence does not put a part of a hearing in the place of a whole one.

What was said before a name was known is redacted again once it is (`redacting`), so that no judgement quotes it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from callbus.consumer import CallResult, CallSlice, Settings
from callbus.ids import event_id
from consumers.documents.redacting import Particulars, redacted
from consumers.revisions import word_changes
from schemas.records import CallDocument, Provenance, Turn, UtteranceEntities

STAGE = "documents"

_HEARD = ("speech", "gap", "unclear")  # by transcription

Slice = CallSlice[UtteranceEntities, CallDocument]
Result = CallResult[UtteranceEntities, CallDocument]


@dataclass(frozen=True)
class Documents:
    """Stateful: a call's next utterances and its document so far in, its next revision out."""

    def advance(self, slices: Sequence[Slice]) -> Sequence[Result]:
        """At most one revision per slice: none if its events say nothing that the document does not say already."""
        return [_advance(each) for each in slices]


def _advance(call: Slice) -> Result:
    document = _silent(call.state) if call.silent else fold(call.call_id, call.state, call.events)
    return CallResult(events=() if document is None or document is call.state else (document,), state=document)


def fold(call_id: str, before: CallDocument | None, events: Sequence[UtteranceEntities]) -> CallDocument | None:
    """The document with `events` in it; `before` itself if they change nothing.

    An utterance that is in it already replaces itself. Turns stand by start_ms, then speaker, then order of arrival.
    """
    said = _Said.of(before)
    shown_before = (before.turns, said, before.changes) if before else ((), said, None)
    folded: list[UtteranceEntities] = []
    came: set[tuple[int, str]] = set()
    turns = {(turn.revision, turn.utterance_id): turn for turn in (*before.turns, *before.aside)} if before else {}
    for event in events:
        if event.revision < said.hearing - 1:
            continue  # two hearings back
        after = said.after(event)
        news = after != said
        if event.kind != "end":
            key, turn = (event.revision, event.utterance_id), _turn(event)
            old = turns.get(key)
            news = news or old is None or turn != replace(old, redacted_text=turn.redacted_text)
            if old and _when(old) != _when(turn):
                del turns[key]  # among turns of its new time it is the last to arrive
            turns[key] = turn
            came.add(key)
        said = after
        if news:
            folded.append(event)
    if not folded:
        return before
    kept = sorted((turn for turn in turns.values() if turn.revision >= said.hearing - 1), key=_when)
    known = Particulars.of(kept)
    settled = before is not None and known == Particulars.of((*before.turns, *before.aside))
    kept = [
        turn if settled and (turn.revision, turn.utterance_id) not in came else redacted(turn, known) for turn in kept
    ]
    shown = tuple(turn for turn in kept if turn.revision == said.hearing)
    aside = tuple(sorted((turn for turn in kept if turn.revision != said.hearing), key=lambda turn: turn.revision))
    changes = word_changes([turn for turn in aside if turn.revision < said.hearing], shown)
    return CallDocument(
        event_id=event_id(call_id, STAGE, _position(shown, aside, said)),
        call_id=call_id,
        at_ms=max([event.at_ms for event in folded] + ([before.at_ms] if before else [])),
        revision=before.revision + 1 if before else 1,
        complete=said.complete,
        interrupted=said.interrupted,
        turns=shown,
        hearing=said.hearing,
        aside=aside,
        aside_only=(shown, said, changes) == shown_before,
        changes=changes,
        provenance=Provenance(
            stage=STAGE, model="", model_version="", origin_ids=tuple(event.event_id for event in folded)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """How far a document has come."""

    hearing: int
    complete: bool
    interrupted: bool

    @classmethod
    def of(cls, document: CallDocument | None) -> "_Said":
        return cls(document.hearing, document.complete, document.interrupted) if document else cls(1, False, False)

    def after(self, event: UtteranceEntities) -> "_Said":
        """With one more event. An utterance of whichever hearing opens again what silence ended."""
        if event.kind != "end":
            return replace(self, complete=self.complete and not self.interrupted, interrupted=False)
        if event.revision > self.hearing and not event.interrupted:
            return _Said(event.revision, True, False)
        if event.revision == self.hearing:
            silent = event.interrupted and (self.interrupted or not self.complete)
            return replace(self, complete=True, interrupted=silent)
        return self


def _silent(before: CallDocument | None) -> CallDocument | None:
    """The document of a chat of which nothing more came; `before` itself of a voice call, or if it is complete."""
    if before is None or before.complete or any(turn.kind in _HEARD for turn in (*before.turns, *before.aside)):
        return before
    said = _Said(before.hearing, True, True)
    return replace(
        before,
        event_id=event_id(before.call_id, STAGE, _position(before.turns, before.aside, said)),
        revision=before.revision + 1,
        complete=True,
        interrupted=True,
        aside_only=False,
        provenance=replace(before.provenance, origin_ids=(before.event_id,)),
    )


def _when(turn: Turn) -> tuple[int, str]:
    return turn.start_ms, turn.speaker


def _position(turns: tuple[Turn, ...], aside: tuple[Turn, ...], said: _Said) -> str:
    """A digest of what the document says.

    The revision number depends on how the events fell into batches, which a replay may do otherwise; two documents
    that say the same have the same id whatever the batches, and two that do not have different ones.
    """
    return hashlib.sha256(repr((turns, aside, said)).encode()).hexdigest()


def _turn(event: UtteranceEntities) -> Turn:
    return Turn(
        utterance_id=event.utterance_id,
        kind=event.kind,
        speaker=event.speaker,
        start_ms=event.start_ms,
        end_ms=event.end_ms,
        confidence=event.confidence,
        status=event.status,
        source_language=event.source_language,
        text=event.text,
        redacted_text=event.redacted_text,
        entities=event.entities,
        revision=event.revision,
    )


def load(settings: Settings) -> Documents:
    """Nothing to load."""
    return Documents()
