"""The classification group, on the real encoder and the committed heads."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from callbus.consumer import Settings
from callbus.errors import ModelError
from consumers.classification import UNDETERMINED, Classifier, load
from consumers.corpus import read_dialogues
from consumers.encoder import encoder
from schemas.records import CallDocument, Classification, Entity, Judgement, WordChanges
from tests.documents import ROOT, SAMPLES, document, of_dialogue, of_sample, spoken
from tests.encoders import minilm

pytestmark = pytest.mark.model

CORPUS = ROOT / "domain" / "corpus"
OPTIONS = {"taxonomy": "domain/taxonomy.yaml", "heads": "domain/heads"}


def settings(**options: object) -> Settings:
    return Settings(group="classification", models=(minilm(),), device="cpu", options=OPTIONS | options, root=ROOT)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load(settings())


def classify(classifier: Classifier, *documents: CallDocument) -> list[Classification]:
    """Each document's one classification."""
    results: list[Classification] = []
    for outcome in classifier.handle(documents):
        assert isinstance(outcome, Sequence)
        for event in outcome:
            assert isinstance(event, Classification)
            results.append(event)
    return results


def labels(judged: Classification) -> dict[str, str]:
    return {
        "main": judged.main.label,
        "sub": judged.sub.label,
        "priority": judged.priority.label,
        "intervention": judged.intervention.label,
    }


def first_three(judgement: Judgement) -> list[str]:
    return [judgement.label, *(one.label for one in judgement.alternatives[:2])]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_sample_calls_get_their_true_labels(classifier: Classifier, path: Path) -> None:
    """Main, sub, priority and intervention, though no sentence of them was ever trained on."""
    call, truth = of_sample(path)
    [judged] = classify(classifier, call)
    assert labels(judged) == {
        "main": truth["main_category"],
        "sub": truth["sub_category"],
        "priority": truth["priority"],
        "intervention": truth["intervention"],
    }


@pytest.mark.parametrize("file", ["dialogues.yaml", "holdout.yaml"])
@pytest.mark.parametrize("heard", ["as written", "as recognised"])
def test_whole_calls_that_were_not_trained_on_are_mostly_right(classifier: Classifier, file: str, heard: str) -> None:
    """Main 85 %, sub among the first three 80 %, priority 75 %, intervention 80 %; without case and punctuation too."""
    dialogues = read_dialogues(CORPUS / file)
    documents = [of_dialogue(dialogue) for dialogue in dialogues]
    if heard == "as recognised":
        documents = [_recognised(call) for call in documents]
    judged = classify(classifier, *documents)
    shares = {
        "main": np.mean([one.main.label == true.main for one, true in zip(judged, dialogues, strict=True)]),
        "sub": np.mean([true.sub in first_three(one.sub) for one, true in zip(judged, dialogues, strict=True)]),
        "priority": np.mean([one.priority.label == true.priority for one, true in zip(judged, dialogues, strict=True)]),
        "intervention": np.mean(
            [one.intervention.label == true.intervention for one, true in zip(judged, dialogues, strict=True)]
        ),
    }
    floor = {"main": 0.85, "sub": 0.80, "priority": 0.75, "intervention": 0.80}
    assert {name: share for name, share in shares.items() if share < floor[name]} == {}


def _recognised(call: CallDocument) -> CallDocument:
    def lower(text: str) -> str:
        return "".join(each for each in text.lower() if each.isalnum() or each in " '")

    return replace(call, turns=tuple(replace(turn, text=lower(turn.text)) for turn in call.turns))


def test_the_labels_rest_on_turns_of_the_call(classifier: Classifier) -> None:
    """The strongest first; small talk is no evidence."""
    call = document(
        spoken(
            ("agent", "Hello, child helpline, how can I help you?"),
            ("caller", "Good morning. Can you hear me?"),
            ("caller", "My stepmother beats my little brother with a cable until he bleeds."),
            ("agent", "I am sending the police and the children's officer to your house."),
            ("caller", "Okay, thank you."),
        )
    )
    [judged] = classify(classifier, call)
    assert labels(judged) | {"priority": "high"} == {
        "main": "vane",
        "sub": "Physical Abuse",
        "priority": "high",
        "intervention": "Referral",
    }
    assert judged.main.evidence == judged.sub.evidence == ("call-2",)
    assert set(judged.intervention.evidence) <= {"call-2", "call-3"}


