"""The QA group, on the real encoder and the committed heads."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from callbus.consumer import Settings
from callbus.errors import ModelError
from consumers.corpus import read_dialogues
from consumers.qa import Qa, load, passed
from schemas.records import CallDocument, Criterion, QaEvaluation
from tests.documents import ROOT, SAMPLES, document, of_dialogue, of_sample, spoken
from tests.encoders import minilm

pytestmark = pytest.mark.model

CORPUS = ROOT / "domain" / "corpus"
RUBRIC = ROOT / "domain" / "qa_rubric.yaml"
MISSING_CHILD = ROOT / "samples" / "text_missing_child.json"


def settings(**options: object) -> Settings:
    paths = {"rubric": "domain/qa_rubric.yaml", "heads": "domain/heads"}
    return Settings(group="qa", models=(minilm(),), device="cpu", options=paths | options, root=ROOT)


@pytest.fixture(scope="module")
def qa() -> Qa:
    return load(settings())


def evaluate(qa: Qa, *documents: CallDocument) -> list[QaEvaluation]:
    """Each document's one evaluation."""
    results: list[QaEvaluation] = []
    for outcome in qa.handle(documents):
        assert isinstance(outcome, Sequence)
        for event in outcome:
            assert isinstance(event, QaEvaluation)
            results.append(event)
    return results


def verdicts(evaluation: QaEvaluation) -> dict[str, str]:
    return {one.name: one.verdict for one in evaluation.criteria}


def criterion(evaluation: QaEvaluation, name: str) -> Criterion:
    return next(one for one in evaluation.criteria if one.name == name)


def said(*turns: tuple[str, str | float], complete: bool = True) -> CallDocument:
    return document(spoken(*turns), complete=complete)


def test_all_criteria_of_the_rubric_are_judged_in_its_order(qa: Qa) -> None:
    """Seventeen criteria under six heads, each with a reason."""
    heads: dict[str, Any] = yaml.safe_load(RUBRIC.read_text(encoding="utf-8"))["heads"]
    [evaluation] = evaluate(qa, of_sample(MISSING_CHILD)[0])
    assert [(one.head, one.name) for one in evaluation.criteria] == [
        (head, name) for head, names in heads.items() for name in names
    ]
    assert len(evaluation.criteria) == 17
    assert [head.head for head in evaluation.heads] == list(heads)
    assert all(one.reason for one in evaluation.criteria)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_sample_calls_heads_are_as_expected(qa: Qa, path: Path) -> None:
    """And the hold head is null on calls without a hold."""
    call, truth = of_sample(path)
    [evaluation] = evaluate(qa, call)
    scores = {head.head: head.score for head in evaluation.heads}
    expected = truth.get("qa_expected", {})
    assert {head: scores[head] for head in expected} == expected
    held = path.stem in {"physical_abuse_hold", "text_missing_child"}
    assert (scores["hold"] is not None) == held


def test_the_missing_child_call_is_judged_as_its_supervisor_did(qa: Qa) -> None:
    """All seventeen criteria, and the evidence is among the turns that the supervisor named."""
    call, truth = of_sample(MISSING_CHILD)
    [evaluation] = evaluate(qa, call)
    assert {name: verdict == "pass" for name, verdict in verdicts(evaluation).items()} == truth["qa"]
    for name, turns in truth["qa_evidence"].items():
        assert set(criterion(evaluation, name).evidence) & {f"{truth['id']}-{turn}" for turn in turns}, name
    assert (evaluation.overall, evaluation.band, evaluation.grade) == (1.0, "excellent", "A+")


@pytest.mark.parametrize("file", ["dialogues.yaml", "holdout.yaml"])
@pytest.mark.parametrize("heard", ["as written", "as recognised"])
def test_whole_calls_that_were_not_trained_on_are_mostly_right(qa: Qa, file: str, heard: str) -> None:
    """80 % over the criteria's mean, none under 65 %; without case and punctuation too."""
    hits: dict[str, list[bool]] = {}
    for dialogue in read_dialogues(CORPUS / file):
        call = of_dialogue(dialogue)
        [evaluation] = evaluate(qa, call if heard == "as written" else _recognised(call))
        for name, verdict in verdicts(evaluation).items():
            if name not in dialogue.not_judged:
                hits.setdefault(name, []).append(verdict == ("fail" if name in dialogue.fails else "pass"))
    shares = {name: sum(found) / len(found) for name, found in hits.items()}
    assert sum(shares.values()) / len(shares) >= 0.80
    assert {name: share for name, share in shares.items() if share < 0.65} == {}


