"""What the insight tells of a call: its dangers, its summary, the people concerned, the models that say so. Pure.

All of it comes redacted. A name that was only found later in the call stands in clear in what was quoted before: what
the join knows as personal by now is left out here.
"""

from collections.abc import Mapping
from dataclasses import replace

from consumers.insights import privacy
from consumers.insights.state import InsightState
from schemas.records import AlertLevel, InsightAlert, StageModel, SummaryPerson, SummarySentence

_URGENCY: Mapping[AlertLevel, int] = {"critical": 0, "high": 1}


def alerts(state: InsightState) -> tuple[InsightAlert, ...]:
    """Each matter as it stands: what still holds before what was withdrawn, then by urgency and by name."""
    found = [
        InsightAlert(
            matter=alert.matter,
            state=alert.state,
            level=alert.level,
            utterance_id=alert.utterance_id,
            start_ms=alert.start_ms,
            speaker=alert.speaker,
            evidence=tuple(replace(quote, text=_safe(quote.text, state)) for quote in alert.evidence),
            score=alert.score,
            revision=alert.revision,
            reason=alert.reason,
        )
        for alert in state.alerts.values()
    ]
    return tuple(
        sorted(found, key=lambda one: (one.state == "withdrawn", _URGENCY.get(one.level, len(_URGENCY)), one.matter))
    )


def summary(state: InsightState) -> tuple[SummarySentence, ...]:
    told = state.summary.sentences if state.summary else ()
    return tuple(replace(one, text=_safe(one.text, state), due=_safe(one.due, state)) for one in told)


def people(state: InsightState) -> tuple[SummaryPerson, ...]:
    return state.summary.people if state.summary else ()


def models(state: InsightState) -> tuple[StageModel, ...]:
    """Stage by stage: of those that an utterance goes through, then of what was judged, as it stands."""
    raised = [state.alerts[matter].provenance for matter in sorted(state.alerts)]
    judged = [one.provenance for one in (state.classification, state.qa, state.summary) if one]
    asked = (
        StageModel(stage=one.stage, model=one.model, version=one.model_version)
        for one in (*raised, *judged)
        if one.model
    )
    known = dict.fromkeys((*state.models, *asked))
    stages = list(dict.fromkeys(one.stage for one in known))
    return tuple(sorted(known, key=lambda one: stages.index(one.stage)))


def _safe(text: str, state: InsightState) -> str:
    return privacy.without(text, state.names, state.call_id)
