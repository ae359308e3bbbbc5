"""Documents: the utterances of a call become one growing document, in order of time, a new revision each time.

Its output topic `call-documents` is compacted and is also its changelog: the state is the document itself, so it is
never given up, not even when the call has ended. Nothing here needs a model.

An ended call stays ended. What comes after its `end` (an utterance sent back from the dead letters, say) is folded in
as ever and shows as a new revision, which is complete again: everything that is known to have been said is in it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from callbus.consumer import CallResult, CallSlice, Settings
from callbus.ids import event_id
from schemas.records import CallDocument, Provenance, Turn, UtteranceEntities

STAGE = "documents"

Slice = CallSlice[UtteranceEntities, CallDocument]
Result = CallResult[UtteranceEntities, CallDocument]


@dataclass(frozen=True)
class Documents:
    """Stateful: a call's next utterances and its document so far in, its next revision out."""

    def advance(self, slices: Sequence[Slice]) -> Sequence[Result]:
        """At most one revision per slice: none if its events say nothing that the document does not say already."""
        return [_advance(each) for each in slices]


def _advance(call: Slice) -> Result:
    document = fold(call.call_id, call.state, call.events)
    return CallResult(events=() if document is None or document is call.state else (document,), state=document)


def fold(call_id: str, before: CallDocument | None, events: Sequence[UtteranceEntities]) -> CallDocument | None:
    """The document with `events` in it; `before` itself if they change nothing.

    An utterance that is in it already replaces itself. Turns stand by start_ms, then speaker, then order of arrival.
    """
    turns = {turn.utterance_id: turn for turn in before.turns} if before else {}
    complete = before.complete if before else False
    folded: list[UtteranceEntities] = []
    for event in events:
        if event.kind == "end":
            news, complete = not complete, True
        else:
            turn, old = _turn(event), turns.get(event.utterance_id)
            news = turn != old
            if old and _when(old) != _when(turn):
                del turns[event.utterance_id]  # among turns of its new time it is the last to arrive
            turns[event.utterance_id] = turn
        if news:
            folded.append(event)
    if not folded:
        return before
    ordered = tuple(sorted(turns.values(), key=_when))
    return CallDocument(
        event_id=event_id(call_id, STAGE, _position(ordered, complete)),
        call_id=call_id,
        at_ms=max([event.at_ms for event in folded] + ([before.at_ms] if before else [])),
        revision=before.revision + 1 if before else 1,
        complete=complete,
        turns=ordered,
        provenance=Provenance(
            stage=STAGE, model="", model_version="", origin_ids=tuple(event.event_id for event in folded)
        ),
    )


def _when(turn: Turn) -> tuple[int, str]:
    return turn.start_ms, turn.speaker


def _position(turns: tuple[Turn, ...], complete: bool) -> str:
    """A digest of what the document says.

    The revision number depends on how the events fell into batches, which a replay may do otherwise; two documents
    that say the same have the same id whatever the batches, and two that do not have different ones.
    """
    return hashlib.sha256(repr((turns, complete)).encode()).hexdigest()


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
    )


def load(settings: Settings) -> Documents:
    """Nothing to load."""
    return Documents()
