"""What QA measures without a model, and the rubric that it reads."""

from pathlib import Path

import pytest

from callbus.errors import ModelError
from consumers.qa.measures import fluency, interruptions, pauses, saying, silence_after_ms
from consumers.qa.rubric import Fluency, Overlap, Pauses, Shown, Words, read_rubric
from schemas.records import Turn
from tests.documents import ROOT, document, spoken

RUBRIC = ROOT / "domain" / "qa_rubric.yaml"
FILLERS, HEDGES = ("um", "uh", "er"), ("maybe", "i guess", "not sure")


def turns(*said: tuple[str, str, int, int]) -> tuple[Turn, ...]:
    return document([("agent" if who == "agent" else "caller", *rest) for who, *rest in said]).turns  # type: ignore[misc]


def test_starting_while_the_caller_speaks_and_going_on_is_an_interruption() -> None:
    """By 300 ms, where 120 ms are tolerated."""
    found = turns(("caller", "He took my", 0, 3000), ("agent", "What did he take?", 2700, 4500))
    assert interruptions(found, 120) == ("call-1",)
    assert interruptions(found, 400) == ()


def test_a_short_sign_of_listening_is_no_interruption() -> None:
    """It lies within the caller's turn."""
    assert interruptions(turns(("caller", "He took my bag", 0, 3000), ("agent", "Mm, yes.", 1000, 1600)), 120) == ()


def test_a_caller_who_cuts_off_the_counsellor_is_no_fault_of_the_counsellor() -> None:
    """Nor is a reply without any overlap."""
    assert interruptions(turns(("agent", "You can go", 0, 3000), ("caller", "No, listen!", 2500, 4000)), 120) == ()
    assert interruptions(turns(("caller", "Thank you.", 0, 900), ("agent", "Goodbye.", 900, 1500)), 120) == ()


def test_a_transcript_that_marks_a_cut_off_turn_is_believed() -> None:
    """Where it carries no overlapping times, as a chat log or a typed transcript."""
    assert interruptions(turns(("caller", "And then he --", 0, 1000), ("agent", "When?", 1000, 1500)), 120) == (
        "call-1",
    )
    assert interruptions(turns(("agent", "And then you --", 0, 1000), ("caller", "Yes!", 1000, 1500)), 120) == ()


def test_messages_cut_nobody_off() -> None:
    """They overlap only in the phone's clock."""
    chat = document([("caller", "He took my", 0, 3000), ("agent", "What?", 2000, 5000)], kind="message").turns
    assert interruptions(chat, 120) == ()


def test_silence_is_where_neither_channel_speaks() -> None:
    """A long turn covers what lies within it; the end of the call and a chat have none."""
    found = turns(("agent", "a", 0, 10_000), ("caller", "b", 1000, 2000), ("agent", "c", 14_000, 15_000))
    assert silence_after_ms(found) == {"call-0": 0, "call-1": 4000, "call-2": 0}
    chat = document(spoken(("agent", "Hello"), ("silence", 60), ("caller", "Hi")), kind="message").turns
    assert set(silence_after_ms(chat).values()) == {0}


def test_audio_that_never_came_is_not_silence() -> None:
    """A gap fills its time."""
    lost = document([("agent", "a", 0, 1000)]).turns + document([("caller", "", 1000, 21_000)], "gap", kind="gap").turns
    assert set(silence_after_ms([*lost, *turns(("agent", "c", 21_000, 22_000))]).values()) == {0}


def test_fillers_and_hedges_make_a_counsellor_unsure() -> None:
    """One "um" in a whole call does not."""
    unsure = fluency(turns(("agent", "Um, I guess, uh, maybe you could go there.", 0, 3000)), FILLERS, HEDGES)
    assert (unsure.fillers, unsure.hedges) == (2, 2)
    assert unsure.score < 0.5
    assert unsure.guessed == ("call-0",)
    calm = fluency(turns(("agent", "Um, the office is open from eight to five.", 0, 3000)), FILLERS, HEDGES)
    assert calm.score > 0.5
    assert calm.guessed == ()
    assert fluency((), FILLERS, HEDGES).score == 1


def test_a_pause_in_mid_sentence_is_hesitation() -> None:
    """A recogniser drops the "um" and ends the utterance there; each counts half a filler, and is evidence."""
    halting = turns(
        ("agent", "Good morning. You could go to the", 0, 3_000),
        ("agent", "to the office, or", 4_500, 6_000),
        ("agent", "well, to the...", 8_000, 9_500),
        ("agent", "police.", 11_000, 12_000),
        ("caller", "Thank you.", 15_000, 16_000),
    )
    found = pauses(halting, 1_200, 3_000)
    assert found == ("call-0", "call-1", "call-2")
    unsure = fluency([turn for turn in halting if turn.speaker == "agent"], FILLERS, HEDGES, found)
    assert (unsure.pauses, unsure.evidence) == (3, found)
    assert unsure.score < 0.5 < fluency(halting[:3], FILLERS, HEDGES, found[:1]).score
    assert pauses(halting, 1_600, 3_000) == ("call-1",)
    assert pauses(halting, 1_200, 1_800) == ("call-0", "call-2")


