"""What the join remembers about a call: small, plain, and free of personal particulars."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from schemas.records import Classification, EntityMention, Medium, QaEvaluation, StageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a stage could not do."""

    reason: str
    scope: str  # "event": one event of the call was lost; "call": all of it, nothing more comes; "": not said


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightState:
    """A call as far as it is known. A new one is `InsightState(call_id=…)`."""

    call_id: str

    # What an insight shows.
    medium: Medium = "unknown"
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    turns: int = 0
    languages: tuple[str, ...] = ()
    mentions: tuple[EntityMention, ...] = ()
    classification: Classification | None = None
    qa: QaEvaluation | None = None  # without its criteria
    evidence: Mapping[str, StageState] = field(default_factory=dict)  # by the record type that came
    failures: Mapping[str, Failure] = field(default_factory=dict)  # by stage
    names: tuple[str, ...] = ()  # digests of the words that must never be shown

    # Bookkeeping.
    at_ms: int = 0  # when the newest thing shown was published by its door, Unix time in ms
    seen: tuple[str, ...] = ()  # digests of the utterances counted
    life: tuple[str, ...] = ()  # ids of the call events that are shown
    entities_id: str | None = None  # the newest event of `entities` folded in

    @property
    def revision(self) -> int:
        """How much is known: grows with every event that says something new, and never depends on their order.

        So a replay from an older state ends at no lower revision than was published before the crash.
        """
        results = (result.revision for result in (self.classification, self.qa) if result)
        return len(self.seen) + len(self.life) + sum(results)


_STATE: TypeAdapter[InsightState] = TypeAdapter(InsightState)


def dump(state: InsightState) -> bytes:
    """The state as JSON, for the table's changelog."""
    return _STATE.dump_json(state)


def restore(stored: bytes) -> InsightState:
    """The state that `dump` wrote, also by an older release (new fields take their defaults)."""
    return _STATE.validate_json(stored)
