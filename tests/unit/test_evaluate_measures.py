"""Words, translation, labels, calibration, QA and alerts, in figures small enough to be checked by hand."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from callbus.errors import InputError
from callbus.evaluate import alerts, calibration, labels, qa, translation, words
from callbus.topology import Topic, Topology, load
from tests.cli import TOPOLOGY
from tests.evaluations import classified, evaluated, heard, said, translated, turns

FORCED = {"main_category": "gbv", "sub_category": "Forced Marriage", "priority": "high", "intervention": "Referral"}


def talk(*spoken: tuple[str, str]) -> dict[str, Any]:
    return {"turns": [{"speaker": speaker, "text": text} for speaker, text in spoken]}


def test_each_channel_has_its_rate() -> None:
    """One word of four is wrong on the agent's, one of two lost on the caller's: 2 of 6 in all. A hold is no words."""
    truth = talk(("agent", "How can I help?"), ("hold", ""), ("caller", "She's nine."))
    call = heard(truth, said(0, "How can we help", "agent"), said(1, "She's"), audio=True)
    its = words.score([call])
    assert (its.agent.wer, its.caller.wer, its.all.words) == (0.25, 0.5, 6)
    assert its.all.wer == pytest.approx(2 / 6)
    assert its.caller.cer == pytest.approx(5 / 10)
    assert words.word_error_rate(call) == its.all.wer


def test_a_channel_of_which_nothing_was_understood_is_all_wrong() -> None:
    """It is not left out."""
    assert words.score([heard(talk(("caller", "Help me.")), audio=True)]).caller.wer == 1.0


def test_one_channel_for_both_counts_in_all() -> None:
    """Nobody told the speakers apart."""
    truth = talk(("agent", "Hello?"), ("caller", "Help me."))
    its = words.score([heard(truth, said(0, "Hello, help", "unknown"), said(1, "you", "unknown"), audio=True)])
    assert its.agent.wer is None
    assert its.all.wer == pytest.approx(1 / 3)


def test_text_has_no_word_errors() -> None:
    """Nothing was recognised."""
    its = words.score([heard(talk(("caller", "Help me.")), said(0, "Other words"))])
    assert (its.all.wer, its.all.cer, its.all.words) == (None, None, 0)


def test_translations_are_compared_turn_by_turn() -> None:
    """The very reference has 100; a missing one has nothing; what only passed through is no translation."""
    truth = {"turns": turns("Bom dia.", "Sim.", reference_en="Good morning.")}
    same = heard(truth, translated(0, "Good morning."), translated(1, "Good morning."))
    assert translation.score([same]).chrf == pytest.approx(100.0)
    assert translation.score([same]).segments == 2
    lost = heard(truth, translated(0, "", status="untranslated"))
    assert translation.score([lost]).chrf == 0.0
    assert translation.score([heard(truth, translated(0, "Good morning.", status="pass_through"))]).chrf is None
    assert translation.score([heard({"turns": turns("Bom dia.")}, translated(0, "Good morning."))]).segments == 0


def test_translated_audio_is_compared_as_a_whole() -> None:
    """Its utterances are not its turns."""
    truth = {"turns": turns("Bom", "dia.", reference_en="Good.")}
    its = translation.score([heard(truth, translated(0, "Good. Good."), audio=True)])
    assert its.chrf == pytest.approx(100.0)
    assert its.segments == 1


def test_labels_that_are_right() -> None:
    """One call of one is 100 %, and no draw of it says otherwise."""
    its = labels.score([heard(FORCED, classified())])
    assert (its.main.accuracy, its.main.macro_f1, its.main.ci95) == (1.0, 1.0, (1.0, 1.0))
    assert (its.sub_top1, its.sub_top3, its.priority, its.intervention) == (1.0, 1.0, 1.0, 1.0)


def test_labels_that_are_wrong() -> None:
    """gbv twice right, once called vane, and a vane that is: F1 of gbv 4/5, of vane 2/3."""
    calls = [heard(FORCED, classified())] * 2
    calls.append(heard(FORCED, classified("vane", ["a", "b", "Forced Marriage", "c"], "low", "Counselling")))
    calls.append(heard({"main_category": "vane", "sub_category": "x"}, classified("vane", ["a", "b", "c", "x"])))
    its = labels.score(calls)
    assert its.main.accuracy == 0.75
    assert its.main.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert its.main.confusion == {("gbv", "gbv"): 2, ("gbv", "vane"): 1, ("vane", "vane"): 1}
    assert (its.sub_top1, its.sub_top3) == (0.5, 0.75)
    assert its.priority == pytest.approx(2 / 3)
    assert its.intervention == pytest.approx(2 / 3)
    assert its.main.ci95 is not None
    low, high = its.main.ci95
    assert low < 0.75 < high


def test_the_interval_is_the_same_each_time() -> None:
    """It is drawn, but always alike; of more calls it is narrower."""
    some = [heard(FORCED, classified()), heard(FORCED, classified("vane"))]
    intervals = [labels.score(some * 500).main.ci95 for _ in range(4)]
    assert len(set(intervals)) == 1
    assert intervals[0]
    assert 0.45 < intervals[0][0] < 0.5 < intervals[0][1] < 0.55


def test_what_is_also_acceptable_is_right() -> None:
    """A pair of labels, and an intervention; another main of the same truth is not."""
    truth = FORCED | {
        "also_acceptable": [["vane", "Child Marriage"]],
        "also_acceptable_interventions": ["Counselling"],
    }
    its = labels.score([heard(truth, classified("vane", ["Child Marriage"], intervention="Counselling"))])
    assert (its.main.accuracy, its.sub_top1, its.intervention) == (1.0, 1.0, 1.0)
    assert its.main.confusion == {("vane", "vane"): 1}
    assert labels.score([heard(truth, classified("nutrition"))]).main.accuracy == 0.0


def test_a_main_category_alone_may_be_acceptable_too() -> None:
    """Its sub-category is not known: none is right by it."""
    truth = FORCED | {"also_acceptable": [["vane", None]]}
    its = labels.score([heard(truth, classified("vane", ["Child Marriage"]))])
    assert (its.main.accuracy, its.sub_top1) == (1.0, 0.0)


def test_a_call_of_which_nothing_was_said_is_wrong() -> None:
    """And one that is unclear should be left undetermined."""
    nothing = labels.score([heard(FORCED)])
    assert (nothing.main.accuracy, nothing.sub_top3, nothing.priority) == (0.0, 0.0, 0.0)
    unclear: dict[str, Any] = {"main_category": None, "sub_category": None}
    assert labels.score([heard(unclear, classified("undetermined", ["undetermined"]))]).main.accuracy == 1.0
    assert labels.score([heard(unclear, classified())]).main.accuracy == 0.0


def test_labels_without_truth() -> None:
    """No figure."""
    its = labels.score([heard({}, classified())])
    assert (its.main.accuracy, its.main.macro_f1, its.main.ci95, its.sub_top1, its.priority) == (None,) * 5


def test_calibration() -> None:
    """0.9 right and 0.9 wrong: 0.4 off in their bin; 0.6 right: 0.4 off. Brier (0.01 + 0.81 + 0.16) / 3."""
    calls = [heard(FORCED, classified()), heard(FORCED, classified("vane")), heard(FORCED, classified(score=0.6))]
    its = calibration.score([*calls, heard(FORCED, classified("undetermined", score=0.0))])
    assert its.error == pytest.approx(0.4)
    assert its.brier == pytest.approx(0.98 / 3)
    assert [(one.low, one.calls, one.accuracy) for one in its.bins] == [(0.6, 1, 1.0), (0.9, 2, 0.5)]
    assert calibration.score([heard({}, classified())]).error is None
    assert calibration.score([heard(FORCED, classified(score=1.0))]).bins[0].high == 1.0


def test_criteria() -> None:
    """Of `greets`: right, wrong, abstained, and judged where it does not apply."""
    calls = [
        heard({"qa": {"greets": True, "asks": False}}, evaluated(greets="pass", asks="fail")),
        heard({"qa": {"greets": False}}, evaluated(greets="pass", asks="pass")),
        heard({"qa": {"greets": True}}, evaluated(greets="not_applicable")),
        heard({"qa": {"greets": None}}, evaluated(greets="fail")),
    ]
    its = qa.score(calls)
    greets = its.per_criterion["greets"]
    assert greets.accuracy == pytest.approx(1 / 3)
    assert (greets.precision, greets.recall) == (0.5, 0.5)
    assert (greets.applicable, greets.abstentions, greets.misapplied) == (3, 1, 1)
    asks = its.per_criterion["asks"]
    assert (asks.accuracy, asks.precision, asks.recall, asks.applicable) == (1.0, None, None, 1)
    assert its.mean_accuracy == pytest.approx((1 / 3 + 1) / 2)


def test_criteria_of_a_call_that_nobody_judged() -> None:
    """Every one that applies is an abstention."""
    greets = qa.score([heard({"qa": {"greets": True}})]).per_criterion["greets"]
    assert (greets.accuracy, greets.abstentions) == (0.0, 1)


def test_the_older_form_names_heads() -> None:
    """1.0 and 0.0 are of all its criteria, null too; anything between tells nothing of one."""
    truth = {"qa_expected": {"a": 1.0, "b": 0.0, "c": None, "d": 0.5}}
    its = qa.score([heard(truth, evaluated(a1="pass", a2="fail", b1="fail", c1="fail", d1="pass", e1="pass"))])
    assert {name: one.accuracy for name, one in its.per_criterion.items()} == {
        "a1": 1.0,
        "a2": 0.0,
        "b1": 1.0,
        "c1": None,
    }
    assert its.per_criterion["c1"].misapplied == 1
    assert its.mean_accuracy == pytest.approx(2 / 3)
    assert qa.score([heard({}, evaluated(a1="pass"))]).mean_accuracy is None


@dataclass(frozen=True, slots=True)
class Alert:
    """As much of an alert as counts here."""

    matter: str
    state: str
    call_id: str = "call"


def with_alerts(*outputs: str) -> Topology:
    """A graph of one group, with these outputs beside its own."""
    topology = load(TOPOLOGY)
    told = Topic(name="told", schema="Alert", partitions=topology.lanes, retention_ms=1)
    ner = topology.group("ner")
    return replace(
        topology,
        topics={name: topic for name, topic in topology.topics.items() if topic.schema != "Alert"} | {"told": told},
        groups={"ner": replace(ner, outputs=(*ner.outputs, *outputs))},
    )


DANGER, CALM = {"expect_alert": True}, {"expect_alert": False}


def test_alerts() -> None:
    """Danger was told if an alert stands at the end, of whichever matter."""
    calls = [
        heard(DANGER, Alert("weapon", "raised"), Alert("suicide", "raised"), Alert("suicide", "withdrawn")),
        heard(DANGER, Alert("weapon", "raised"), Alert("weapon", "withdrawn")),
        heard(CALM, Alert("weapon", "raised"), Alert("weapon", "escalated")),
        heard(CALM),
        heard({}, Alert("weapon", "raised")),
    ]
    its = alerts.score(calls, with_alerts("told"))
    assert (its.recall, its.false_alarms_per_100, its.expected, its.unexpected) == (0.5, 50.0, 2, 2)
    assert alerts.score(calls[4:], with_alerts("told")).recall is None
    assert alerts.score(calls, with_alerts()).recall is None
    assert alerts.score(calls, with_alerts()).false_alarms_per_100 is None


def test_a_false_alarm_that_was_withdrawn_was_one() -> None:
    """Somebody was called to it. Two in one call are one; how many still stood is told beside."""
    raised, withdrawn = Alert("weapon", "raised"), Alert("weapon", "withdrawn")
    calls = [
        heard(CALM, raised, withdrawn),
        heard(CALM, raised, Alert("suicide", "raised"), withdrawn),
        heard(CALM),
        heard(CALM),
    ]
    its = alerts.score(calls, with_alerts("told"))
    assert (its.false_alarms_per_100, its.standing_per_100) == (50.0, 25.0)
    assert [alerts.right(call) for call in calls] == [False, False, True, True]


def test_danger_that_was_found_for_another_reason_is_counted() -> None:
    """Where the truth names the matters; such a call is found all the same."""
    named = DANGER | {"alert_matters": ["suicide", "weapon"]}
    calls = [
        heard(named, Alert("confinement", "raised")),
        heard(named, Alert("confinement", "raised"), Alert("suicide", "raised")),
        heard(named),
        heard(DANGER, Alert("confinement", "raised")),
    ]
    its = alerts.score(calls, with_alerts("told"))
    assert (its.recall, its.other_matter, its.named) == (0.75, 1, 2)
    assert alerts.score(calls[3:], with_alerts("told")).other_matter is None


def test_what_needs_times_is_not_measured_without_them() -> None:
    """Who cut off whom, and holds: the criteria are those of the rubric. Audio has its own times."""
    timed = qa.timed_criteria(load(TOPOLOGY))
    assert timed == {"Caller was not interrupted", "Explains before placing on hold", "Thanks caller for holding"}
    said = [{"speaker": "agent", "text": "Hello."}, {"speaker": "caller", "text": "Yes --"}]
    truth = {"turns": said, "qa": {"cut_off": True, "greets": True}}
    judged = evaluated(cut_off="fail", greets="pass")
    assert list(qa.score([heard(truth, judged)], {"cut_off"}).per_criterion) == ["greets"]
    assert len(qa.score([heard(truth, judged, audio=True)], {"cut_off"}).per_criterion) == 2
    assert len(qa.score([heard(truth | {"turns": turns("Hello.")}, judged)], {"cut_off"}).per_criterion) == 2
    by_head = {"turns": said, "qa_expected": {"c": 1.0}}
    assert qa.score([heard(by_head, judged)], {"cut_off"}).mean_accuracy is None


def test_a_rubric_that_can_not_be_read(tmp_path: Path) -> None:
    """The error names the file; a graph without a rubric has no such criteria."""
    graph = load(TOPOLOGY)
    with pytest.raises(InputError, match=r"qa_rubric\.yaml: no rubric"):
        qa.timed_criteria(replace(graph, root=tmp_path))
    assert qa.timed_criteria(replace(graph, groups={"ner": graph.group("ner")})) == frozenset()
