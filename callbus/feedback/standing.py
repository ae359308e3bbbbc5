"""Of all that was said about a call, what stands: the newest word on each matter. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.records import AlertCorrection, CriterionCorrection, EntityCorrection, Feedback

CASE = "classification"  # the stage whose turns show what kind of case it is


@dataclass(frozen=True, slots=True)
class Word:
    """A label with the feedback that said it."""

    label: str
    event_id: str


@dataclass(slots=True)
class Standing:
    """What stands of one call. `evidence`: utterances that show the case, as they were last named."""

    call_id: str
    case: dict[str, Word] = field(default_factory=dict)  # main, sub, priority, intervention
    evidence: tuple[str, ...] = ()
    criteria: dict[str, tuple[CriterionCorrection, str]] = field(default_factory=dict)  # with the feedback's event_id
    alerts: dict[str, tuple[AlertCorrection, str]] = field(default_factory=dict)
    entities: dict[tuple[str, int, int], tuple[EntityCorrection, str]] = field(default_factory=dict)


def standing(said: Iterable[Feedback]) -> Mapping[str, Standing]:
    """By call. Doubles change nothing; of two at one time the one with the greater id is the newer, on any machine."""
    calls: dict[str, Standing] = {}
    for one in sorted(said, key=lambda each: (each.at_ms, each.event_id)):
        call = calls.setdefault(one.call_id, Standing(one.call_id))
        for name in ("main", "sub", "priority", "intervention"):
            label: str | None = getattr(one, name)
            if label is not None:
                call.case[name] = Word(label, one.event_id)
        if one.stage == CASE:
            call.evidence = one.utterance_ids or call.evidence
        call.criteria |= {each.name: (each, one.event_id) for each in one.criteria}
        call.alerts |= {each.matter: (each, one.event_id) for each in one.alerts}
        call.entities |= {(each.utterance_id, each.start, each.end): (each, one.event_id) for each in one.entities}
    return {call_id: calls[call_id] for call_id in sorted(calls)}