def _recognised(call: CallDocument) -> CallDocument:
    def lower(text: str) -> str:
        cut = " --" if text.endswith("--") else ""
        return "".join(each for each in text.lower() if each.isalnum() or each in " '").strip() + cut

    return replace(call, turns=tuple(replace(turn, text=lower(turn.text)) for turn in call.turns))


def test_a_hold_without_a_word_fails_both_of_its_criteria(qa: Qa) -> None:
    """A hold is a hold, announced or not."""
    call = said(
        ("agent", "Child helpline, how can I help you?"),
        ("caller", "My neighbour's baby is alone in the house since the morning."),
        ("agent", "Wait."),
        ("silence", 20),
        ("agent", "They say that you should go to the chief."),
    )
    [evaluation] = evaluate(qa, call)
    assert criterion(evaluation, "Explains before placing on hold").verdict == "fail"
    assert criterion(evaluation, "Thanks caller for holding").verdict == "fail"


def test_a_thoughtful_pause_is_no_hold(qa: Qa) -> None:
    """Eight seconds in which a child finds its words."""
    call = said(
        ("agent", "Child helpline, how can I help you?"),
        ("silence", 8),
        ("caller", "I do not know how to say it."),
        ("agent", "Take your time, I am here for you."),
        ("silence", 8),
        ("caller", "My father shouts at me every night."),
    )
    [evaluation] = evaluate(qa, call)
    for name in ("Explains before placing on hold", "Thanks caller for holding"):
        assert criterion(evaluation, name).verdict == "not_applicable"
        assert criterion(evaluation, name).score is None


def test_while_the_call_goes_on_what_may_still_come_is_pending(qa: Qa) -> None:
    """What is done stays done; a missing goodbye is not held against anybody yet."""
    call, _ = of_sample(MISSING_CHILD)
    half = replace(call, turns=call.turns[:6], complete=False)
    [evaluation] = evaluate(qa, half)
    closing = criterion(evaluation, "Proper call closing phrase used")
    assert closing.verdict == "not_applicable"
    assert closing.reason.startswith("pending")
    assert criterion(evaluation, "Uses the call opening phrase").verdict == "pass"
    assert criterion(evaluation, "Empathizes with the caller").verdict == "pass"
    assert criterion(evaluation, "Follows up on case updates").reason.startswith("pending")
    assert criterion(evaluation, "Caller was not interrupted").reason.startswith("so far")
    assert evaluation.complete is False


def test_a_cut_off_caller_fails_at_once(qa: Qa) -> None:
    """Also while the call goes on: it can't be made undone."""
    call = said(
        ("agent", "Hello, this is the child helpline, how can I help?"),
        ("caller", "My brother has been away for two days and we --"),
        ("agent", "What is the name of your school and how old are you?"),
        complete=False,
    )
    [evaluation] = evaluate(qa, call)
    found = criterion(evaluation, "Caller was not interrupted")
    assert (found.verdict, found.evidence) == ("fail", ("call-2",))


def test_a_counsellor_who_says_nothing_is_not_judged(qa: Qa) -> None:
    """Every criterion is not applicable, and nothing is made up."""
    [evaluation] = evaluate(qa, said(("caller", "Hello? Hello? Is anybody there?")))
    assert set(verdicts(evaluation).values()) == {"not_applicable"}
    assert evaluation.overall is None
    assert evaluation.band == evaluation.grade == ""
    assert {head.score for head in evaluation.heads} == {None}


