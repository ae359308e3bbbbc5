"""The measures as JSON. Its form is a promise to programs: keys are added to, never renamed. No truth, no figure: null.

`per_call` has what was said of each call and what was expected; of what was said in it, it quotes nothing.
"""

from collections.abc import Mapping
from typing import Any

from callbus.evaluate.entities import Found
from callbus.evaluate.measures import CallScore, Evaluation
from callbus.evaluate.qa import CriterionScore

_DIGITS = 4


def plain(evaluation: Evaluation) -> dict[str, Any]:
    """Plain data; shares and rates from 0 to 1, chrF from 0 to 100, rounded to four places."""
    labels, found, hidden = evaluation.labels, evaluation.entities, evaluation.redaction
    words, alerts, clear = evaluation.words, evaluation.alerts, evaluation.clear
    form = {
        "calls": len(evaluation.calls),
        "wer": {"agent": words.agent.wer, "caller": words.caller.wer, "all": words.all.wer},
        "translation": {"chrf": evaluation.translation.chrf},
        "classification": {
            "main": {
                "accuracy": labels.main.accuracy,
                "macro_f1": labels.main.macro_f1,
                "ci95": None if labels.main.ci95 is None else list(labels.main.ci95),
            },
            "sub": {"top1": labels.sub_top1, "top3": labels.sub_top3},
            "priority": {"accuracy": labels.priority},
            "intervention": {"accuracy": labels.intervention},
        },
        "entities": {
            "micro": _scores(found.micro),
            "per_label": {label: _scores(one) | {"true": one.true} for label, one in found.per_label.items()},
        },
        "redaction": {
            "pii_recall": hidden.pii_recall,
            "leaked_characters": hidden.leaked_characters,
            "over_redaction": hidden.over_redaction,
            "elsewhere_in_clear": {"particulars": clear.elsewhere, "calls": list(clear.elsewhere_calls)},
            "number_digits_in_clear": {
                "calls": None if clear.digits_calls is None else len(clear.digits_calls),
                "ids": list(clear.digits_calls or ()),
            },
        },
        "qa": {
            "mean_accuracy": evaluation.qa.mean_accuracy,
            "per_criterion": {name: _criterion(one) for name, one in evaluation.qa.per_criterion.items()},
        },
        "alerts": {
            "recall": alerts.recall,
            "false_alarms_per_100": alerts.false_alarms_per_100,
            "standing_false_alarms_per_100": alerts.standing_per_100,
            "found_by_another_matter": alerts.other_matter,
        },
        "per_call": [_call(one) for one in evaluation.per_call],
        "not_measured": list(evaluation.not_measured),
    }
    rounded: dict[str, Any] = _rounded(form)
    return rounded


def _scores(found: Found) -> dict[str, Any]:
    return {"precision": found.precision, "recall": found.recall, "f1": found.f1}


def _criterion(one: CriterionScore) -> dict[str, Any]:
    return {
        "accuracy": one.accuracy,
        "precision": one.precision,
        "recall": one.recall,
        "applicable": one.applicable,
        "abstentions": one.abstentions,
        "misapplied": one.misapplied,
    }


def _call(one: CallScore) -> dict[str, Any]:
    call, truth, judged = one.call, one.call.truth, one.call.classification
    return {
        "id": call.id,
        "main": judged.main.label if judged else None,
        "sub": judged.sub.label if judged else None,
        "priority": judged.priority.label if judged else None,
        "intervention": judged.intervention.label if judged else None,
        "alert": one.alert,
        "alert_matters": list(call.matters),
        "alert_standing": None if one.alert is None else bool(call.standing),
        "expected": {
            "main": truth.main,
            "sub": truth.sub,
            "priority": truth.priority,
            "intervention": truth.intervention,
            "alert": truth.expect_alert,
            "alert_matters": list(truth.alert_matters),
            "also_acceptable": [list(pair) for pair in truth.also_acceptable],
            "also_acceptable_interventions": list(truth.also_acceptable_interventions),
        },
        "right": {
            "main": one.right.main,
            "sub": one.right.sub,
            "sub_top3": one.right.sub_top3,
            "priority": one.right.priority,
            "intervention": one.right.intervention,
            "alert": one.alert_right,
        },
        "main_score": judged.main.score if judged else None,
        "sub_top3": [judged.sub.label, *(other.label for other in judged.sub.alternatives[:2])] if judged else [],
        "qa_wrong": list(one.qa_wrong),
        "entities_missed": one.entities_missed if truth.entities is not None else None,
        "entities_wrong": one.entities_wrong if truth.entities is not None else None,
        "leaked_characters": one.leaked_characters,
        "elsewhere_in_clear": one.in_clear.elsewhere,
        "number_digits_in_clear": one.in_clear.digits,
        "wer": one.wer,
        "failed": list(call.failed),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
