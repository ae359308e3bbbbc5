"""One line per event, for a person to read. Pure: what is personal has been masked before, or is meant to be seen."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from callbus.subscriber import Received
from schemas.records import (
    Alert,
    AlertState,
    AudioChunk,
    CallDocument,
    CallEvent,
    CallInsight,
    CallSummary,
    Classification,
    DeadLetter,
    Feedback,
    InsightAlert,
    Judgement,
    PartialUtterance,
    QaEvaluation,
    Recording,
    RestrictedInsight,
    RestrictedState,
    TimelineEntry,
    TranscriptionProgress,
    Translation,
    Utterance,
    UtteranceEntities,
)


def head(received: Received) -> str:
    """When, where and of which call: `2026-01-31T09:00:00.123Z call-audio 3:17 call-1`."""
    place = f"{received.topic} {received.lane}:{received.offset}"
    return f"{moment(received.timestamp_ms)} {place} {printable(received.call_id) or '(no call)'}"


def summary(record: Any) -> str:  # noqa: PLR0912  one line per record type
    """What the event says, in a line."""
    match record:
        case CallEvent():
            return _call_event(record)
        case AudioChunk():
            from_s = record.start_sample / record.sample_rate_hz if record.sample_rate_hz else 0.0
            what = f"{len(record.payload)} bytes {record.codec} {record.sample_rate_hz} Hz"
            return f"{record.channel} #{record.sequence} at {from_s:.2f} s, {what}{', last' if record.last else ''}"
        case Recording():
            length = f" {clock(record.duration_ms)}" if record.duration_ms is not None else ""
            return f"{'+'.join(record.channels)}{length} sha256 {record.sha256[:12]}… {record.uri}"
        case Utterance():
            return _said(record, record.text, ", ".join((record.language, *record.doubts)).removeprefix(", "))
        case PartialUtterance():
            return _partial(record)
        case Translation():
            way = f"{record.source_language}→{record.language}" if record.status == "translated" else record.status
            return _said(record, record.text, way) + _because(record.reason)
        case UtteranceEntities():
            return _said(record, record.text, " ".join(sorted({entity.label for entity in record.entities})))
        case CallDocument():
            ended = _interrupted(record.interrupted)
            return f"revision {record.revision}, {len(record.turns)} turns{_complete(record.complete)}{ended}"
        case Classification():
            return f"revision {record.revision}{_complete(record.complete)}: {case_of(record)}{_changed(record)}"
        case QaEvaluation():
            heads = (f"{head.head} {percent(head.score)}" for head in record.heads)
            return f"revision {record.revision}{_complete(record.complete)}: {_joined((_overall(record), *heads))}"
        case CallSummary():
            told = " ".join(one.text for one in record.sentences)
            return f"revision {record.revision}{_complete(record.complete)}: {told}"
        case Alert():
            quotes = " … ".join(quote.text for quote in record.evidence)
            return f"{danger_of(record)} at {clock(record.start_ms)}: “{quotes}”"
        case AlertState():
            matters = (f"{one.matter.replace('_', ' ')} {one.level} {one.state}" for one in record.matters)
            return _joined(matters) or "no danger"
        case CallInsight():
            return _insight(record)
        case RestrictedInsight():
            particulars = (f"{one.label} {one.text}" for one in record.particulars)
            turns = (f"“{quote.text}”" for quote in record.quotes)
            return f"revision {record.revision}{_complete(record.complete)}: {_joined((*particulars, *turns))}"
        case RestrictedState():
            return f"{len(record.turns)} turns, insight of revision {record.revision}"
        case DeadLetter():
            place = f"{record.topic} {record.lane}:{record.offset}"
            tries = f"{record.attempts} attempt{'s' if record.attempts != 1 else ''}"
            return f"{record.group} gave up {place} after {tries}: {record.error}: {record.message}"
        case Feedback():
            return _feedback(record)
        case TranscriptionProgress():
            channels = (f"{c.channel} to #{c.next_sequence}{' ended' if c.ended else ''}" for c in record.channels)
            times = f"interrupted x{record.interruptions}" if record.interruptions else ""
            return _joined((f"{record.utterances} utterances", *channels, times))
        case _:
            return repr(record)


def moment(unix_ms: int) -> str:
    """RFC 3339 in UTC, with ms."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(ms: float) -> str:
    """A place in a call: m:ss."""
    minutes, seconds = divmod(int(ms / 1000), 60)
    return f"{minutes}:{seconds:02}"


def percent(score: float | None) -> str:
    """A score from 0 to 1; n/a where there is none."""
    return "n/a" if score is None else f"{score:.0%}"


