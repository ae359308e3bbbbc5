"""Calls with their truth, as people write them."""

import json
from pathlib import Path
from typing import Any

import pytest

from callbus.errors import InputError
from callbus.evaluate.reading import read_call, read_folders
from callbus.evaluate.truth import Truth
from tests.cli import SAMPLES
from tests.evaluations import turns

SOUND = (".flac",)


def write(path: Path, **truth: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"turns": turns("Hello."), **truth}), encoding="utf-8")
    return path


def test_every_sample_is_read() -> None:
    """Audio beside its truth, a chat, and the full form."""
    calls, errors = read_folders([SAMPLES], SOUND)
    assert errors == []
    assert {call.id: call.audio and call.audio.name for call in calls} == {
        "bullying_school": "bullying_school.flac",
        "chat_bullying_pt": None,
        "maintenance_custody": "maintenance_custody.flac",
        "physical_abuse_hold": "physical_abuse_hold.flac",
        "text_missing_child": None,
    }
    full = next(call.truth for call in calls if call.id == "text_missing_child")
    assert (full.main, full.sub, full.by_turn, full.expect_alert) == (
        "advice_and_counselling",
        "Missing Child",
        True,
        True,
    )
    assert not next(call.truth for call in calls if call.id == "bullying_school").by_turn


def test_a_call_may_lack_all_but_its_turns(tmp_path: Path) -> None:
    """It is named after its file, and takes its time. What is not known here, and what is null, is left alone."""
    said = [{"speaker": "caller", "text": "one two"}, {"speaker": "agent", "text": "three"}]
    call = read_call(write(tmp_path / "a.json", turns=said, also_acceptable=None, colour="blue"), SOUND)
    assert call.id == "a"
    assert call.truth.times() == [(0, 800), (1250, 1650)]
    assert (call.truth.main, call.truth.entities, call.truth.also_acceptable) == (None, None, ())


def test_a_main_category_that_is_null_is_a_truth_too() -> None:
    """Where the sub-category is there and null too, the call should be left undetermined; a key that is missing says
    nothing, and a null beside it neither."""
    unclear = Truth.model_validate({"main_category": None, "sub_category": None})
    assert (unclear.main, unclear.sub) == ("undetermined", "undetermined")
    assert (Truth().main, Truth().sub) == (None, None)
    alone = Truth.model_validate({"main_category": None})
    assert (alone.main, alone.sub) == (None, None)
    half = Truth.model_validate({"main_category": None, "sub_category": "Bullying"})
    assert (half.main, half.sub) == (None, "Bullying")


def test_two_calls_of_one_id_are_told_apart(tmp_path: Path) -> None:
    """In folders within the folder too; the second has its path for an id."""
    write(tmp_path / "calls" / "a.json", id="same")
    write(tmp_path / "calls" / "deep" / "b.json", id="same")
    calls, _ = read_folders([tmp_path / "calls"], SOUND)
    assert [call.id for call in calls] == ["same", "calls/deep/b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "Input should be an object"),
        ("{", "Invalid JSON"),
        ('{"turns": []}', "turns: nothing is said in it and no audio lies beside it"),
        ('{"turns": [{"speaker": "hold", "text": ""}]}', "turns: nothing is said in it"),
        ('{"turns": "Hello."}', "turns: nothing is said in it (turns: Input should be a valid tuple)"),
        ('{"expect_alert": true}', "turns: nothing is said in it"),
        ("[" * 100_000, "Invalid JSON"),
    ],
)
def test_what_is_no_call_is_told_with_its_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    """And the others are read all the same."""
    write(tmp_path / "good.json")
    (tmp_path / "bad.json").write_text(text, encoding="utf-8")
    calls, [error] = read_folders([tmp_path], SOUND)
    assert [call.id for call in calls] == ["good"]
    assert str(error).startswith(f"{tmp_path / 'bad.json'}: ")
    assert said in str(error)


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    """Nothing can be measured: an error with what to do."""
    with pytest.raises(InputError, match="no such folder; name one"):
        read_folders([tmp_path / "absent"], SOUND)
    with pytest.raises(InputError, match=r"no \.json file in it; put calls there"):
        read_folders([tmp_path], SOUND)
