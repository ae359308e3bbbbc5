"""What is told of an evaluation: JSON in its promised form, and a page that quotes nobody."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from callbus.evaluate import tables
from callbus.evaluate.form import plain
from callbus.evaluate.measures import Evaluation, measure
from callbus.evaluate.report import page
from callbus.topology import load
from tests.cli import TOPOLOGY
from tests.evaluations import alert, classified, evaluated, heard, read, turns

FORM: dict[str, Any] = {
    "calls": 0,
    "wer": {"agent": 0, "caller": 0, "all": 0},
    "translation": {"chrf": 0},
    "classification": {
        "main": {"accuracy": 0, "macro_f1": 0, "ci95": 0},
        "sub": {"top1": 0, "top3": 0},
        "priority": {"accuracy": 0},
        "intervention": {"accuracy": 0},
    },
    "entities": {"micro": {"precision": 0, "recall": 0, "f1": 0}, "per_label": 0},
    "redaction": {
        "pii_recall": 0,
        "leaked_characters": 0,
        "over_redaction": 0,
        "elsewhere_in_clear": {"particulars": 0, "calls": 0},
        "number_digits_in_clear": {"calls": 0, "ids": 0},
    },
    "qa": {"mean_accuracy": 0, "per_criterion": 0},
    "alerts": {
        "recall": 0,
        "false_alarms_per_100": 0,
        "standing_false_alarms_per_100": 0,
        "found_by_another_matter": 0,
    },
    "per_call": 0,
    "not_measured": 0,
}
TEXT = "I am Wanjiku."
TRUTH = {
    "turns": turns(TEXT),
    "main_category": "gbv",
    "sub_category": "Forced Marriage",
    "priority": "low",
    "intervention": "Referral",
    "entities": [{"turn": 0, "text": "Wanjiku", "label": "NAME"}],
    "qa": {"Greets": True, "Asks": False, "Holds": None},
    "expect_alert": True,
}


def form_of(data: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of `data`, as deep as `like` goes."""
    return {key: form_of(value, like[key]) if isinstance(like.get(key), dict) else 0 for key, value in data.items()}


@pytest.fixture
def evaluation() -> Evaluation:
    judged = evaluated(Greets="fail", Asks="fail", Holds="pass")
    mistaken = heard(TRUTH, read(0, TEXT, TEXT), classified("vane", score=2 / 3), judged)
    sound = heard({"turns": turns("Hello.")}, read(0, "Hello.", "Hello."), classified(), call_id="silent")
    return measure([mistaken, sound], load(TOPOLOGY))


def test_the_json_has_its_form(evaluation: Evaluation) -> None:
    """Every key, and no other; figures are rounded, and there is a line for each call."""
    its = plain(evaluation)
    assert form_of(its, FORM) == FORM
    assert its["calls"] == 2
    assert its["qa"]["mean_accuracy"] == 0.5
    assert its["entities"]["per_label"]["NAME"]["recall"] == 0.0
    assert (its["redaction"]["pii_recall"], its["redaction"]["leaked_characters"]) == (0.0, 7)
    assert its["redaction"]["over_redaction"] == 0.0
    first = its["per_call"][0]
    assert (first["id"], first["main"], first["expected"]["main"], first["right"]["main"]) == (
        "call",
        "vane",
        "gbv",
        False,
    )
    assert first["qa_wrong"] == ["Greets"]
    assert first["main_score"] == 0.6667


def test_without_truth_every_figure_is_null() -> None:
    """The form stays; tables by label and criterion are empty."""
    its = plain(measure([heard({"turns": turns("Hello.")})], load(TOPOLOGY)))
    assert form_of(its, FORM) == FORM
    figures = {key: value for key, value in its.items() if key not in ("calls", "per_call", "not_measured")}
    assert set(json.dumps(figures).replace("null", "").split()) & set("0123456789") == set()
    assert (its["wer"]["all"], its["classification"]["main"]["ci95"], its["alerts"]["recall"]) == (None, None, None)
    assert (its["entities"]["per_label"], its["qa"]["per_criterion"]) == ({}, {})
    nothing = plain(measure([], load(TOPOLOGY)))
    assert form_of(nothing, FORM) == FORM
    assert (nothing["calls"], nothing["per_call"], nothing["redaction"]["leaked_characters"]) == (0, [], None)


def test_the_page_says_what_was_wrong_and_quotes_nobody(evaluation: Evaluation) -> None:
    """By the call's id; the same each time; flawless calls are not listed."""
    text = page(evaluation)
    assert "| call | main vane instead of gbv; priority high instead of low; " in text
    assert "entities: 1 missed, 0 wrong; 7 characters leaked; QA: Greets |" in text
    assert "| silent |" not in text
    assert "| gbv |" in text
    assert "| NAME | 7 | 7 |" in text
    assert "Wanjiku" not in text
    assert "Wanjiku" not in json.dumps(plain(evaluation))
    assert page(evaluation) == text


def test_what_stands_in_clear_and_what_is_missing_are_named_by_their_calls() -> None:
    """In the summary, in the list of mistakes and as JSON; a withdrawn false alarm is told as such."""
    text = "I am Ann. Call 0712345."
    truth = {
        "turns": turns(text),
        "entities": [{"turn": 0, "text": "Ann", "label": "NAME"}, {"turn": 0, "text": "0712345", "label": "ID_NUMBER"}],
        "expect_alert": False,
    }
    alarm = [alert(0, "I am Ann."), alert(0, "", state="withdrawn")]
    call = heard(truth, read(0, text, "I am [NAME_1]. Call 0712345."), *alarm, call_id="one")
    its = measure([call], load(TOPOLOGY), ["broken.json"])
    rows = {name: figure for name, figure, _ in tables.summary(its)}
    assert rows["particulars in clear in other public records"] == "1 (one)"
    assert rows["calls with a digit of a phone or id number in clear"] == "1 (one)"
    assert (rows["false alarms per 100 calls"], rows["… of them still standing at the end"]) == ("100.0", "0.0")
    text = page(its)
    assert "Not measured: broken.json." in text
    assert "false alarm, withdrawn;" in text
    assert "a digit of a number in clear; 1 particulars in clear in other public records |" in text
    form = plain(its)
    assert form["redaction"]["elsewhere_in_clear"] == {"particulars": 1, "calls": ["one"]}
    assert form["redaction"]["number_digits_in_clear"] == {"calls": 1, "ids": ["one"]}
    assert form["alerts"]["standing_false_alarms_per_100"] == 0.0
    assert (form["per_call"][0]["alert"], form["per_call"][0]["alert_standing"]) == (True, False)
    assert form["not_measured"] == ["broken.json"]
    assert "Ann" not in text + json.dumps(form)


def test_the_page_of_nothing_is_a_page() -> None:
    """Tables without rows say so."""
    assert page(measure([], load(TOPOLOGY))).count("Nothing.") == 7


def test_a_summary_row_per_measure(evaluation: Evaluation) -> None:
    """With what each rests on."""
    rows = {name: (figure, over) for name, figure, over in tables.summary(evaluation)}
    assert rows["main category"] == ("0.0% (95 %: 0.0% to 0.0%)", "1 call")
    assert rows["priority"] == ("0.0%", "1 call")
    assert rows["alerts recall"][1] == "1 call"
    assert rows["false alarms per 100 calls"][1] == "0 calls"
    assert rows["WER / CER all"] == ("— / —", "0 words")
    assert rows["PII leaked"] == ("7 characters", "7 characters")