def test_who_is_unsure_must_ask(qa: Qa) -> None:
    """The same doubt followed by a question to a colleague is what the criterion wants."""
    opening = ("agent", "Hello, child helpline, how can I help you?")
    question = ("caller", "From which age may a child work in a shop?")
    guess = said(opening, question, ("agent", "Um, I'm not sure, I guess from ten or so."))
    asks = said(
        opening, question, ("agent", "I am not sure about the age. Let me ask our legal officer before I answer.")
    )
    first, second = evaluate(qa, guess, replace(asks, call_id="other", event_id="other"))
    assert criterion(first, "Consults if unsure").verdict == "fail"
    assert criterion(first, "Consults if unsure").evidence == ("call-2",)
    assert criterion(second, "Consults if unsure").verdict == "pass"
    assert criterion(second, "Gives accurate information").verdict == "pass"


def test_who_guesses_is_tolerated_half_as_much(tmp_path: Path, qa: Qa) -> None:
    """What may pass for information from somebody who knows does not from somebody who guesses."""
    call = said(
        ("agent", "Hello, child helpline, how can I help you?"),
        ("caller", "What are the signs that a child is being harmed?"),
        ("agent", "I guess it's only abuse when somebody sees a wound."),
    )
    lenient = RUBRIC.read_text(encoding="utf-8").replace("guessing_counts: true", "guessing_counts: false")
    (tmp_path / "rubric.yaml").write_text(lenient, encoding="utf-8")
    [counted], [ignored] = evaluate(qa, call), evaluate(load(settings(rubric=tmp_path / "rubric.yaml")), call)
    scores = [criterion(each, "Gives accurate information").score or 0.0 for each in (counted, ignored)]
    assert scores[0] < scores[1]


def test_nobody_needs_to_ask_who_is_never_unsure(qa: Qa) -> None:
    """Not applicable, rather than fulfilled by a call in which there was nothing to ask."""
    call = said(
        ("agent", "Hello, child helpline, how can I help you?"),
        ("caller", "At what time do you open?"),
        ("agent", "We are open day and night, and the call is free."),
    )
    [evaluation] = evaluate(qa, call)
    assert criterion(evaluation, "Consults if unsure").verdict == "not_applicable"


def test_a_wrong_number_is_no_case(qa: Qa) -> None:
    """Nothing to feel with, to repeat or to follow up; the greeting is judged all the same."""
    call = said(
        ("agent", "Good morning, child helpline, Aisha speaking, how can I help you?"),
        ("caller", "Good morning, is that the bakery at the roundabout?"),
        ("agent", "No, you have dialled a wrong number, this is the helpline for children."),
        ("caller", "Sorry, sorry."),
        ("agent", "Please don't worry. Thank you and goodbye."),
    )
    [evaluation] = evaluate(qa, call)
    judged = verdicts(evaluation)
    for name in ("Empathizes with the caller", "Follows up on case updates", "Paraphrases or rephrases the issue"):
        assert judged[name] == "not_applicable"
    assert judged["Uses the call opening phrase"] == judged["Correct language use"] == "pass"


def test_a_helpful_call_about_a_prank_is_a_case(qa: Qa) -> None:
    """A child on whom others play jokes is not joking."""
    call = said(
        ("agent", "Good morning, child helpline, Aisha speaking, how can I help you?"),
        ("caller", "They hide my shoes each day and say that it is only a joke. I go home with bare feet."),
        ("agent", "I'm so sorry, that isn't funny at all. So they take your shoes and call it a joke, is that right?"),
        ("caller", "Yes."),
        ("agent", "I will call your teacher tomorrow, and on Friday I ring you to hear how it went."),
    )
    [evaluation] = evaluate(qa, call)
    for name in ("Empathizes with the caller", "Follows up on case updates", "Paraphrases or rephrases the issue"):
        assert criterion(evaluation, name).verdict == "pass"


