"""`callbus evaluate`: the real consumers on calls with truth, and what people do wrong."""

import json
import shutil
from pathlib import Path

import pytest

from callbus.cli.evaluate_calls import play
from callbus.evaluate.truth import read_call
from tests.cli import SAMPLES, callbus
from tests.unit.test_evaluate_report import FORM, form_of


def text_samples(folder: Path) -> Path:
    for name in ("text_missing_child", "chat_bullying_pt"):
        shutil.copy(SAMPLES / f"{name}.json", folder)
    return folder


def test_written_turns_are_what_was_said() -> None:
    """A chat's are messages, all other calls' are speech; each utterance knows its turn, and the call ends."""
    for name, kind in (("text_missing_child", "speech"), ("chat_bullying_pt", "message")):
        call = read_call(SAMPLES / f"{name}.json", ())
        played = play(call)
        *said, end = played.events["transcripts"]
        assert end.kind == "end"
        assert {one.kind for one in said} == {kind}
        assert [call.truth.turns[played.turn_of[one.event_id]].text for one in said] == [one.text for one in said]
        assert [one.type for one in played.events["call-events"]] == ["started", "ended"]


def test_turns_that_overlap_keep_their_numbers(tmp_path: Path) -> None:
    """They are said when they end; a hold and an empty turn are no utterance."""
    turns = [
        {"speaker": "caller", "start_ms": 0, "end_ms": 5000, "text": "I was --"},
        {"speaker": "hold", "start_ms": 5000, "end_ms": 6000, "text": ""},
        {"speaker": "agent", "start_ms": 4000, "end_ms": 4500, "text": "Yes."},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"turns": turns}), encoding="utf-8")
    played = play(read_call(path, ()))
    assert [(one.text, played.turn_of.get(one.event_id)) for one in played.events["transcripts"]] == [
        ("Yes.", 2),
        ("I was --", 0),
        ("", None),
    ]


def test_audio_comes_in_live_chunks() -> None:
    """As `callbus play` publishes them."""
    played = play(read_call(SAMPLES / "maintenance_custody.json", (".flac",)))
    assert set(played.events) == {"call-events", "call-audio"}
    assert played.events["call-audio"][-1].last


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent"], "absent: no such folder"),
        (["."], "no .json file in it"),
        ([SAMPLES, "--call", "bullying"], "no call bullying in what was named; did you mean bullying_school?"),
        ([SAMPLES / "text_missing_child.json", "--only", "audio"], "no call of audio in it; leave out --only"),
    ],
)
def test_a_folder_that_can_not_be_used(
    arguments: list[str | Path], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, exit code 7, nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    result = callbus("evaluate", *arguments)
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (result.exit_code, result.stdout) == (7, "")


def test_a_folder_of_which_no_file_is_a_call(tmp_path: Path) -> None:
    """A line per file."""
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    (tmp_path / "b.json").write_text("no", encoding="utf-8")
    result = callbus("evaluate", tmp_path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (7, 2)
    assert "a.json: turns: nothing is said" in result.stderr


@pytest.mark.model
@pytest.mark.slow
def test_the_samples_are_measured_by_the_real_consumers(tmp_path: Path) -> None:
    """JSON in its form, a page beside it; a file that is no call is told, and costs nobody else's figures."""
    (text_samples(tmp_path) / "list.json").write_text("[]", encoding="utf-8")
    page = tmp_path / "page.md"
    result = callbus("evaluate", tmp_path, "--json", "--report", page)
    assert result.exit_code == 7
    assert f"{tmp_path / 'list.json'}: Input should be an object" in result.stderr
    its = json.loads(result.stdout)
    assert form_of(its, FORM) == FORM
    assert its["calls"] == 2
    assert its["wer"]["all"] is None
    assert its["translation"]["chrf"] > 50
    assert its["classification"]["main"]["accuracy"] == 1.0
    assert its["entities"]["micro"]["f1"] > 0.8
    assert its["redaction"]["pii_recall"] > 0.9
    assert its["qa"]["mean_accuracy"] > 0.7
    assert len(its["qa"]["per_criterion"]) == 17
    assert [one["id"] for one in its["per_call"]] == ["chat_bullying_pt", "text_missing_child"]
    text = page.read_text(encoding="utf-8")
    assert "| qa | minilm | " in text
    for name in ("Brian", "Celso", "zero seven"):
        assert name not in text + result.stdout
