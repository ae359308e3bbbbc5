"""Feedback: what the example corpus learns of it, and that nothing personal enters."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from callbus.errors import InputError
from callbus.feedback.anonymous import anonymous
from callbus.feedback.examples import Case, LeftOut, Made, Passage, Sentence, Source, entry_id, examples
from callbus.feedback.folder import write
from callbus.feedback.standing import standing
from callbus.feedback.vocabulary import Vocabulary
from consumers.alerts.dangers import NONE, read_dangers
from consumers.alerts.dangers import Passage as DangerPassage
from consumers.corpus import read_corpus
from consumers.heads import Heads, Trainer, command
from schemas.records import Entity
from tests.feedback import CORPUS, LABELS, REDACTED, WORDS, given, judged, made


def test_a_correction_becomes_an_example_of_the_corpus() -> None:
    """Of the turns that were named; what nobody corrected stays as it was judged, and the provenance says so."""
    [case] = made(given(sub="Physical Abuse", evidence=["0:09"]), judged=judged())
    assert isinstance(case, Case)
    assert case.labels == {
        "main": "vane",
        "sub": "Physical Abuse",
        "priority": "medium",
        "intervention": "Counselling",
    }
    assert case.says == ("He beats my little brother with a cable every evening.",)
    assert case.provenance.corrected == ("main", "sub")
    assert case.provenance.as_judged == ("priority", "intervention")


def test_the_turns_that_the_judgement_rests_on_tell_of_the_case() -> None:
    """Where none was named: so small talk is not taught as what a case is. Else the longest."""
    [case] = made(given(sub="Physical Abuse"), judged=judged(["call-1-2", "call-1-0"]))
    assert isinstance(case, Case)
    assert case.says == ("He beats my little brother with a cable every evening.",)
    [case] = made(given(sub="Physical Abuse"), judged=judged())
    assert isinstance(case, Case)
    assert len(case.says) == 2  # not the one with the number, nor the one who says who and where they are


def test_no_particular_enters_the_corpus() -> None:
    """Not one that redaction missed in one turn and found in another, no number, spoken or not, no placeholder."""
    texts = [anonymous(REDACTED, turn, WORDS) for turn in REDACTED.turns]
    assert texts[1] is None
    assert texts[3] == "I hear how heavy this is for you, someone, and I am with you."
    assert texts[4] == "My brother's arm is swollen since someone tried to stop him."
    assert texts[5] is None
    for text in texts:
        assert text is None or not re.search(r"Amina|Mwanza|\[|\d{3}", text)


@pytest.mark.parametrize(
    "text",
    [
        "Call me on 0712 345 678 please, any time.",
        "Write to achi@example.org about the school.",
        "It is achi at example dot org, do you have it?",
        "I told AMINA to go to the neighbours at once.",
        "It is six, double four, one, nine, I think.",
        "They wrote 0712 345 678 on the wall of the house.",
        "then zubi hit her with a stone in the house",
    ],
)
def test_a_turn_that_may_hold_a_particular_is_changed_or_left_out(text: str) -> None:
    """Whatever redaction has made of it."""
    turn = replace(REDACTED.turns[2], text=text, redacted_text=text)
    found = anonymous(replace(REDACTED, turns=(*REDACTED.turns, turn)), turn, WORDS)
    assert found == ("I told someone to go to the neighbours at once." if "AMINA" in text else None)


def test_part_of_a_name_is_a_name() -> None:
    """Where the whole was found in one turn, a turn with half of it is left out; a title is no name."""
    name = Entity(label="NAME", text="Mama Hope Wanjiku", start=0, end=17, score=1.0, placeholder="[NAME_2]")
    other = replace(REDACTED.turns[0], entities=(name,))
    for text, kept in (
        ("then hope came and took them all away", False),
        ("then mama came and took them all away", True),
    ):
        turn = replace(REDACTED.turns[2], text=text, redacted_text=text)
        assert (anonymous(replace(REDACTED, turns=(other, turn)), turn, WORDS) is not None) is kept


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("then zubi hit her with a stone", ["zubi"]),
        ("They took her to Stone at night.", ["Stone"]),
        ("They hit her. Stones were there, and I saw it.", []),
        ("it was k who took them in the evening", []),
        ("she was taking the quicker stones quickly", []),
        ("", []),
    ],
)
def test_a_word_that_no_corpus_has_may_be_a_name(text: str, odd: list[str]) -> None:
    """And one with a capital within a sentence; a known word's endings are known, and a letter tells nothing."""
    known = ["then they took her to a stone at night", "hit were there and saw it was who in evening", "take big quick"]
    assert Vocabulary.of([*known, "them with she the", "Zubi is a name."]).odd(text) == odd


