"""Which words of an event are shown: redacted where the event says how, hidden where it does not. Pure.

Transcripts and translations hold what was said in clear; a failure's reason, a file's address and a dead letter may
quote it. `masked` takes all that out. Bytes are never shown as text: see `plain`.
"""

import base64
from dataclasses import fields, is_dataclass, replace
from typing import Any

from schemas import convert
from schemas.records import (
    Alert,
    AlertState,
    AlertTurn,
    AudioChunk,
    CallDocument,
    CallEvent,
    CallInsight,
    CallSummary,
    Classification,
    DeadLetter,
    Entity,
    Feedback,
    PartialUtterance,
    Provenance,
    QaEvaluation,
    Recording,
    RestrictedInsight,
    RestrictedParticular,
    RestrictedState,
    TranscriptionProgress,
    Translation,
    Turn,
    Utterance,
    UtteranceEntities,
)

HIDES = {
    "CallEvent": "reasons of failures",
    "DeadLetter": "the messages",
    "Feedback": "notes",
    "PartialUtterance": "what is being said",
    "Recording": "where recordings lie",
    "TranscriptionProgress": "where recordings lie",
    "RedactionState": "names",
    "RestrictedInsight": "what was said",
    "Translation": "what was said",
    "Utterance": "what was said",
}
"""What `masked` hides of an event without putting something redacted in its place, by schema."""

_NOTHING_PERSONAL = (
    Alert,
    AudioChunk,
    CallInsight,
    CallSummary,
    Classification,
    Provenance,
    QaEvaluation,
    TranscriptionProgress,
)


def masked(record: Any) -> Any:  # noqa: PLR0912  a case per record type
    """The same event without personal words: of its own type, so that all that shows events can show it."""
    match record:
        case UtteranceEntities() | Turn():
            return replace(record, text=record.redacted_text, entities=_placeholders(record.entities))
        case CallDocument() | RestrictedState():
            turns, aside = (tuple(masked(turn) for turn in each) for each in (record.turns, record.aside))
            return replace(record, turns=turns, aside=aside)
        case AlertTurn():
            return replace(record, text=record.redacted_text)
        case AlertState():
            turns = tuple(masked(turn) for turn in record.turns)
            suspect, rescue = (turn and masked(turn) for turn in (record.suspect, record.rescue))
            return replace(record, turns=turns, suspect=suspect, rescue=rescue)
        case RestrictedInsight():
            quotes = tuple(replace(quote, text=hidden(quote.text)) for quote in record.quotes)
            return replace(record, particulars=tuple(map(masked, record.particulars)), quotes=quotes)
        case RestrictedParticular():
            return replace(record, text=record.placeholder or record.text)
        case Utterance():
            return replace(record, text=hidden(record.text), words=())
        case PartialUtterance():
            return replace(record, text=hidden(record.text), stable=hidden(record.stable))
        case Translation():
            return replace(record, text=hidden(record.text), source_text=hidden(record.source_text))
        case CallEvent():
            attributes = {name: hidden(value) for name, value in record.attributes.items()}
            return replace(record, reason=record.reason and hidden(record.reason), attributes=attributes)
        case Recording():
            return replace(record, uri=hidden(record.uri))
        case TranscriptionProgress(recording=Recording() as kept):
            return replace(record, recording=masked(kept))
        case Feedback():
            return replace(record, note=hidden(record.note))
        case DeadLetter():
            return replace(record, message=hidden(record.message), key=None, value=None, headers=())
        case _:
            return record if isinstance(record, _NOTHING_PERSONAL) else _all_hidden(record)


def hidden(text: str) -> str:
    """Says that there are words, and how many: «7 words»."""
    count = len(text.split())
    return f"«{count} word{'s' if count > 1 else ''}»" if count else ""


def plain(record: Any, *, clear: bool) -> dict[str, Any]:
    """The event as data for JSON. Bytes become their number, and with `clear` base64 (RFC 4648 § 4) as well."""
    shown = record if clear else masked(record)
    return {name: _value(value, clear) for name, value in convert.to_plain(shown).items()}


def _value(value: Any, clear: bool) -> Any:
    if isinstance(value, bytes):
        return {"bytes": len(value)} | ({"base64": base64.b64encode(value).decode()} if clear else {})
    if isinstance(value, dict):
        return {name: _value(inner, clear) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(inner, clear) for inner in value]
    return value


def _placeholders(entities: tuple[Entity, ...]) -> tuple[Entity, ...]:
    return tuple(replace(entity, text=entity.placeholder or entity.text) for entity in entities)


def _all_hidden(value: Any, name: str = "") -> Any:
    """For a record that nobody has told us about: every text but ids is hidden."""
    if isinstance(value, str):
        return value if name.endswith("_id") else hidden(value)
    if isinstance(value, tuple):
        return tuple(_all_hidden(inner, name) for inner in value)
    if is_dataclass(value) and not isinstance(value, type | Provenance):
        return replace(value, **{f.name: _all_hidden(getattr(value, f.name), f.name) for f in fields(value)})
    return value
