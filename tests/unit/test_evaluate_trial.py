"""`callbus evaluate --heads`: two sets of heads side by side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from callbus.cli.evaluate_calls import Trial
from callbus.errors import ModelError
from callbus.evaluate import trial
from callbus.evaluate.measures import Evaluation, measure
from callbus.evaluate.report import page
from callbus.topology import load
from callbus.variant import with_heads
from tests.cli import ROOT, SAMPLES, TOPOLOGY, callbus
from tests.evaluations import classified, evaluated, heard, turns

GRAPH = load(TOPOLOGY)
TRUTH: dict[str, Any] = {
    "turns": turns("He is sold."),
    "main_category": "gbv",
    "sub_category": "Forced Marriage",
    "priority": "high",
    "intervention": "Referral",
    "qa": {"Opening": True},
}


def evaluation(*said: Sequence[Any]) -> Evaluation:
    return measure([heard(TRUTH, *records, call_id=f"call-{n}") for n, records in enumerate(said)], GRAPH)


BEFORE = evaluation([classified("vane", ["Child Marriage"], "high")], [classified("gbv", priority="high")])
AFTER = evaluation([classified("gbv", priority="high")], [classified("gbv", priority="low")])


def test_measures_stand_side_by_side() -> None:
    """Those that differ, and those of classification and QA in any case; what stayed as it was is not dressed up."""
    rows = {row[0]: row[1:3] for row in trial.measures(BEFORE, AFTER)}
    assert rows["sub-category, first"] == ("50.0%", "100.0%")
    assert rows["priority"] == ("100.0%", "50.0%")
    assert rows["intervention"] == ("100.0%", "100.0%")
    assert "PII masked" not in rows


def test_what_became_of_each_call_is_told() -> None:
    """What became right and what became wrong, of the calls of which anything did."""
    assert list(trial.calls(BEFORE, AFTER)) == [("call-0", "main, sub, sub in top 3", "—"), ("call-1", "—", "priority")]
    assert list(trial.calls(AFTER, AFTER)) == []


def test_criteria_of_which_the_accuracy_differs_are_told() -> None:
    """And no others."""
    before, after = evaluation([evaluated(Opening="fail")]), evaluation([evaluated(Opening="pass")])
    assert list(trial.criteria(before, after)) == [("QA: Opening", "0.0%", "100.0%", "1")]
    assert list(trial.criteria(after, after)) == []


def test_the_page_has_both() -> None:
    """Above the measures of the graph as it is; without a trial it is the page that it was."""
    assert "## As it is, and tried" in page(BEFORE, AFTER)
    assert "tried" not in page(BEFORE)


def test_heads_are_tried_where_the_graph_has_such_heads() -> None:
    """Those of cases in every group that uses them, those of danger in alerts alone; the graph stays as it is."""
    variant, groups = with_heads(GRAPH, ROOT / "domain" / "heads")
    assert groups == ("classification", "qa", "summary")
    assert variant.groups["qa"].options["heads"] == str(ROOT / "domain" / "heads")
    assert with_heads(GRAPH, ROOT / "domain" / "alerts")[1] == ("alerts",)
    assert GRAPH.groups["qa"].options["heads"] == "domain/heads"
    with pytest.raises(ModelError, match="no trained heads in"):
        with_heads(GRAPH, ROOT / "domain")


def test_heads_of_something_else_are_told(tmp_path: Path) -> None:
    """One line, exit code 4, before any call is heard."""
    (tmp_path / "heads.json").write_text(json.dumps({"heads": [{"name": "weather"}]}))
    result = callbus("evaluate", SAMPLES / "text_missing_child.json", "--heads", tmp_path)
    assert "no group of topology.yaml has heads like these" in result.stderr
    assert (result.exit_code, result.stdout) == (4, "")


def test_a_trial_sees_what_the_rest_of_the_graph_made() -> None:
    """And nothing of what the groups on trial had said."""
    its = Trial.of(*with_heads(GRAPH, ROOT / "domain" / "heads"))
    events = {"call-documents": ["d"], "classifications": ["c"], "qa-evaluations": ["q"], "alerts": ["a"]}
    assert its.inputs(events) == {"call-documents": ["d"], "alerts": ["a"]}
    assert set(its.topology.groups) == {"classification", "qa", "summary"}