def test_words_come_from_a_corpus(tmp_path: Path) -> None:
    """Every text in it; a folder without one is told."""
    assert {"stepfather", "cable"} <= WORDS.words
    assert "Amina" not in WORDS.words
    with pytest.raises(InputError, match="no corpus, whose words may be kept; name one with --words"):
        Vocabulary.read(tmp_path)


def test_what_somebody_pointed_at_is_a_particular() -> None:
    """A name that redaction missed everywhere, once it is named as one."""
    words = given(1, sub="Physical Abuse", evidence=["0:09"]), given(2, stage="ner", entities=["0:09/5=NAME"])
    case, left_out = made(*words, judged=judged())
    assert isinstance(left_out, LeftOut)
    assert isinstance(case, Case)
    assert case.says == ("He beats my little someone with a cable every evening.",)


def test_a_correction_that_lacks_something_is_left_out_with_the_reason() -> None:
    """No label, a call that was undetermined, no turn that can be kept."""
    words = given(sub="Physical Abuse")
    [lacking] = made(words)
    assert isinstance(lacking, LeftOut)
    assert lacking.reason == "nothing says its priority and intervention"
    unclear = judged()
    unclear = replace(unclear, priority=replace(unclear.priority, label="undetermined", score=0.0))
    [lacking] = made(words, judged=unclear)
    assert isinstance(lacking, LeftOut)
    assert lacking.reason == "nothing says its priority"
    silent = replace(REDACTED, turns=(REDACTED.turns[5],))
    [left_out] = examples(Source(standing([words])["call-1"], silent, judged(), LABELS, WORDS))
    assert isinstance(left_out, LeftOut)
    assert left_out.reason.startswith("of the turns that tell of it none is surely free of particulars")


def test_counsellors_sentences_teach_criteria() -> None:
    """Fulfilled or missed, of the turn that was named; without one there is nothing to learn from."""
    name = "Empathizes with the caller"
    [one] = made(given(stage="qa", criteria=[f"{name}=pass"], evidence=["0:13"]))
    assert isinstance(one, Sentence)
    assert (one.criterion, one.kind, one.text) == (
        name,
        "shows",
        "I hear how heavy this is for you, someone, and I am with you.",
    )
    [left_out] = made(given(stage="qa", criteria=[f"{name}=fail"]))
    assert isinstance(left_out, LeftOut)


def test_a_false_alarm_is_a_calm_passage() -> None:
    """And a danger that was missed is one of its matter and level."""
    [calm] = made(given(stage="alerts", alerts=["violence=none"], evidence=["1:05"]))
    [danger] = made(given(stage="alerts", alerts=["violence=critical"], evidence=["0:09"]))
    assert isinstance(calm, Passage)
    assert isinstance(danger, Passage)
    assert (calm.matter, calm.text) == ("none", "My brother's arm is swollen since someone tried to stop him.")
    assert (danger.matter, danger.level) == ("violence", "critical")


