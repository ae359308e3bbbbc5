"""Truth as strangers write it: one wrong field costs that field, is told, and the call is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from callbus.evaluate.reading import TrueCall, read_call, read_folders
from tests.evaluations import turns

LABELS = ("NAME", "LOCATION", "AGE")
SAID = {"turns": turns("I am Ann.", "Yes.")}


def read(folder: Path, **facts: Any) -> TrueCall:
    path = folder / "a.json"
    path.write_text(json.dumps(SAID | facts), encoding="utf-8")
    return read_call(path, (), LABELS)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"medium": "text"}, "medium: Input should be 'phone', 'chat' or 'recording'"),
        ({"language": "e"}, "language: String should match"),
        ({"language": 5}, "language: Input should be a valid string"),
        ({"id": [1]}, "id: Input should be a valid string"),
        ({"also_acceptable": [["vane"]]}, "also_acceptable.0.1: Field required"),
        ({"also_acceptable": "vane"}, "also_acceptable: "),
        (
            {"entities": [{"turn": 9, "text": "Ann", "label": "NAME"}]},
            "entities.0.turn: is 9, but the turns are 0 to 1",
        ),
        ({"entities": [{"turn": 0, "text": "Ann", "label": "PET"}]}, "entities.0.label: none of AGE, LOCATION, NAME"),
        ({"entities": [{"turn": 0, "label": "NAME"}]}, "entities.0.text: Field required"),
        ({"entities": ["Ann"]}, "entities.0: Input should be a valid dictionary"),
        ({"qa": {"Greets": "n/a"}}, "qa.Greets: Input should be a valid boolean"),
        ({"qa": []}, "qa: Input should be a valid"),
        ({"qa_expected": {"opening": "good"}}, "qa_expected.opening: Input should be a valid number"),
        ({"expect_alert": "maybe"}, "expect_alert: Input should be a valid boolean"),
        ({"main_category": 5, "sub_category": None}, "main_category: Input should be a valid string"),
        ({"priority": {}}, "priority: Input should be a valid string"),
        ({"also_acceptable_interventions": "Referral"}, "also_acceptable_interventions: "),
        ({"channels": ["left", "agent"]}, "channels.0: Input should be 'agent', 'caller'"),
    ],
)
def test_a_wrong_field_costs_that_field(tmp_path: Path, facts: dict[str, Any], told: str) -> None:
    """The warning names file and field; what is left is what the file says without it."""
    call = read(tmp_path, **facts)
    assert call.id == "a"
    assert call.left_out[0].startswith(f"{tmp_path / 'a.json'}: {told}")
    assert [turn.text for turn in call.truth.turns] == ["I am Ann.", "Yes."]
    plain = read(tmp_path).truth
    [field] = [name for name in facts if name != "sub_category"]
    empty = getattr(call.truth, field) in (getattr(plain, field), (), {})
    assert empty, getattr(call.truth, field)
    assert call.truth.main is None


def test_its_neighbours_are_kept(tmp_path: Path) -> None:
    """Of lists and tables only the item that is wrong goes. A turn of which a particular went is told as unsure."""
    call = read(
        tmp_path,
        entities=[
            {"turn": 0, "text": "Ann", "label": "NAME"},
            {"turn": 1, "text": "Yes", "label": "ANSWER"},
            {"turn": 7, "text": "Ann", "label": "NAME"},
        ],
        qa={"Greets": True, "Asks": "n/a", "Holds": None},
        also_acceptable=[["gbv", "Forced Marriage"], [], ["vane", None]],
        also_acceptable_interventions=["Referral", 3],
    )
    truth = call.truth
    assert [(one.turn, one.label) for one in truth.entities or ()] == [(0, "NAME")]
    assert (truth.by_turn, truth.unsure) == (True, {1})
    assert truth.qa == {"Greets": True, "Holds": None}
    assert truth.also_acceptable == (("gbv", "Forced Marriage"), ("vane", None))
    assert truth.also_acceptable_interventions == ("Referral",)
    assert len(call.left_out) == 5


def test_what_means_the_same_is_taken_for_it(tmp_path: Path) -> None:
    """Nothing is told of it: other words for who speaks, a language by its name, general labels, times of a half."""
    call = read(
        tmp_path,
        id=7,
        language="Portuguese",
        turns=[
            {"speaker": name, "text": "x", "start_ms": 0.5, "end_ms": 900.4}
            for name in ("counsellor", "Counselor", "operator", "agent", "child", "CLIENT", "caller")
        ],
        entities=[{"turn": 0, "text": "x", "label": "person"}],
        channels=["child", "counsellor"],
        colour="blue",
        priority=None,
    )
    assert call.left_out == (f"{tmp_path / 'a.json'}: turns: all at one moment: their times say nothing; "
                             "left out, the rest of the call is measured",)  # fmt: skip
    assert [turn.speaker for turn in call.truth.turns] == ["agent"] * 4 + ["caller"] * 3
    assert (call.id, call.truth.language, call.truth.channels) == ("7", "pt", ("caller", "agent"))
    assert call.truth.entities
    assert call.truth.entities[0].label == "NAME"
    half = read(tmp_path, turns=[{"speaker": "child", "text": "x", "start_ms": 0.6, "end_ms": 900.4}])
    assert (half.truth.times(), half.truth.timed, half.left_out) == ([(1, 900)], True, ())


def test_a_turn_keeps_its_number(tmp_path: Path) -> None:
    """Whatever is wrong with it: particulars name turns by number. Faults of a kind are told once."""
    said = [7, {"speaker": "nurse", "text": "One."}, {"speaker": "nurse", "text": "Two.", "start_ms": 9, "end_ms": 3}]
    call = read(
        tmp_path,
        turns=[*said, {"speaker": "child", "text": None}],
        entities=[{"turn": 2, "text": "Two", "label": "AGE"}],
    )
    assert [(turn.speaker, turn.text) for turn in call.truth.turns] == [
        ("unknown", ""),
        ("unknown", "One."),
        ("unknown", "Two."),
        ("caller", ""),
    ]
    assert call.truth.entities
    assert [line.split("json: ")[1].split(":")[0] for line in call.left_out] == [
        "turns.0",
        "turns.1.speaker (and 1 more)",
        "turns.2.end_ms",
    ]
    assert "One" not in "".join(call.left_out)


def test_turns_without_times_follow_one_another(tmp_path: Path) -> None:
    """At 2.5 words a second; nothing that needs times is known of such a call, nor where all have the same."""
    call = read(tmp_path, turns=[{"speaker": "child", "text": "one two three"}, {"speaker": "agent", "text": "four"}])
    assert call.truth.times() == [(0, 1200), (1650, 2050)]
    assert (call.truth.timed, call.left_out) == (False, ())
    same = [{"speaker": "child", "text": "one", "start_ms": 0, "end_ms": 0}] * 2
    laid = read(tmp_path, turns=same)
    assert (laid.truth.timed, laid.truth.times()) == (False, [(0, 400), (850, 1250)])
    assert read(tmp_path).truth.timed


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Editors of Windows write one; UTF-16 is read too."""
    for coding in ("utf-8-sig", "utf-16"):
        (tmp_path / "a.json").write_text(json.dumps(SAID), encoding=coding)
        assert read_call(tmp_path / "a.json", ()).left_out == ()


