"""`callbus reanalyse`: what two judgements of a call differ in, what is kept of it, and what people do wrong."""

import json
from pathlib import Path

import pytest

from callbus.cli.reanalyse_view import page, print_report
from callbus.errors import InputError
from callbus.reanalyse.aspects import DANGER, NONE, Aspects, Said, after
from callbus.reanalyse.course import Course
from callbus.reanalyse.difference import Pair, changes_of, difference
from callbus.reanalyse.form import Report, plain
from callbus.reanalyse.kept import Kept
from callbus.reanalyse.survey import Stretch
from schemas.records import Alert, AlertChange, AlertLevel, CallSummary, SummaryPerson, SummarySentence
from tests.builders import PROVENANCE
from tests.cli import TOPOLOGY, callbus
from tests.evaluations import classified, evaluated


def pair(call_id: str, before: Aspects, after: Aspects, place: str = "0:1") -> Pair:
    return Pair(call_id, place, before, after)


def alert(matter: str, state: AlertChange, level: AlertLevel = "high", score: float = 0.8) -> Alert:
    return Alert(
        event_id=f"{matter}-{state}",
        call_id="call",
        at_ms=1,
        matter=matter,
        state=state,
        level=level,
        utterance_id="u",
        start_ms=0,
        end_ms=1,
        speaker="caller",
        evidence=(),
        score=score,
        revision=1,
        reason="",
        provenance=PROVENANCE,
    )


def test_a_classification_is_its_four_labels() -> None:
    """Each with its own score."""
    found = after({}, classified("gbv", ["Forced Marriage", "Harmful Practice"], "high", "Referral", 0.9))
    assert found == {
        "main": Said("gbv", 0.9),
        "sub": Said("Forced Marriage", 0.9),
        "priority": Said("high", 0.9),
        "intervention": Said("Referral", 0.9),
    }


def test_a_later_judgement_of_the_whole_call_replaces_the_earlier_one() -> None:
    """Nothing of the earlier one is left over."""
    first = after({}, evaluated(Opening="pass", Listening="fail"))
    assert set(after(first, evaluated(Opening="fail"))) == {"Opening", "grade"}


def test_alerts_of_a_call_add_up_to_what_stands() -> None:
    """Matter by matter; the danger is the most urgent of those that stand, none where all were withdrawn."""
    said: Aspects = {}
    for each, danger in (
        (alert("violence", "raised"), "high"),
        (alert("suicide", "raised", "critical"), "critical"),
        (alert("suicide", "withdrawn", "critical"), "high"),
        (alert("violence", "withdrawn"), "withdrawn"),
    ):
        said = after(said, each)
        assert said[DANGER].label == danger
    assert {name: one.label for name, one in said.items()} == {
        "violence": "withdrawn",
        "suicide": "withdrawn",
        DANGER: "withdrawn",
    }


def test_a_summary_is_which_utterances_it_quotes() -> None:
    """Never their words."""
    sentences = [
        SummarySentence(part="happened", text="Amina was beaten.", utterance_id=name, score=score)
        for name, score in (("u1", 0.5), ("u2", 1.0))
    ]
    summary = CallSummary(
        event_id="s",
        call_id="call",
        at_ms=1,
        document_id="d",
        revision=1,
        complete=True,
        sentences=tuple(sentences),
        people=(SummaryPerson(role="father", evidence=()), SummaryPerson(role="child", evidence=())),
        provenance=PROVENANCE,
    )
    assert after({}, summary) == {"happened": Said("u1 u2", 0.75), "people": Said("child, father")}


def test_what_changed_is_counted_by_aspect() -> None:
    """Labels from and to, the mean change of scores over those with two, and the calls that changed."""
    pairs = [
        pair("a", {"main": Said("gbv", 0.5)}, {"main": Said("vane", 0.9)}),
        pair("b", {"main": Said("gbv", 0.5)}, {"main": Said("gbv", 0.7)}),
        pair("c", {"main": Said("vane", None)}, {"main": Said("vane", 0.2)}),
    ]
    found = difference(pairs)
    [main] = found.aspects
    assert (found.calls, list(found.changed), main.calls, main.changed) == (3, ["a"], 3, 1)
    assert main.from_to == {("gbv", "gbv"): 1, ("gbv", "vane"): 1, ("vane", "vane"): 1}
    assert main.mean_score_change == pytest.approx(0.3)


def test_what_only_one_side_speaks_of_is_none_on_the_other() -> None:
    """An alert that is raised now, and a criterion that the new rubric does not have."""
    [raised] = changes_of(pair("a", {}, {DANGER: Said("high", 0.9)}))
    assert (raised.before.label, raised.after.label) == (NONE, "high")
    [gone] = changes_of(pair("a", {"Opening": Said("pass", 1.0)}, {}))
    assert (gone.before.label, gone.after.label) == ("pass", NONE)
    assert difference([pair("a", {}, {"x": Said("y", 0.9)})]).aspects[0].mean_score_change is None


def test_calls_without_a_difference_are_counted_too() -> None:
    """No call, no aspect; no danger on either side is a call that was compared."""
    assert difference([]).aspects == []
    assert difference([pair("a", {}, {})]).calls == 1


def test_what_was_compared_is_kept(tmp_path: Path) -> None:
    """And found again, unless something has been said in the call since."""
    path = tmp_path / "work.jsonl"
    known = pair("a", {"main": Said("gbv", 0.5)}, {"main": Said("vane", None)}, "3:17")
    Kept.of(path, {"stage": "classification"}).add([known])
    again = Kept.of(path, {"stage": "classification"})
    assert again.pair("a", "3:17") == known
    assert again.pair("a", "3:18") is None
    assert again.pair("b", "3:17") is None