def test_silence_that_is_no_hesitation_is_no_pause() -> None:
    """After a question or a whole sentence, on hold, where the caller or nobody knows who speaks, and in a chat."""
    for first, second in (
        (("agent", "How old is he?", 0, 1_000), ("agent", "Are you there?", 3_000, 4_000)),
        (("agent", "Please hold the line", 0, 1_000), ("agent", "for me. Thank you.", 61_000, 62_000)),
        (("agent", "And then, with the", 0, 1_000), ("caller", "Yes.", 3_000, 4_000)),
        (("caller", "And then, with the", 0, 1_000), ("agent", "Yes.", 3_000, 4_000)),
        (("caller", "And then, with the", 0, 1_000), ("caller", "belt.", 3_000, 4_000)),
    ):
        assert pauses(turns(first, second), 1_200, 3_000) == ()
    plain = [("agent", "go to the", 0, 1_000), ("agent", "office", 3_000, 4_000)]
    assert pauses(turns(*plain), 1_200, 3_000) == ()  # nothing is punctuated, so nobody knows where a sentence ends
    ended = [*plain, ("agent", "Go there.", 4_100, 5_000)]
    assert pauses(turns(*ended), 1_200, 3_000) == ("call-0",)
    chat = document([(who, text, *at) for who, text, *at in ended], kind="message").turns  # type: ignore[misc]
    assert pauses(chat, 1_200, 3_000) == ()


def test_the_rubric_gives_the_limits_of_a_pause(tmp_path: Path) -> None:
    """Without them none counts; limits that leave no room are told."""
    by = read_rubric(RUBRIC).judge("Does not hesitate or sound unsure")
    assert isinstance(by, Fluency)
    assert by.pauses == Pauses(from_ms=1_200, below_ms=3_000)
    assert Fluency(how="fluency", fillers=(), hedges=()).pauses is None
    path = tmp_path / "rubric.yaml"
    path.write_text(RUBRIC.read_text(encoding="utf-8").replace("below_ms: 3000", "below_ms: 900"), encoding="utf-8")
    with pytest.raises(ModelError, match="below_ms must be more than from_ms"):
        read_rubric(path)


def test_words_are_whole_words_and_not_their_denial() -> None:
    """An umbrella is no "um", and "not stupid" is kind."""
    said = turns(("agent", "Take the umbrella.", 0, 1), ("agent", "You are not stupid.", 2, 3), ("agent", "UM!", 4, 5))
    assert saying(said, ["um"]) == ("call-2",)
    assert saying(said, ["stupid"]) == ()
    assert saying(turns(("agent", "How stupid.", 0, 1)), ["stupid"]) == ("call-0",)
    assert saying(said, []) == ()


def test_the_rubric_says_how_each_criterion_is_judged() -> None:
    """Seventeen criteria; what it leaves out would be judged by meaning."""
    rubric = read_rubric(RUBRIC)
    criteria = [criterion for criteria in rubric.heads.values() for criterion in criteria]
    assert len(criteria) == 17
    assert set(rubric.judged_by) == set(criteria)
    assert isinstance(rubric.judge("Caller was not interrupted"), Overlap)
    assert isinstance(rubric.judge("Uses 'please' and 'thank you'"), Words)
    assert rubric.judge("Something new") == Shown()
    holds = {name for name, judge in rubric.judged_by.items() if isinstance(judge, Shown) and judge.only_if == "hold"}
    assert holds == set(rubric.heads["hold"])


@pytest.mark.parametrize(
    ("overall", "band", "grade"),
    [
        (1.0, "excellent", "A+"),
        (0.9, "excellent", "A+"),
        (0.899, "excellent", "A"),
        (0.8, "excellent", "B+"),
        (0.7999999999, "excellent", "B+"),
        (0.79, "good", "B"),
        (0.6, "good", "D"),
        (0.5, "fair", "F"),
        (0.39, "needs_improvement", "F"),
        (0.0, "needs_improvement", "F"),
    ],
)
def test_bands_and_grades_begin_at_their_floor(overall: float, band: str, grade: str) -> None:
    """As the rubric's first words told them."""
    rubric = read_rubric(RUBRIC)
    assert (rubric.band(overall), rubric.grade(overall)) == (band, grade)


def test_a_broken_rubric_names_the_place(tmp_path: Path) -> None:
    """Not there, not YAML, an unknown way of judging, a criterion that no head has."""
    path = tmp_path / "rubric.yaml"
    with pytest.raises(ModelError, match="can't be read"):
        read_rubric(path)
    text = RUBRIC.read_text(encoding="utf-8")
    broken = {
        "can't be read": "heads: [",
        "judged_by / Empathizes with the caller": text.replace("the caller: {how: shown", "the caller: {how: felt"),
        "'Sings well', which no head has": text.replace("\njudged_by:\n", "\njudged_by:\n  Sings well: {how: shown}\n"),
        "bands": text.replace("\nbands:", "\nbnds:"),
    }
    for message, content in broken.items():
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ModelError, match=message):
            read_rubric(path)
