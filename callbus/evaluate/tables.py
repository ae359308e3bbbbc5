"""The measures as rows of words and figures, for the terminal and for the page. Nothing that was said is quoted."""

from collections.abc import Iterator, Sequence

from callbus.evaluate import alerts
from callbus.evaluate.entities import CORE, Found
from callbus.evaluate.heard import Heard
from callbus.evaluate.measures import CallScore, Evaluation

NONE = "—"

Row = tuple[str, ...]

SUMMARY = ("measure", "figure", "over")
PER_LABEL = ("label", "precision", "recall", "F1", "true", "found")
LEAKS = ("label", "characters", "in clear")
PER_CRITERION = ("criterion", "accuracy", "precision", "recall", "applies", "abstained", "misapplied")
MISTAKES = ("call", "what was wrong")
BINS = ("probability of main", "calls", "said on average", "right")


def share(value: float | None) -> str:
    """A share in percent."""
    return NONE if value is None else f"{value:.1%}"


def summary(evaluation: Evaluation) -> Iterator[Row]:
    """One row per measure, with how much truth it rests on."""
    words, labels, hidden = evaluation.words, evaluation.labels, evaluation.redaction
    for name, rate in (("agent", words.agent), ("caller", words.caller), ("all", words.all)):
        yield f"WER / CER {name}", f"{share(rate.wer)} / {share(rate.cer)}", f"{rate.words} words"
    translated = evaluation.translation
    yield "translation chrF", _plain(translated.chrf), f"{translated.segments} passages"
    ci95 = "" if labels.main.ci95 is None else " (95 %: {:.1%} to {:.1%})".format(*labels.main.ci95)
    for name, figure, over in (
        ("main category", share(labels.main.accuracy) + ci95, "main"),
        ("main category, macro F1", share(labels.main.macro_f1), "main"),
        ("sub-category, first", share(labels.sub_top1), "sub"),
        ("sub-category, in top 3", share(labels.sub_top3), "sub"),
        ("priority", share(labels.priority), "priority"),
        ("intervention", share(labels.intervention), "intervention"),
    ):
        yield name, figure, _calls(sum(getattr(one.right, over) is not None for one in evaluation.per_call))
    calibration = evaluation.calibration
    yield (
        "calibration of main: ECE / Brier",
        f"{_plain(calibration.error, 3)} / {_plain(calibration.brier, 3)}",
        _calls(sum(one.calls for one in calibration.bins)),
    )
    for name, found in (("all labels", evaluation.entities.micro), (", ".join(CORE), evaluation.entities.core)):
        yield f"entities F1: {name}", share(found.f1), f"{found.true} particulars"
    yield "PII masked", share(hidden.pii_recall), f"{hidden.pii_characters} characters"
    leaked = NONE if hidden.leaked_characters is None else f"{hidden.leaked_characters} characters"
    yield "PII leaked", leaked, f"{hidden.pii_characters} characters"
    clear = evaluation.clear
    elsewhere = NONE if clear.elsewhere is None else f"{clear.elsewhere}{_ids(clear.elsewhere_calls)}"
    yield "particulars in clear in other public records", elsewhere, _calls(clear.looked_through)
    digits = NONE if clear.digits_calls is None else f"{len(clear.digits_calls)}{_ids(clear.digits_calls)}"
    yield "calls with a digit of a phone or id number in clear", digits, _calls(clear.with_numbers)
    yield "other text masked", share(hidden.over_redaction), f"{hidden.other_characters} characters"
    applicable = sum(one.applicable for one in evaluation.qa.per_criterion.values())
    yield "QA, mean accuracy", share(evaluation.qa.mean_accuracy), f"{applicable} verdicts"
    told = evaluation.alerts
    yield "alerts recall", share(told.recall), _calls(told.expected)
    other = NONE if told.other_matter is None else str(told.other_matter)
    yield "found by an alert of another matter only", other, f"{_calls(told.named)} of which the truth names it"
    yield "false alarms per 100 calls", _plain(told.false_alarms_per_100), _calls(told.unexpected)
    yield "… of them still standing at the end", _plain(told.standing_per_100), _calls(told.unexpected)


def per_label(evaluation: Evaluation) -> Iterator[Row]:
    for label, found in evaluation.entities.per_label.items():
        yield label, *_found(found)


def leaks(evaluation: Evaluation) -> Iterator[Row]:
    """What is personal, and how much of it stands in the redacted texts."""
    for label, (characters, in_clear) in evaluation.redaction.per_label.items():
        yield label, str(characters), str(in_clear)


def per_criterion(evaluation: Evaluation) -> Iterator[Row]:
    for name, one in evaluation.qa.per_criterion.items():
        rates = (share(one.accuracy), share(one.precision), share(one.recall))
        yield name, *rates, str(one.applicable), str(one.abstentions), str(one.misapplied)


def bins(evaluation: Evaluation) -> Iterator[Row]:
    for one in evaluation.calibration.bins:
        yield f"{one.low:.1f} to {one.high:.1f}", str(one.calls), share(one.probability), share(one.accuracy)


def mistakes(evaluation: Evaluation) -> Iterator[Row]:
    """A row per call in which something is wrong."""
    for one in evaluation.per_call:
        if not one.flawless:
            yield one.call.id, "; ".join(_wrong(one))


def _wrong(one: CallScore) -> Iterator[str]:
    truth, judged, right = one.call.truth, one.call.classification, one.right
    if one.call.failed:
        yield f"failed: {', '.join(one.call.failed)}"
    for name, hit, said, true in (
        ("main", right.main, judged and judged.main.label, truth.main),
        ("sub", right.sub, judged and judged.sub.label, truth.sub),
        ("priority", right.priority, judged and judged.priority.label, truth.priority),
        ("intervention", right.intervention, judged and judged.intervention.label, truth.intervention),
    ):
        if hit is False:
            top3 = " (in top 3)" if name == "sub" and right.sub_top3 else ""
            yield f"{name} {said or 'not said'} instead of {true}{top3}"
    if one.alert_right is False:
        yield _wrong_alert(one.call)
    if alerts.is_of_another_matter(one.call) and one.call.standing:
        yield f"alert of {', '.join(one.call.standing)} instead of {', '.join(truth.alert_matters)}"
    if one.entities_missed or one.entities_wrong:
        yield f"entities: {one.entities_missed} missed, {one.entities_wrong} wrong"
    if one.leaked_characters:
        yield f"{one.leaked_characters} characters leaked"
    if one.in_clear.digits:
        yield "a digit of a number in clear"
    if one.in_clear.elsewhere:
        yield f"{one.in_clear.elsewhere} particulars in clear in other public records"
    if one.qa_wrong:
        yield f"QA: {', '.join(one.qa_wrong)}"


def _wrong_alert(call: Heard) -> str:
    if call.truth.expect_alert:
        return "alert withdrawn" if call.matters else "no alert"
    return "false alarm" if call.standing else "false alarm, withdrawn"


def _ids(calls: Sequence[str]) -> str:
    return f" ({', '.join(calls)})" if calls else ""


def _found(found: Found) -> Row:
    return share(found.precision), share(found.recall), share(found.f1), str(found.true), str(found.found)


def _calls(count: int) -> str:
    return f"{count} call{'s' if count != 1 else ''}"


def _plain(value: float | None, digits: int = 1) -> str:
    return NONE if value is None else f"{value:.{digits}f}"
