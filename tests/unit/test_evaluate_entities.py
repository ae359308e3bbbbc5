"""What is found and what leaks, in figures small enough to be checked by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from callbus.errors import InputError
from callbus.evaluate import entities, redaction
from callbus.evaluate.entities import Entities
from callbus.evaluate.redaction import Redaction, masked_characters
from callbus.evaluate.truth import Truth
from callbus.evaluate.wording import normalised, places
from callbus.topology import load
from tests.cli import TOPOLOGY
from tests.evaluations import PERSONAL, heard, read, translated, turns

TEXT = "Brian is eight, and Brian Otieno is his uncle."
TRUE = [
    {"turn": 0, "text": "Brian", "label": "NAME"},
    {"turn": 0, "text": "eight", "label": "AGE"},
    {"turn": 0, "text": "Brian Otieno", "label": "NAME"},
]


def found(*labelled: tuple[str, str], truth: list[dict[str, object]] | None = None) -> Entities:
    call = heard({"turns": turns(TEXT), "entities": truth or TRUE}, read(0, TEXT, TEXT, *labelled))
    return entities.score([call])


def test_all_found_is_one() -> None:
    """Per label and over all of them."""
    its = found(("NAME", "Brian"), ("AGE", "eight"), ("NAME", "Brian Otieno"))
    assert (its.micro.precision, its.micro.recall, its.micro.f1) == (1.0, 1.0, 1.0)
    assert {label: (one.true, one.found) for label, one in its.per_label.items()} == {"AGE": (1, 1), "NAME": (2, 2)}


def test_what_is_missed_and_what_is_wrong_counts() -> None:
    """Two of three found (half a name is enough), and two that are none: P 2/4, R 2/3, F1 4/7."""
    its = found(("NAME", "Otieno"), ("AGE", "eight"), ("NAME", "uncle"), ("AGE", "uncle"), truth=TRUE)
    assert its.micro.precision == 0.5
    assert its.micro.recall == pytest.approx(2 / 3)
    assert its.micro.f1 == pytest.approx(4 / 7)
    assert its.per_label["AGE"].precision == 0.5
    assert its.per_label["NAME"].recall == 0.5


def test_a_label_that_no_call_of_the_folder_has_is_no_measure() -> None:
    """What is found of it lowers nothing and is no mistake of the call; one call that has it makes it count in all."""
    incidents = read(0, TEXT, TEXT, ("NAME", "Brian Otieno"), ("AGE", "eight"), ("INCIDENT_TYPE", "uncle"))
    first = heard({"turns": turns(TEXT), "entities": TRUE}, incidents)
    its = entities.score([first])
    assert (its.micro.precision, its.micro.recall, its.micro.found) == (1.0, 1.0, 2)
    assert set(its.per_label) == {"AGE", "NAME"}
    assert entities.missed(first, entities.listed([first])) == (0, 0)

    knows = heard({"turns": turns("A rape."), "entities": [{"turn": 0, "text": "rape", "label": "INCIDENT_TYPE"}]})
    its = entities.score([first, knows])
    assert (its.micro.precision, its.per_label["INCIDENT_TYPE"].precision) == (2 / 3, 0.0)
    assert entities.missed(first, entities.listed([first, knows])) == (0, 1)


def test_of_two_that_read_the_same_each_stands_in_its_place() -> None:
    """One found at the first place does not find the second; named once, either place will do."""
    twice = [{"turn": 0, "text": "Brian", "label": "NAME"}] * 2
    assert found(("NAME", "Brian"), truth=twice).micro.recall == 0.5
    assert found(("NAME", "Brian Otieno"), truth=twice[:1]).micro.recall == 1.0


def test_a_turn_that_nothing_came_of_is_missed() -> None:
    """Its particulars are no less true."""
    assert entities.score([heard({"turns": turns(TEXT), "entities": TRUE})]).micro.recall == 0.0


def test_audio_is_matched_by_what_was_said() -> None:
    """Numbers in digits too, each particular once. A list without turns tells nothing of what else was found."""
    listed = [{"text": "nine years old", "label": "AGE"}, {"text": "Nakuru", "label": "LOCATION"}]
    heard_ = read(0, "She is 9 years old, 9 years old. Hello Peter.", "", ("AGE", "9 years old"), ("LOCATION", "Peter"))
    loose = entities.score([heard({"turns": turns("x"), "entities": listed}, heard_, audio=True)]).micro
    assert (loose.precision, loose.recall, loose.f1, loose.true) == (None, 0.5, None, 2)
    by_turn = [one | {"turn": 0} for one in listed]
    strict = entities.score([heard({"turns": turns("x"), "entities": by_turn}, heard_, audio=True)]).micro
    assert (strict.precision, strict.recall) == (0.5, 0.5)


def test_of_a_translated_call_counts_what_reads_the_same() -> None:
    """`doze` can't be found in English, and what else was found is not known to be wrong."""
    truth = {
        "turns": turns("Chamo-me Celso, tenho doze anos.", reference_en="My name is Celso, I am twelve."),
        "entities": [{"turn": 0, "text": "Celso", "label": "NAME"}, {"turn": 0, "text": "doze", "label": "AGE"}],
    }
    text = "My name is Celso, I am twelve."
    call = heard(truth, translated(0, text), read(0, text, text, ("NAME", "Celso"), ("AGE", "twelve")))
    its = entities.score([call]).micro
    assert (its.true, its.recall, its.precision) == (1, 1.0, None)