def test_a_plain_word_out_of_its_context_breaks_nothing(qa: Qa) -> None:
    """Short sentences of an ordinary call are neither rude nor wrong."""
    call = said(
        ("agent", "Hello, child helpline, how can I help you?"),
        ("caller", "There is a dog at the gate and my uncle shouts behind it."),
        ("agent", "Say again? The line is bad."),
        ("caller", "A dog."),
        ("agent", "Then leave it. Stay inside, I am calling the police now."),
    )
    [evaluation] = evaluate(qa, call)
    for name in ("Gives accurate information", "Correct language use", "Follows correct steps"):
        assert criterion(evaluation, name).verdict == "pass"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Correct language use", "You people are just lazy and you never learn."),
        ("Gives accurate information", "A man who is married can't be reported for beating a child."),
        ("Follows correct steps", "Don't tell anybody, go back to him and keep quiet."),
    ],
)
def test_a_sentence_that_breaks_a_criterion_is_its_evidence(qa: Qa, name: str, sentence: str) -> None:
    """The turn is named."""
    call = said(
        ("agent", "Hello, child helpline, how can I help you?"),
        ("caller", "My uncle wants me to marry his friend, and he beats me."),
        ("agent", sentence),
    )
    [evaluation] = evaluate(qa, call)
    found = criterion(evaluation, name)
    assert (found.verdict, found.evidence) == ("fail", ("call-2",))


def test_please_and_thank_you_need_both(qa: Qa) -> None:
    """The reason says which is missing."""
    [evaluation] = evaluate(qa, said(("agent", "Child helpline."), ("agent", "Thanks for calling.")))
    found = criterion(evaluation, "Uses 'please' and 'thank you'")
    assert found.verdict == "fail"
    assert "please" in found.reason
    assert found.evidence == ("call-1",)


def test_overall_is_the_mean_of_the_applicable_heads(qa: Qa) -> None:
    """Heads, not criteria: a head of one criterion weighs as much as one of five."""
    for path in SAMPLES:
        [evaluation] = evaluate(qa, of_sample(path)[0])
        for head in evaluation.heads:
            assert head.score == passed(head.head, evaluation.criteria)
        scores = [head.score for head in evaluation.heads if head.score is not None]
        assert evaluation.overall == pytest.approx(sum(scores) / len(scores))
        assert evaluation.band == qa.rubric.band(evaluation.overall or 0)


def test_a_batch_with_several_revisions_of_a_call_judges_only_the_newest(qa: Qa) -> None:
    """In whatever order they come."""
    call, _ = of_sample(MISSING_CHILD)
    older = replace(call, revision=3, event_id="older")
    newer = replace(call, revision=4, event_id="newer")
    assert [len(outcome) for outcome in qa.handle([newer, older]) if isinstance(outcome, Sequence)] == [1, 0]


def test_an_evaluation_says_which_hearing_it_judged(qa: Qa) -> None:
    """So that nobody takes what was judged of the first for the last word on the second."""
    call, _ = of_sample(MISSING_CHILD)
    assert [each.hearing for each in evaluate(qa, replace(call, hearing=2))] == [2]


def test_the_same_document_gives_the_same_event_in_any_company(qa: Qa) -> None:
    """After a crash batches form otherwise."""
    calls = [of_sample(path)[0] for path in SAMPLES]
    assert evaluate(qa, *calls) == [evaluate(qa, call)[0] for call in calls]


def test_another_helpline_brings_its_own_rubric(tmp_path: Path) -> None:
    """Fewer criteria, another threshold and other grades, and no code."""
    (tmp_path / "rubric.yaml").write_text(
        "heads: {start: [Uses the call opening phrase], end: [Proper call closing phrase used]}\n"
        "judged_by:\n"
        "  Proper call closing phrase used: {how: words, all_of: [[farewell]]}\n"
        "bands: {fine: 50, poor: 0}\ngrades: {ten: 100, five: 50, one: 0}\n",
        encoding="utf-8",
    )
    own = load(settings(rubric=tmp_path / "rubric.yaml"))
    [evaluation] = evaluate(own, said(("agent", "Good morning, this is the child helpline, my name is Grace.")))
    assert [one.verdict for one in evaluation.criteria] == ["pass", "fail"]
    assert (evaluation.overall, evaluation.band, evaluation.grade) == (0.5, "fine", "five")


def test_a_criterion_of_meaning_without_examples_is_refused(tmp_path: Path) -> None:
    """With its name and what to do."""
    text = RUBRIC.read_text(encoding="utf-8").replace("Empathizes with the caller", "Sings well")
    (tmp_path / "rubric.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"'Sings well' is judged by meaning, but .* no\s+examples"):
        load(settings(rubric=tmp_path / "rubric.yaml"))
