"""What the join remembers about a call: small, plain, and free of personal particulars."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from schemas.records import (
    Alert,
    CallSummary,
    Classification,
    EntityMention,
    Medium,
    QaEvaluation,
    StageModel,
    StageState,
    TimelineEntry,
)

GROUP = "insights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a stage could not do."""

    reason: str
    scope: str  # "event": one event of the call was lost; "call": all of it, nothing more comes; "": not said
    events: tuple[str, ...] = ()  # ids of the `failed` events that nobody has mended


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A stage's last word on a call to which nothing more came."""

    since_ms: int | None = None  # Unix time of the last thing that came; None: it goes on
    reopened: int = 0  # how often it went on after all


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What was counted of one hearing of a call."""

    turns: int = 0
    unread: int = 0
    languages: tuple[str, ...] = ()
    mentions: tuple[EntityMention, ...] = ()
    gaps: tuple[TimelineEntry, ...] = ()
    models: tuple[StageModel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightState:
    """A call as far as it is known. A new one is `InsightState(call_id=…)`."""

    call_id: str

    # What an insight shows.
    medium: Medium = "unknown"
    mode: str = ""
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    hearing: int = 1  # the newest that has ended, and until one has, the first: the next six are of it
    turns: int = 0
    unread: int = 0
    languages: tuple[str, ...] = ()
    mentions: tuple[EntityMention, ...] = ()
    gaps: tuple[TimelineEntry, ...] = ()
    models: tuple[StageModel, ...] = ()  # of the stages that an utterance goes through
    ended_hearings: tuple[int, ...] = ()  # sorted
    classification: Classification | None = None
    qa: QaEvaluation | None = None  # without its criteria
    summary: CallSummary | None = None
    alerts: Mapping[str, Alert] = field(default_factory=dict)  # by matter
    evidence: Mapping[str, StageState] = field(default_factory=dict)  # by the record type that came
    ends: int = 0  # utterances of kind `end`: one more after each time that the stages above ended the call by silence
    judged: int = 0  # how often a stage that may have nothing to say told that it has judged all until an end
    failures: Mapping[str, Failure] = field(default_factory=dict)  # by stage
    silences: Mapping[str, Silence] = field(default_factory=dict)  # by stage
    steps: tuple[TimelineEntry, ...] = ()  # of the timeline, but for start, end and gaps
    names: tuple[str, ...] = ()  # digests of the words that must never be shown

    # Bookkeeping.
    aside: Mapping[int, Hearing] = field(default_factory=dict)  # hearings that are not over yet
    at_ms: int = 0  # when the newest thing shown was published by its door, Unix time in ms
    seen: tuple[str, ...] = ()  # digests of the utterances counted
    life: tuple[str, ...] = ()  # ids of the call events that are shown
    entities_id: str | None = None  # the newest event of `entities` folded in
    told_id: str = ""  # of the insight that was published last
    heard_ms: int = 0  # when the newest event was taken in, Unix time in ms

    @property
    def revision(self) -> int:
        """How much is known: grows with every event that says something new, and never depends on their order.

        So a replay from an older state ends at no lower revision than was published before the crash.
        """
        results = (result.revision for result in (self.classification, self.qa, self.summary) if result)
        changes = (alert.revision for alert in self.alerts.values())
        return len(self.seen) + len(self.life) + sum(results) + sum(changes)


_STATE: TypeAdapter[InsightState] = TypeAdapter(InsightState)


def dump(state: InsightState) -> bytes:
    """The state as JSON, for the table's changelog."""
    return _STATE.dump_json(state)


def restore(stored: bytes) -> InsightState:
    """The state that `dump` wrote, also by an older release (new fields take their defaults)."""
    return _STATE.validate_json(stored)