def test_one_translated_turn_costs_the_others_nothing() -> None:
    """They are compared in their own words, with precision; of the translated turn counts what reads the same."""
    foreign, english = "Chamo-me Celso, tenho doze anos.", "My name is Celso, I am twelve."
    said = [*turns(TEXT), *turns(foreign, reference_en=english)]
    truth = {
        "turns": said,
        "entities": [*TRUE, {"turn": 1, "text": "Celso", "label": "NAME"}, {"turn": 1, "text": "doze", "label": "AGE"}],
    }
    first = read(0, TEXT, "[NAME_1] is eight, and [NAME_2] is his [NAME_3].", ("NAME", "Brian"), ("NAME", "uncle"))
    second = read(1, english, english, ("NAME", "Celso"), ("AGE", "twelve"))
    passed = translated(0, TEXT, status="pass_through")
    call = heard(truth, passed, translated(1, english), first, second)
    its = entities.score([call])
    assert (its.micro.true, its.micro.found) == (4, 2)
    assert (its.micro.recall, its.micro.precision) == (0.5, 0.5)
    hidden = redaction.score([call], PERSONAL)
    assert hidden.over_redaction == 5 / 20
    assert hidden.leaked_characters == len("Celso")


def test_a_turn_of_which_a_particular_was_left_out_counts_for_recall_only() -> None:
    """Its list is not complete; that of the turn beside it is."""
    unsure = Truth.model_validate({"turns": turns(TEXT, "I am Ann."), "entities": TRUE[:1]})
    unsure = unsure.model_copy(update={"unsure": frozenset({0})})
    finds = (read(0, TEXT, TEXT, ("NAME", "Brian"), ("AGE", "eight")), read(1, "I am Ann.", "", ("NAME", "Ann")))
    its = entities.score([replace(heard({"turns": turns(TEXT, "I am Ann.")}, *finds), truth=unsure)]).micro
    assert (its.recall, its.found, its.precision) == (1.0, 1, 0.0)


def test_without_truth_nothing_is_measured() -> None:
    """An empty list is a truth: whatever is found is wrong, of the labels that the folder's lists know."""
    assert entities.score([heard({"turns": turns(TEXT)}, read(0, TEXT, TEXT, ("NAME", "Brian")))]).micro.f1 is None
    empty = heard({"turns": turns(TEXT), "entities": []}, read(0, TEXT, TEXT, ("NAME", "Brian")))
    assert entities.score([empty]).micro.precision is None
    named = heard({"turns": turns(TEXT), "entities": TRUE})
    assert entities.score([empty, named]).micro.precision == 0.0


def leaks(redacted: str, text: str = TEXT, truth: list[dict[str, object]] | None = None) -> Redaction:
    call = heard({"turns": turns(text), "entities": truth or TRUE}, read(0, text, redacted))
    return redaction.score([call], PERSONAL)