def test_probabilities_are_probabilities_and_alternatives_follow_in_order(classifier: Classifier) -> None:
    """The sub-category is always one of the main category; alternatives may be of another."""
    taxonomy = yaml.safe_load((ROOT / "domain" / "taxonomy.yaml").read_text(encoding="utf-8"))["main_categories"]
    for judged in classify(classifier, *(of_sample(path)[0] for path in SAMPLES)):
        assert judged.sub.label in taxonomy[judged.main.label]["sub_categories"]
        for judgement in (judged.main, judged.sub, judged.priority, judged.intervention):
            scores = [one.score for one in judgement.alternatives]
            assert scores == sorted(scores, reverse=True)
            assert 0 <= judgement.score <= 1
            assert judgement.score + sum(scores) <= 1.01
            assert judgement.label not in {one.label for one in judgement.alternatives}


def test_a_call_of_which_too_little_is_known_is_undetermined(classifier: Classifier) -> None:
    """Nothing said, formulas only, or an utterance that nobody could translate (its text is empty)."""
    silent = document([], "silent")
    polite = document(
        spoken(("agent", "Hello, child helpline."), ("caller", "Yes, hello."), ("caller", "Okay.")), "polite"
    )
    foreign = document(spoken(("agent", "Hello, child helpline."), ("caller", "")), "foreign")
    for judged in classify(classifier, silent, polite, foreign):
        assert set(labels(judged).values()) == {UNDETERMINED}
        assert judged.main.score == 0
        assert judged.main.evidence == ()


def test_a_call_that_was_never_about_a_case_needs_nothing_once_it_is_over(classifier: Classifier) -> None:
    """As the topology says it; while it goes on everything is open. Sounds in brackets are not said."""
    options = classifier.options.model_copy(
        update={"unclear_priority": "low", "unclear_intervention": "No intervention needed"}
    )
    set_up = replace(classifier, options=options)
    rain = [
        ("agent", "Hello, child helpline, can you hear me?"),
        ("caller", "(a child cries and is beaten with a belt)"),
    ]
    over, going_on = document(spoken(*rain * 9), "over"), document(spoken(*rain * 9), "on", complete=False)
    [judged, open_] = classify(set_up, over, going_on)
    assert labels(judged) == {
        "main": UNDETERMINED,
        "sub": UNDETERMINED,
        "priority": "low",
        "intervention": "No intervention needed",
    }
    assert set(labels(open_).values()) == {UNDETERMINED}
    [heard] = classify(set_up, document(spoken(("caller", rain[1][1].strip("()"))), "said"))
    assert heard.main.label == "vane"


def test_a_call_that_goes_on_is_judged_after_half_a_minute_and_150_characters(classifier: Classifier) -> None:
    """Not before both; one that is over always is."""
    said = "My stepmother beats my little brother with a cable until he bleeds."
    for turns, begun in (
        ([("caller", said)], False),  # too early, too little
        ([("silence", 40), ("caller", said)], False),  # too little
        ([("caller", f"{said} {said} {said}"[:151].replace(" ", "_").replace("_", " ", 8))], False),  # too early
        ([("silence", 40), ("caller", f"{said} He is six and nobody helps him."), ("caller", f"{said} Now.")], True),
    ):
        [judged] = classify(classifier, document(spoken(*turns), complete=False))
        assert (judged.main.label != UNDETERMINED) == begun, turns
    [judged] = classify(classifier, document(spoken(("caller", said))))
    assert judged.main.label == "vane"