def exported(folder: Path) -> list[Made]:
    found = made(
        given(1, sub="Physical Abuse", priority="high", intervention="Referral", evidence=["0:09"]),
        given(2, stage="qa", criteria=["Empathizes with the caller=pass"], evidence=["0:13"]),
        given(3, stage="alerts", alerts=["violence=none"], evidence=["1:05"]),
        given(4, stage="alerts", alerts=["confinement=high"], evidence=["0:09"]),
    )
    write(folder, [one for one in found if not isinstance(one, LeftOut)])
    return found


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_trained_on_beside_the_corpus(tmp_path: Path) -> None:
    """Its cases, sentences and passages are read as the corpus's own are, and heads of it have another version."""
    exported(tmp_path)
    corpus = read_corpus(CORPUS)
    more = read_corpus(CORPUS, tmp_path)
    [example] = more.examples[len(corpus.examples) :]
    assert (example.call, example.main, example.sub) == (entry_id("call-1"), "vane", "Physical Abuse")
    name = "Empathizes with the caller"
    assert more.shows[name] == (*corpus.shows[name], "I hear how heavy this is for you, someone, and I am with you.")
    assert more.digest != corpus.digest
    dangers = read_dangers(CORPUS / "dangers", more, tmp_path / "dangers")
    assert dangers.passages[-2:] == (
        DangerPassage("My brother's arm is swollen since someone tried to stop him.", NONE),
        DangerPassage("He beats my little brother with a cable every evening.", "confinement", "high"),
    )
    assert read_corpus(CORPUS).digest == corpus.digest


@pytest.mark.model
def test_training_takes_several_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The corpus first, then those that add to it; without any, the corpus that is here."""
    seen: list[list[Path]] = []

    def look(corpus: Sequence[Path], encoder: object) -> int:
        assert encoder
        seen.append(list(corpus))
        return len(corpus)

    def never(*_: object) -> Heads:
        raise AssertionError("it was to evaluate")

    trainer = Trainer(description="", heads=tmp_path, engine="ctranslate2", train=never, evaluate=look)
    assert command("x", trainer, ["evaluate", "--corpus", "domain/corpus", str(tmp_path)]) == 0
    assert command("x", trainer, ["evaluate"]) == 0
    assert seen == [[Path("domain/corpus"), tmp_path], [Path("domain/corpus")]]
    assert capsys.readouterr().out == "2\n1\n"


def test_the_same_corrections_make_the_same_folder(tmp_path: Path) -> None:
    """To the byte; what has no correction any more is gone; no call id and no particular is in it."""
    exported(tmp_path)
    once = content(tmp_path)
    exported(tmp_path)
    assert content(tmp_path) == once
    dangers = {"dangers/calm.yaml", "dangers/confinement.yaml"}
    assert set(once) == {"callers/vane.yaml", "counsellors.yaml", *dangers, "provenance.yaml"}
    for text in once.values():
        assert not re.search(r"Amina|Mwanza|call-1|seven one", text)
    provenance = yaml.safe_load(once["provenance.yaml"])["entries"]
    assert [(one["stage"], len(one["feedback"])) for one in provenance] == [
        ("classification", 1),
        ("qa", 1),
        ("alerts", 1),
        ("alerts", 1),
    ]
    write(tmp_path, [])
    assert set(content(tmp_path)) == {"provenance.yaml"}
    assert read_corpus(CORPUS, tmp_path).digest == read_corpus(CORPUS).digest


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Above all the corpus itself."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is no folder of an export"):
        write(tmp_path, [])
    assert content(tmp_path) == {"notes.txt": "mine"}


def test_a_folder_that_adds_nothing_is_told(tmp_path: Path) -> None:
    """A folder that is not there, and criteria of another rubric."""
    with pytest.raises(InputError, match="it adds nothing to a corpus"):
        read_corpus(CORPUS, tmp_path / "absent")
    (tmp_path / "counsellors.yaml").write_text("criteria: {Sings: {shows: [la]}}")
    with pytest.raises(InputError, match="no criterion Sings"):
        read_corpus(CORPUS, tmp_path)