def test_what_stands_in_clear_leaks() -> None:
    """Letters and digits are counted: Brian twice (10) and Otieno (6) are personal; of 20 others none is masked."""
    whole = leaks("[NAME_1] is eight, and [NAME_2] is his uncle.")
    assert (whole.pii_recall, whole.leaked_characters, whole.over_redaction) == (1.0, 0, 0.0)
    half = leaks("[NAME_1] is eight, and [NAME_1] Otieno is his uncle.")
    assert (half.pii_recall, half.leaked_characters, half.pii_characters) == (10 / 16, 6, 16)
    assert half.per_label == {"NAME": (16, 6)}
    assert leaks(TEXT).leaked_characters == 16


def test_what_is_masked_without_need_is_told() -> None:
    """`uncle` is 5 of the 20 letters that are nobody's name."""
    assert leaks("[NAME_1] is eight, and [NAME_2] is his [NAME_3].").over_redaction == 5 / 20


def test_a_name_is_a_secret_in_its_own_turn() -> None:
    """Hope is a name in the first turn and a word in the second."""
    truth = {"turns": turns("I am Hope.", "I hope so."), "entities": [{"turn": 0, "text": "Hope", "label": "NAME"}]}
    call = heard(truth, read(0, "I am Hope.", "I am [NAME_1]."), read(1, "I hope so.", "I hope so."))
    its = redaction.score([call], PERSONAL)
    assert (its.pii_characters, its.leaked_characters) == (4, 0)


def test_only_complete_lists_tell_what_is_masked_without_need() -> None:
    """A list without turns may have left out what was masked."""
    complete = heard(
        {"turns": turns(TEXT), "entities": TRUE}, read(0, TEXT, "[NAME_1] is eight, and [NAME_2] is his [NAME_3].")
    )
    loose = heard({"turns": turns(TEXT), "entities": [{"text": "Brian", "label": "NAME"}]}, read(0, TEXT, "[NAME_1]"))
    assert redaction.score([complete, loose], PERSONAL).over_redaction == 5 / 20


def test_a_redacted_text_that_does_not_follow_from_the_text_masks_nothing() -> None:
    """A rewritten text proves nothing."""
    assert leaks("[NAME_1] was eight, and [NAME_2] is his uncle.").leaked_characters == 16
    assert list(masked_characters("ab cd", "[NAME_1] cd")) == [0, 1]
    assert list(masked_characters("ab cd", "[NAME_1] ce")) == []


def test_spoken_numbers_leak_as_digits_too() -> None:
    """Of audio the words are those that were understood; what was misheard is no leak."""
    listed = [{"text": "zero seven one two", "label": "PHONE_NUMBER"}, {"text": "Okello", "label": "NAME"}]
    text = "My number is 0712. I am Okalo."
    call = heard({"turns": turns("x"), "entities": listed}, read(0, text, text), audio=True)
    its = redaction.score([call], PERSONAL)
    assert (its.pii_characters, its.leaked_characters, its.over_redaction) == (4, 4, None)


def test_no_list_no_leak_no_figure() -> None:
    """And what is not personal by the helpline's list is none."""
    its = redaction.score([heard({"turns": turns(TEXT)}, read(0, TEXT, TEXT))], PERSONAL)
    assert (its.pii_recall, its.leaked_characters, its.over_redaction) == (None, None, None)
    assert leaks(TEXT, truth=TRUE[1:2]).leaked_characters == 0


def test_the_personal_labels_are_the_helplines() -> None:
    """Those of domain/entities.yaml."""
    personal = redaction.personal_labels(load(TOPOLOGY))
    assert {"NAME", "PHONE_NUMBER", "VICTIM"} <= personal
    assert "AGE" not in personal


def test_without_a_list_of_labels_nothing_can_be_said_of_leaks(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(InputError, match=r"domain/entities\.yaml: no list of entity labels"):
        redaction.personal_labels(replace(load(TOPOLOGY), root=tmp_path))


def test_words_are_compared_as_they_sound() -> None:
    """Case, accents, punctuation and digits aside."""
    assert normalised("She is 9; Lúcia\u2019s, 0712!") == "she is nine lucia's zero seven one two"
    assert normalised("São 12.", english=False) == "sao 12"
    assert places("brian", "Brian's, not Brianna, BRIAN") == [(0, 5), (22, 27)]
    assert places("zero seven one", "call 07-1 now") == [(5, 9)]
    assert places("...", "anything") == []