def test_what_the_counsellor_makes_of_hints_counts(classifier: Classifier) -> None:
    """A caller who speaks of a cloth behind a mill means a foundling once the counsellor says so."""
    hints = ("caller", "The women found a cloth tied up in the grass, it moved, and my wife has it on her lap now.")
    told = ("agent", "So a newborn baby was left there, nobody knows its mother, and it needs somebody to care for it.")
    [hinted, said] = classify(classifier, document(spoken(hints), "hinted"), document(spoken(hints, told), "told"))
    assert said.sub.label == "No Care Giver"
    assert said.sub.score > (hinted.sub.score if hinted.sub.label == "No Care Giver" else 0)


def test_how_a_counsellor_hurries_tells_the_priority(classifier: Classifier) -> None:
    """The same words of a caller are more urgent if help drives off at once than if it comes next week."""
    caller = ("caller", "The boy from the next house is here in my kitchen, his uncle has beaten him again.")
    hurried = ("agent", "The police are driving to you now, lock the door and stay on the line with me.")
    calm = ("agent", "The social worker has an appointment for you next week, she will look at how he lives.")
    [now, later] = classify(
        classifier, document(spoken(caller, hurried), "now"), document(spoken(caller, calm), "later")
    )
    assert now.priority.label == "high"
    high = {one.label: one.score for one in (later.priority, *later.priority.alternatives)}["high"]
    assert now.priority.score > high


NO_CASES = {
    "prank": "My goat has swallowed the remote control and now it changes the channel whenever it coughs, hahaha.",
    "line test": "I'm from the telephone company, testing your line: one, two, knife, police. Is it clear? Good.",
    "wrong number": "Is this the butcher? You promised me a knife and two kilos of liver. Oh, then I dialled wrongly.",
    "small child": "Brrm brrm. I have a red car and a blue car. The phone says hello. Mummy is frying fish.",
}


@pytest.mark.parametrize("said", NO_CASES.values(), ids=NO_CASES.keys())
def test_a_caller_without_a_case_leaves_the_call_undetermined(classifier: Classifier, said: str) -> None:
    """Whatever words are in it, and whatever the counsellor makes of it."""
    asked = ("agent", "Are you all right there, and is there anything that worries you?")
    [judged] = classify(
        classifier, document(spoken(("agent", "Child helpline, good evening."), ("caller", said), asked))
    )
    assert judged.main.label == UNDETERMINED


CASES = {
    "vane": "My stepmother beats my little brother with a cable until he bleeds, he can't stand any more.",
    "gbv": "My husband has taken my wages and my phone again and he slaps me when I ask for them.",
    "information": "We have a debate at school on Friday. What does the law say about teachers who cane pupils?",
}


@pytest.mark.parametrize("main", CASES)
def test_a_case_stays_one_though_the_counsellor_takes_it_for_a_joke(classifier: Classifier, main: str) -> None:
    """What the caller says decides: a case that is taken for none goes unheard."""
    joke = ("agent", "I hear you all giggle, this is a prank, please keep the line free for children who need help.")
    [judged] = classify(classifier, document(spoken(("caller", CASES[main]), joke)))
    assert judged.main.label == main


def test_a_batch_with_several_revisions_of_a_call_judges_only_the_newest(classifier: Classifier) -> None:
    """In whatever order they come; other calls are not touched."""
    turns = spoken(("agent", "Hello."), ("caller", "My daughter has been missing since yesterday, we can't find her."))
    first, second = document(turns[:1], "a"), document(turns, "a", revision=2)
    other = document(turns, "b")
    outcomes = classifier.handle([second, first, other])
    assert [len(outcome) for outcome in outcomes if isinstance(outcome, Sequence)] == [1, 0, 1]


def test_the_same_document_gives_the_same_event_in_any_company(classifier: Classifier) -> None:
    """Ids and scores: after a crash batches form otherwise."""
    calls = [of_sample(path)[0] for path in SAMPLES]
    together = classify(classifier, *calls)
    assert together == [classify(classifier, call)[0] for call in calls]
    assert len({judged.event_id for judged in together}) == len(calls)


