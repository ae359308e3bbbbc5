"""`callbus evaluate`: the real consumers on calls with truth, and what people do wrong."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.cli.evaluate_calls import Trial, hear, play
from callbus.consumer import Outcome as Made
from callbus.consumer import Stateless
from callbus.errors import ModelError
from callbus.evaluate.reading import read_call, read_folders
from callbus.topology import Group, Topology, load
from schemas.records import Translation, Utterance
from tests.cli import SAMPLES, TOPOLOGY, callbus
from tests.evaluations import translated
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


@pytest.mark.parametrize("what", ["broken", "absent", "empty", "unknown id", "no audio"])
def test_json_has_its_form_though_nothing_can_be_measured(what: str, tmp_path: Path) -> None:
    """No call, no figure; what was wrong is told on stderr, with exit code 7."""
    folder = tmp_path / "calls"
    arguments: list[str | Path] = [folder, "--json"]
    if what != "absent":
        folder.mkdir()
    if what == "broken":
        (folder / "a.json").write_text("{}", encoding="utf-8")
    if what in ("unknown id", "no audio"):
        text_samples(folder)
        arguments += ["--call", "nobody"] if what == "unknown id" else ["--only", "audio"]
    result = callbus("evaluate", *arguments)
    its = json.loads(result.stdout)
    assert form_of(its, FORM) == FORM
    assert (its["calls"], its["per_call"], its["classification"]["main"]["accuracy"]) == (0, [], None)
    assert its["not_measured"] == (["a.json"] if what == "broken" else [])
    assert (result.exit_code, len(result.stderr.splitlines())) == (7, 1)


def test_a_language_of_one_letter_costs_the_language_alone(tmp_path: Path) -> None:
    """The call is English then, and is put in; so is one without any times."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"language": "e", "turns": [{"speaker": "child", "text": "Hi."}]}), encoding="utf-8")
    [said, _] = play(read_call(path, ())).events["transcripts"]
    assert (said.language, said.speaker, said.end_ms) == ("en", "caller", 400)


@pytest.mark.parametrize(
    ("named", "channels", "told"),
    [
        (["child", "counsellor"], ["caller", "agent"], ""),
        (None, ["agent", "caller"], ""),
        (["left", "right"], ["agent", "caller"], ""),
        (["agent"], ["agent", "caller"], "channels: do not fit the 2 of a.flac; left out"),
    ],
)
def test_channels_are_those_that_the_truth_names(
    named: list[str] | None, channels: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In whatever words; what does not fit the sound costs nobody the call. So may a mark before the JSON."""
    shutil.copy(SAMPLES / "maintenance_custody.flac", tmp_path / "a.flac")
    (tmp_path / "a.json").write_text(json.dumps({"channels": named}), encoding="utf-8-sig")
    played = play(read_call(tmp_path / "a.json", (".flac",)))
    assert [chunk.channel for chunk in played.events["call-audio"][:2]] == channels
    assert (told in capsys.readouterr().err) if told else capsys.readouterr().err == ""


GRAPH = load(TOPOLOGY)
SHORT = replace(GRAPH, groups={"translation": GRAPH.group("translation")})


def breaking(_: Topology, group: Group) -> Stateless:
    """A consumer with a fault: it breaks on what it was not made for."""

    class Fragile:
        def handle(self, events: Sequence[Utterance]) -> list[Made]:
            if any(event.text == "break" for event in events):
                raise KeyError("Wanjiku")
            return [(translation(event),) for event in events]

    assert group.name == "translation"
    return Fragile()


def translation(event: Utterance) -> Translation:
    return replace(
        translated(0, event.text, status="pass_through"),
        call_id=event.call_id,
        utterance_id=event.event_id,
        kind=event.kind,
        event_id=f"translation-{event.event_id}",
    )


def test_a_call_that_breaks_a_consumer_costs_no_other(tmp_path: Path) -> None:
    """Those that went with it go one by one. The guilty one is named with the place of the fault, and nothing of what
    was said in it."""
    for name in ("a", "break", "c"):
        turns = [{"speaker": "caller", "text": name}]
        (tmp_path / f"{name}.json").write_text(json.dumps({"turns": turns}), encoding="utf-8")
    calls, _ = read_folders([tmp_path], ())
    hearing = hear(calls, SHORT, lambda *_: None, load=breaking)
    assert [call.id for call in hearing.heard] == ["a", "c"]
    assert all(call.records["Translation"] for call in hearing.heard)
    [fault] = hearing.unusable
    assert (fault.call, fault.is_fault) == ("break", True)
    assert "call break: not measured: KeyError in tests/unit/test_cli_evaluate.py:" in fault.why
    assert "Wanjiku" not in fault.why


def test_a_call_that_breaks_on_trial_is_left_out_of_both(tmp_path: Path) -> None:
    """Both stand side by side."""
    for name in ("a", "break"):
        turns = [{"speaker": "caller", "text": name}]
        (tmp_path / f"{name}.json").write_text(json.dumps({"turns": turns}), encoding="utf-8")
    calls, _ = read_folders([tmp_path], ())
    nothing = replace(SHORT, groups={})
    hearing = hear(calls, nothing, lambda *_: None, Trial(SHORT), load=breaking)
    assert [call.id for call in hearing.heard] == [call.id for call in hearing.tried] == ["a"]
    assert [one.call for one in hearing.unusable] == ["break"]


def test_what_a_person_can_mend_ends_it(tmp_path: Path) -> None:
    """A model that is missing is no call's fault."""

    def missing(_: Topology, group: Group) -> Stateless:
        raise ModelError(f"no model for {group.name}")

    calls, _ = read_folders([text_samples(tmp_path)], ())
    with pytest.raises(ModelError, match="no model for translation"):
        hear(calls, SHORT, lambda *_: None, load=missing)


def test_a_fault_of_callbus_has_its_own_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """70, as of any fault in callbus; the form is printed, and names the call."""
    shutil.copy(SAMPLES / "text_missing_child.json", tmp_path)

    def unreadable(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("callbus.cli.evaluate_calls._written", unreadable)
    result = callbus("evaluate", tmp_path, "--json")
    assert result.exit_code == 70
    assert json.loads(result.stdout)["not_measured"] == ["text_missing_child"]
    assert "call text_missing_child: not measured: ZeroDivisionError in " in result.stderr


@pytest.mark.model
@pytest.mark.slow
def test_the_samples_are_measured_by_the_real_consumers(tmp_path: Path) -> None:
    """JSON in its form, a page beside it; a file that is no call is told, and costs nobody else's figures."""
    (text_samples(tmp_path) / "list.json").write_text("[]", encoding="utf-8")
    wrong = json.loads((tmp_path / "text_missing_child.json").read_text(encoding="utf-8")) | {"medium": "text"}
    (tmp_path / "text_missing_child.json").write_text(json.dumps(wrong), encoding="utf-8-sig")
    page = tmp_path / "page.md"
    result = callbus("evaluate", tmp_path, "--json", "--report", page)
    assert result.exit_code == 7
    assert f"{tmp_path / 'list.json'}: Input should be an object" in result.stderr
    assert f"warning: {tmp_path / 'text_missing_child.json'}: medium: Input should be" in result.stderr
    its = json.loads(result.stdout)
    assert form_of(its, FORM) == FORM
    assert (its["calls"], its["not_measured"]) == (2, ["list.json"])
    assert its["redaction"]["elsewhere_in_clear"] == {"particulars": 0, "calls": []}
    assert its["redaction"]["number_digits_in_clear"] == {"calls": 0, "ids": []}
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