def case_of(judged: Classification | CallInsight) -> str:
    """Main and sub category, priority and intervention, as far as they are judged."""
    labels = (("", judged.main), ("", judged.sub), ("priority ", judged.priority), ("", judged.intervention))
    return _joined(f"{what}{_judged(judgement)}" for what, judgement in labels if judgement)


def danger_of(alert: Alert | InsightAlert) -> str:
    """A danger, how urgent it is, and what became of it."""
    return f"{alert.matter.replace('_', ' ')} {alert.level} {alert.state} {percent(alert.score)}"


def step_of(step: TimelineEntry) -> str:
    """A step of a call: where in it, what, from what to what, and why."""
    where = "?:??" if step.offset_ms is None else clock(step.offset_ms)
    what = step.kind.replace("_", " ")
    subject = f" {step.subject.replace('_', ' ')}" if step.subject else ""
    change = " → ".join(level for level in (step.before, step.after) if level)
    until = f" to {clock(step.until_ms)}" if step.until_ms is not None else ""
    more = f", and {step.more} more" if step.more else ""
    return f"{where} {what}{subject}{f' {change}' if change else ''}{until}{_because(step.reason)}{more}"


def printable(text: str) -> str:
    """The text on one line, without what could command a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def safe(text: str) -> str:
    """For a table: no markup, and nothing that could command a terminal."""
    from rich.markup import escape

    return escape(printable(text))


def _call_event(event: CallEvent) -> str:
    facts = "".join(f" {name}={value}" for name, value in event.attributes.items())
    if event.type == "failed":
        return f"failed at {event.stage or event.source}{_because(event.reason)}{facts}"
    if event.type == "interrupted":
        return f"interrupted at {event.stage or event.source}, silent since {moment(event.at_ms)}{facts}"
    if event.type == "mended":  # which failure is an id: of no use to a reader
        return f"mended at {event.stage or event.source}"
    if event.type == "reopened":
        return f"reopened at {event.stage or event.source}{facts}"
    return f"{event.type} {event.medium} from {event.source}{facts}"


def _said(record: Utterance | Translation | UtteranceEntities, text: str, remark: str) -> str:
    if record.kind == "end":
        return f"end at {clock(record.end_ms)}{_interrupted(record.interrupted)}"
    spoken = f"“{text}”" if text else record.kind
    place = f"{record.speaker} {clock(record.start_ms)}-{clock(record.end_ms)} {spoken}"
    return f"{place} ({remark})" if remark else place


def _partial(record: PartialUtterance) -> str:
    """What is shown of it, with a bar after the words that stay."""
    place = f"{record.speaker} {clock(record.start_ms)}-{clock(record.end_ms)}"
    if record.withdrawn:
        return f"{place} withdrawn"
    rest = record.text.removeprefix(record.stable).strip()
    return f"{place} revision {record.revision} “{record.stable}|{rest}” ({record.language})"


def _insight(insight: CallInsight) -> str:
    open_stages = [f"{s.stage} {s.state}{_because(s.reason)}" for s in insight.completeness if s.state != "complete"]
    dangers = (danger_of(alert) for alert in insight.alerts)
    parts = (*dangers, case_of(insight), _overall(insight), f"{insight.turns} turns", *open_stages)
    ended = f"{_complete(insight.complete)}{_interrupted(insight.interrupted)}"
    return f"revision {insight.revision}{ended}: {_joined(parts)}"


def _feedback(record: Feedback) -> str:
    labels = (record.main, record.sub, record.priority and f"priority {record.priority}", record.intervention)
    criteria = (f"{one.name}: {one.verdict}" for one in record.criteria)
    alerts = (f"{one.matter.replace('_', ' ')}: {one.level if one.danger else 'no danger'}" for one in record.alerts)
    words = (f"{one.label or 'no particular'} at {one.start}-{one.end}" for one in record.entities)
    right = _joined((*(label for label in labels if label), *criteria, *alerts, *words))
    return f"{record.stage} by {record.by}: {right}{f' “{record.note}”' if record.note else ''}"


def _overall(judged: QaEvaluation | CallInsight) -> str:
    overall = judged.overall if isinstance(judged, QaEvaluation) else judged.qa_overall
    grade = judged.grade if isinstance(judged, QaEvaluation) else judged.qa_grade
    return "" if overall is None else f"QA {percent(overall)} {grade}".rstrip()


def _judged(judgement: Judgement) -> str:
    return f"{judgement.label} {percent(judgement.score)}"


def _changed(judged: Classification) -> str:
    """Which labels are others than in the judgement before, and why."""
    moved = _joined(f"{one.head} was {one.before} ({one.reason})" for one in judged.label_changes)
    return f"; {moved}" if moved else ""


def _complete(complete: bool) -> str:
    return " complete" if complete else ""


def _interrupted(interrupted: bool) -> str:
    return " interrupted" if interrupted else ""


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)