def test_half_a_character_is_no_fault(tmp_path: Path) -> None:
    """JSON can say one alone; nothing else can write it. A whole one stays."""
    call = read(tmp_path, id="\ud800", turns=[{"speaker": "child", "text": "a \ud83d b \U0001f600"}])
    assert (call.id, call.truth.turns[0].text) == ("\ufffd", "a \ufffd b \U0001f600")


def test_no_call_is_lost_by_its_name(tmp_path: Path) -> None:
    """Three of one id, in folders of one name; and a file that is named twice is one call."""
    for folder in ("x/calls", "y/calls", "z/calls"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.json").write_text(json.dumps(SAID | {"id": "same"}), encoding="utf-8")
    folders = [tmp_path / "x/calls", tmp_path / "y/calls", tmp_path / "z/calls", tmp_path / "x/calls/a.json"]
    calls, _ = read_folders(folders, ())
    assert [call.id for call in calls] == ["same", "calls/a", str(tmp_path / "z/calls/a.json")]


def test_sound_is_found_whatever_the_case_of_its_ending(tmp_path: Path) -> None:
    """`A.WAV` comes from Windows."""
    (tmp_path / "a.WAV").touch()
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    assert read_call(tmp_path / "a.json", (".wav",)).audio == tmp_path / "a.WAV"
