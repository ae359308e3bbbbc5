"""All measures of a set of calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from callbus.evaluate import alerts, calibration, clear, entities, labels, qa, redaction, translation, words
from callbus.evaluate.heard import Heard, models
from callbus.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The measures with the calls that they are of."""

    calls: Sequence[Heard]
    words: words.Words
    translation: translation.Translated
    entities: entities.Entities
    redaction: redaction.Redaction
    clear: clear.Clear
    labels: labels.Labels
    calibration: calibration.Calibration
    qa: qa.Qa
    alerts: alerts.Alerts
    per_call: Sequence["CallScore"]
    models: Sequence[tuple[str, str, str]]  # stage, name, version
    not_measured: Sequence[str]  # names of files and calls


@dataclass(frozen=True, slots=True, kw_only=True)
class CallScore:
    """What is right and wrong about one call; None without truth. Quotes nothing of it."""

    call: Heard
    right: labels.Right
    alert: bool | None  # whether any was raised; None where the graph raises none
    alert_right: bool | None
    wer: float | None
    entities_missed: int
    entities_wrong: int
    leaked_characters: int | None
    in_clear: clear.InClear
    qa_wrong: Sequence[str]

    @property
    def flawless(self) -> bool:
        """Whether nothing that is known to be wrong stands in it; words of audio aside."""
        right = self.right
        judged = (right.main, right.sub, right.priority, right.intervention, self.alert_right)
        counted = (self.entities_missed, self.entities_wrong, self.leaked_characters, len(self.qa_wrong))
        shown = (self.in_clear.elsewhere, self.in_clear.digits)
        return False not in judged and not any(counted) and not any(shown) and not self.call.failed


def measure(calls: Sequence[Heard], topology: Topology, not_measured: Sequence[str] = ()) -> Evaluation:
    """Every measure, each over the calls that have truth for it. InputError without a list of personal labels."""
    personal = redaction.personal_labels(topology)
    timed = qa.timed_criteria(topology)
    raised = alerts.are_raised(topology)
    listed = entities.listed(calls)
    return Evaluation(
        calls=calls,
        words=words.score(calls),
        translation=translation.score(calls),
        entities=entities.score(calls),
        redaction=redaction.score(calls, personal),
        clear=clear.score(calls, personal),
        labels=labels.score(calls),
        calibration=calibration.score(calls),
        qa=qa.score(calls, timed),
        alerts=alerts.score(calls, topology),
        per_call=[_of_call(call, personal, timed, listed, raised=raised) for call in calls],
        models=models(calls),
        not_measured=not_measured,
    )


def _of_call(
    call: Heard, personal: frozenset[str], timed: frozenset[str], listed: frozenset[str], *, raised: bool
) -> CallScore:
    missed, wrong = entities.missed(call, listed)
    return CallScore(
        call=call,
        right=labels.right(call),
        alert=bool(call.matters) if raised else None,
        alert_right=alerts.right(call) if raised else None,
        wer=words.word_error_rate(call),
        entities_missed=missed,
        entities_wrong=wrong,
        leaked_characters=redaction.leaked_characters(call, personal),
        in_clear=clear.of_call(call, personal),
        qa_wrong=[one.criterion for one in qa.verdicts(call, timed) if one.true is not None and not one.right],
    )
