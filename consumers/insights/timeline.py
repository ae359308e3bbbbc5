"""What happened in a call, step by step: noted as it comes in, told in order of time. Pure.

Nothing here is anybody's words: kinds, labels, levels, times, and the ids of the turns that a step rests on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from schemas.records import (
    Alert,
    AlertChange,
    CallEvent,
    CallEventType,
    Classification,
    TimelineEntry,
    TimelineKind,
    UtteranceEntities,
)

_LISTED = 100  # entries of one kind: a line that is dropped all the time must not make an insight that Kafka refuses
_LIFE: Mapping[CallEventType, TimelineKind] = {
    "held": "held",
    "resumed": "resumed",
    "interrupted": "interrupted",
    "reopened": "reopened",
}
_ALERTED: Mapping[AlertChange, TimelineKind] = {
    "raised": "alert_raised",
    "escalated": "alert_escalated",
    "withdrawn": "alert_withdrawn",
}
_PLACE: Mapping[TimelineKind, int] = {"started": 0, "ended": 2}  # all else is between them, whatever the clocks say


def noted(known: tuple[TimelineEntry, ...], *steps: TimelineEntry) -> tuple[TimelineEntry, ...]:
    """The timeline with these steps. All of a kind come from one topic, so it is the same however topics interleave."""
    for step in steps:
        alike = [number for number, one in enumerate(known) if one.kind == step.kind]
        if len(alike) < _LISTED:
            known = (*known, step)
        else:
            last = alike[-1]
            known = (*known[:last], replace(known[last], more=known[last].more + 1), *known[last + 1 :])
    return known


def of_life(event: CallEvent) -> Iterator[TimelineEntry]:
    """A step of the call's life; its start and its end are facts of their own (`told`)."""
    if kind := _LIFE.get(event.type):
        by_silence = kind in ("interrupted", "reopened")
        subject = (event.stage or event.source) if by_silence else ""
        yield TimelineEntry(kind=kind, offset_ms=None, at_ms=event.at_ms, subject=subject)


def of_utterance(event: UtteranceEntities) -> Iterator[TimelineEntry]:
    """A gap: sound of the call that never came."""
    if event.kind == "gap":
        yield TimelineEntry(
            kind="gap",
            offset_ms=event.start_ms,
            at_ms=event.at_ms,
            subject=event.speaker,
            until_ms=event.end_ms,
            evidence=(event.utterance_id,),
        )


def of_alert(event: Alert, before: Alert | None) -> Iterator[TimelineEntry]:
    """A change of a danger; `before` is what was known of the same matter."""
    if kind := _ALERTED.get(event.state):
        yield TimelineEntry(
            kind=kind,
            offset_ms=event.start_ms,
            at_ms=event.at_ms,
            subject=event.matter,
            before=before.level if before else "",
            after=event.level,
            evidence=tuple(dict.fromkeys((event.utterance_id, *(quote.utterance_id for quote in event.evidence)))),
            reason=event.reason,
        )


def of_judgement(event: Classification) -> Iterator[TimelineEntry]:
    """The labels of the case that are others than before."""
    for change in event.label_changes:
        yield TimelineEntry(
            kind="judgement_changed",
            offset_ms=event.heard_ms,
            at_ms=event.at_ms,
            subject=change.head,
            before=change.before,
            after=change.after,
            evidence=change.evidence,
            reason=change.reason,
        )


def told(
    steps: Sequence[TimelineEntry], started_at_ms: int | None, ended_at_ms: int | None
) -> tuple[TimelineEntry, ...]:
    """The steps with the call's start and end, in order of time. What has no place in the call gets one by its time."""

    def placed(step: TimelineEntry) -> TimelineEntry:
        if step.offset_ms is not None or started_at_ms is None:
            return step
        return replace(step, offset_ms=max(0, step.at_ms - started_at_ms))

    bounds: tuple[tuple[TimelineKind, int | None], ...] = (("started", started_at_ms), ("ended", ended_at_ms))
    ends = [TimelineEntry(kind=kind, offset_ms=None, at_ms=at_ms) for kind, at_ms in bounds if at_ms is not None]
    return tuple(sorted(map(placed, (*steps, *ends)), key=_order))


def _order(step: TimelineEntry) -> tuple[object, ...]:
    unplaced = step.offset_ms is None
    when = step.at_ms if step.offset_ms is None else step.offset_ms
    rest = (step.at_ms, step.kind, step.subject, step.before, step.after, step.evidence)
    return (_PLACE.get(step.kind, 1), unplaced, when, *rest)