def test_a_line_that_was_never_finished_costs_only_itself(tmp_path: Path) -> None:
    """`kill -9` while it wrote: what came before is kept, what comes after starts on a line of its own."""
    path = tmp_path / "work.jsonl"
    kept = Kept.of(path, {"stage": "qa"})
    first, second = pair("a", {}, {}), pair("b", {}, {})
    kept.add([first])
    with path.open("a") as file:
        file.write('{"call_id": "b", "in')
    again = Kept.of(path, {"stage": "qa"})
    again.add([second])
    last = Kept.of(path, {"stage": "qa"})
    assert (last.pair("a", "0:1"), last.pair("b", "0:1")) == (first, second)


def test_what_was_kept_of_other_heads_is_refused(tmp_path: Path) -> None:
    """Or the figures of two models would be mixed."""
    path = tmp_path / "work.jsonl"
    Kept.of(path, {"stage": "qa", "heads": "1"})
    with pytest.raises(InputError, match="another stage, model or options"):
        Kept.of(path, {"stage": "qa", "heads": "2"})
    path.write_text("no json\n")
    with pytest.raises(InputError, match="is not of `callbus reanalyse`"):
        Kept.of(path, {"stage": "qa"})


def report(*pairs: Pair, counted: bool = True) -> Report:
    course = Course(pairs=list(pairs), found=5, running=["r"], refused={"x": "Reject"}, gone=["g"], begun_before=2)
    course.forgotten_before_ms["entities"] = 1_700_000_000_000
    return Report(
        stage="classification",
        tried={"heads": "new"},
        since_ms=1_600_000_000_000,
        counted=counted,
        course=course,
        difference=difference(pairs),
    )


def test_the_report_says_what_is_not_in_its_figures() -> None:
    """Calls that are not over, that can't be judged, that are gone: in the page and in the JSON."""
    changed = pair("a", {"main": Said("gbv", 0.5)}, {"main": Said("vane", 0.9)})
    text, its = page(report(changed)), plain(report(changed))
    for line in (
        "1 of 5 calls compared, 1 changed (100%)",
        "| main | gbv | vane | 1 |",
        "| a | main gbv 50% → vane 90% |",
        "- tried: heads=new",
        "- not over yet: 1 call",
        "- begun before the period, so that their beginning is not in it: 2 calls",
        "- could not be judged now (Reject): 1 call",
        "no longer on the topic",
        "entities keeps nothing from before 2023-11-14",
    ):
        assert line in text
    assert its["calls"]["no_longer_there"] == ["g"]
    assert its["aspects"]["main"] == {
        "calls": 1,
        "changed": 1,
        "mean_score_change": 0.4,
        "from_to": [{"from": "gbv", "to": "vane", "calls": 1}],
    }
    assert its["changed"] == [
        {
            "call_id": "a",
            "changes": [
                {"aspect": "main", "from": {"label": "gbv", "score": 0.5}, "to": {"label": "vane", "score": 0.9}}
            ],
        }
    ]
    json.dumps(its)


def test_a_summary_has_no_table_of_what_became_what() -> None:
    """Its labels are utterances."""
    text = page(report(pair("a", {"happened": Said("u1", 0.5)}, {"happened": Said("u2", 0.5)}), counted=False))
    assert "What became what" not in text
    assert "| a | happened |" in text


def test_what_a_topic_has_forgotten_of_the_period_is_known() -> None:
    """By its oldest record where there is one; by its retention where a lane was emptied; nothing is guessed else."""
    now, day = 100 * 86_400_000, 86_400_000
    whole, cut, emptied = Stretch({}, {}), Stretch({}, {}, now - day), Stretch({}, {}, None, True)
    assert whole.forgotten(30 * day, 0, now) is None
    assert cut.forgotten(30 * day, now - 7 * day, now) == now - day
    assert emptied.forgotten(30 * day, now - 60 * day, now) == now - 30 * day
    assert emptied.forgotten(30 * day, now - 7 * day, now) is None
    assert emptied.forgotten(None, 0, now) is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--stage", "clasification"], 2, "no group clasification; did you mean classification?"),
        (["--stage", "ner"], 7, "what ner makes can't be compared call by call; say "),
        (["--stage", "qa", "--model", "minilm3"], 4, "no model minilm3"),
        (["--stage", "qa", "--card", "card.yaml"], 2, "say with --model whose card it is"),
        (["--stage", "qa", "--option", "heads=absent"], 7, "absent: there is no such file or folder"),
        (["--stage", "qa", "--option", "heads"], 7, "write it like heads=FOLDER"),
        (["--stage", "qa", "--since", "last week"], 2, "'last week': give a duration"),
        (["--stage", "qa", "--report", "no/such/page.md"], 7, "no/such/page.md: can't be written"),
        (["--stage", "qa", "--brokers", "127.0.0.1:9"], 5, "127.0.0.1:9"),
    ],
)
def test_what_can_not_be_done_is_said(arguments: list[str], code: int, said: str) -> None:
    """One line on stderr, with the exit code of its kind; nothing on stdout."""
    since = [] if "--since" in arguments else ["--since", "7d"]
    result = callbus("reanalyse", *since, *arguments, "--topology", TOPOLOGY)
    assert said in result.stderr
    assert (result.exit_code, result.stdout) == (code, "")


def test_the_terminal_shows_what_the_page_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, remarks, what became what, and the calls; no markup of a label is taken for one."""
    print_report(report(pair("a", {"main": Said("[red]gbv", 0.5)}, {"main": Said("vane", 0.9)})))
    shown = capsys.readouterr().out
    for words in (
        "1 of 5 calls compared",
        "not over yet: 1 call",
        "+0.400",
        "[red]gbv",
        "What became what",
        "vane 90%",
    ):
        assert words in shown