def test_an_event_says_what_it_rests_on(classifier: Classifier) -> None:
    """Document, revision, model and heads."""
    call, _ = of_sample(SAMPLES[0])
    changes = WordChanges(words=9, changed=1, added=0, removed=0, word_error_rate=0.1111)
    [judged] = classify(classifier, replace(call, revision=7, complete=False, hearing=2, changes=changes))
    assert (judged.document_id, judged.revision, judged.complete) == (call.event_id, 7, False)
    assert (judged.hearing, judged.changes) == (2, changes)
    assert judged.at_ms == call.at_ms
    assert judged.provenance.origin_ids == (call.event_id,)
    assert judged.provenance.model == "minilm"
    assert judged.provenance.model_version == f"{minilm().version}+heads.{classifier.judge.heads.heads.version}"


def test_the_end_of_a_long_call_counts(classifier: Classifier) -> None:
    """Ten times the encoder's window of small talk does not hide the matter."""
    chat = [("caller", "Wait, I look for a pen. Yes, I am here. The network is bad today, sorry.")] * 80
    call = document(
        spoken(*chat, ("caller", "They want to circumcise my little sister on Saturday, the old woman came."))
    )
    [judged] = classify(classifier, call)
    assert judged.sub.label == "Female Genital Mutilation"
    assert judged.sub.evidence == ("call-80",)


def test_a_taxonomy_that_the_heads_do_not_know_is_refused(tmp_path: Path) -> None:
    """With the label and what to do."""
    text = (ROOT / "domain" / "taxonomy.yaml").read_text(encoding="utf-8")
    (tmp_path / "taxonomy.yaml").write_text(text.replace("Albinism", "Left-handedness"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"disability / Albinism and 1 more: give each label examples"):
        load(settings(taxonomy=tmp_path / "taxonomy.yaml"))
    (tmp_path / "taxonomy.yaml").write_text("main_categories: 7", encoding="utf-8")
    with pytest.raises(ModelError, match="is not a taxonomy"):
        load(settings(taxonomy=tmp_path / "taxonomy.yaml"))


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    """An unknown option, no model, one that is none or of a wrong engine, a device that does not exist."""
    with pytest.raises(ValidationError, match="threshold"):
        load(settings(threshold=1))
    with pytest.raises(ModelError, match="can't be 'urgent': say high, low, medium or undetermined"):
        load(settings(unclear_priority="urgent"))
    with pytest.raises(ModelError, match="give it a sentence encoder"):
        load(replace(settings(), models=()))
    with pytest.raises(ModelError, match="no sentence encoder can be loaded"):
        load(replace(settings(), models=(replace(minilm(), location=str(tmp_path)),)))
    with pytest.raises(ModelError, match="engine spacy runs no sentence encoder; say transformers or ctranslate2"):
        load(replace(settings(), models=(replace(minilm(), engine="spacy"),)))
    with pytest.raises(ModelError, match="on cuda:99"):
        load(replace(settings(), device="cuda:99"))


def test_groups_of_a_process_share_one_encoder(classifier: Classifier) -> None:
    """Loaded once per model and device."""
    assert load(settings()).judge.encoder is classifier.judge.encoder
    assert encoder(replace(settings(), group="qa")) is classifier.judge.encoder


def test_a_telephone_number_says_nothing_of_the_case(classifier: Classifier) -> None:
    """A sentence that gives one weighs nothing: the judgement is as without it, and no evidence."""
    matter = ("caller", "The boys of my class take my bread every break and laugh at me when I cry.")
    number = "My mother can be reached on 0712 345 678."
    with_it, without = document(spoken(matter, ("caller", number))), document(spoken(matter))
    start = number.index("0712")
    phone = Entity(
        label="PHONE_NUMBER", text=number[start:-1], start=start, end=len(number) - 1, score=1, placeholder=""
    )
    turns = (with_it.turns[0], replace(with_it.turns[1], entities=(phone,)))
    [found] = classify(classifier, replace(with_it, turns=turns))
    [alone] = classify(classifier, without)
    assert labels(found) == labels(alone)
    assert (found.main.score, found.main.evidence) == (alone.main.score, alone.main.evidence)
    [heard] = classify(classifier, with_it)
    assert heard.main.score != found.main.score
