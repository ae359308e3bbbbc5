"""Classification by a checkpoint of a DistilBERT with four heads: the published card, tiny weights."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from callbus.consumer import Settings
from callbus.errors import ModelError
from consumers.checkpoints.case import Seen
from consumers.classification import UNDETERMINED, Classifier, load
from schemas.records import CallDocument, Classification
from tests.checkpoints import carded, its, made_heads
from tests.documents import ROOT, document, spoken
from tests.unit.test_classification import OPTIONS, classifier, classify, labels, minilm

__all__ = ["classifier"]
pytestmark = pytest.mark.model

CARD = ROOT / "domain" / "cards" / "cls-gbv-distilbert-v1.yaml"
THEIRS = yaml.safe_load(CARD.read_text(encoding="utf-8"))["heads"]
WORDS = ["my", "stepmother", "beats", "brother", "with", "a", "cable", "police", "house", "child", "helpline"]
BEATEN = document(
    spoken(
        ("agent", "Hello, child helpline, how can I help you?"),
        ("caller", "My stepmother beats my little brother with a cable until he bleeds."),
        ("agent", "I am sending the police and the children's officer to your house."),
        ("caller", "She does it every evening when our father is away at work."),
    )
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a helpline's training leaves: weights, tokenizer, and four lists of labels."""
    folder = tmp_path_factory.mktemp("models") / "case"
    lists = {
        "main_categories": list(THEIRS["main"]["ours"]),
        "sub_categories": sorted(THEIRS["sub"]["ours"]),
        "interventions": sorted(set(THEIRS["intervention"]["ours"]) - {"Referred"}),
        "priorities": [1, 2, 3],
    }
    sizes = dict(zip(("main", "sub", "interv", "priority"), map(len, lists.values()), strict=True))
    made_heads(
        folder,
        WORDS,
        {f"classifier_{head}": size for head, size in sizes.items()},
        prefix="distilbert",
        hidden="pre_classifier",
    )
    for name, listed in lists.items():
        (folder / f"{name}.json").write_text(json.dumps(listed))
    return folder


def with_checkpoint(folder: Path, card: Path = CARD) -> Classifier:
    models = (minilm(), its(folder, card, "case-helpline"))
    return load(Settings(group="classification", models=models, device="cpu", options=OPTIONS, root=ROOT))


@pytest.fixture(scope="module")
def judge(checkpoint: Path) -> Classifier:
    return with_checkpoint(checkpoint)


def test_the_checkpoint_judges_in_our_words(judge: Classifier, classifier: Classifier) -> None:
    """Main, sub and intervention are its own, the sub of its main; the priority, which its card leaves out, is ours."""
    [judged], [ours] = classify(judge, BEATEN), classify(classifier, BEATEN)
    taxonomy = yaml.safe_load((ROOT / "domain" / "taxonomy.yaml").read_text(encoding="utf-8"))["main_categories"]
    assert judged.sub.label in taxonomy[judged.main.label]["sub_categories"]
    assert judge.checkpoint is not None
    seen = judge.checkpoint.read([BEATEN])[BEATEN.event_id]
    assert judged.main.label == seen.labels["main"][int(seen.call["main"].argmax())]
    assert judged.main.score == pytest.approx(float(seen.call["main"].max()), abs=1e-3)
    assert judged.priority == ours.priority
    assert (judged.main, judged.intervention) != (ours.main, ours.intervention)
    assert len(judged.sub.alternatives) == 3
    turns = {turn.utterance_id: turn.speaker for turn in BEATEN.turns}
    assert judged.main.evidence and {turns[turn] for turn in judged.main.evidence} == {"caller"}
    assert judged.intervention.evidence and set(judged.intervention.evidence) <= set(turns)


def test_it_is_signed_by_both_models_and_the_card(judge: Classifier, classifier: Classifier) -> None:
    """Who changes a card changes the version, and with it the event's id."""
    [judged], [ours] = classify(judge, BEATEN), classify(classifier, BEATEN)
    assert judged.provenance.model == "case-helpline+minilm"
    assert judged.provenance.model_version.startswith("1+card.")
    assert "+heads." in judged.provenance.model_version
    assert judged.event_id != ours.event_id


def test_a_call_without_a_case_stays_undetermined(judge: Classifier) -> None:
    """A checkpoint knows no such label, and would name a case."""
    prank = document(spoken(("agent", "Hello, child helpline."), ("caller", "Ha ha. Bye."), ("agent", "Goodbye.")))
    [judged] = classify(judge, prank)
    assert judged.main.label == UNDETERMINED
    [early] = classify(judge, replace(BEATEN, complete=False, turns=BEATEN.turns[:2]))
    assert early.main.label == UNDETERMINED


def test_the_whole_call_counts(judge: Classifier) -> None:
    """What is said far beyond the window changes the outcome; calls of one batch don't touch each other."""
    small_talk = [("caller", "It is raining here and the road is bad and we are waiting for the bus.")] * 20
    long = document(spoken(*small_talk, ("caller", BEATEN.turns[1].text)), "long")
    longer = document(spoken(*small_talk, ("caller", BEATEN.turns[1].text), ("caller", BEATEN.turns[3].text)), "longer")
    assert judge.checkpoint is not None
    seen = judge.checkpoint.read([long, longer, document((), "silent")])
    assert seen.keys() == {long.event_id, longer.event_id}
    assert not np.allclose(seen[long.event_id].call["sub"], seen[longer.event_id].call["sub"], atol=1e-6)
    together = classify(judge, long, BEATEN, longer)
    assert [labels(one) for one in together] == [labels(classify(judge, one)[0]) for one in (long, BEATEN, longer)]


def test_a_batch_holds_one_judgement_per_call(judge: Classifier) -> None:
    """The newest revision's."""
    outcomes = judge.handle([BEATEN, replace(BEATEN, revision=2, event_id="call@2")])
    assert [len(outcome) if isinstance(outcome, Sequence) else -1 for outcome in outcomes] == [0, 1]
    assert all(
        isinstance(event, Classification) for outcome in outcomes if isinstance(outcome, tuple) for event in outcome
    )


def test_a_card_that_does_not_fit_our_labels_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    """A main without a sub, a sub without main, a label that the taxonomy lacks."""
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))

    def changed(**heads: object) -> Path:
        return carded(tmp_path / "card.yaml", card | {"heads": {**card["heads"], **heads}})

    subs = {name: None if ours.startswith("gbv:") else ours for name, ours in THEIRS["sub"]["ours"].items()}
    with pytest.raises(ModelError, match="no label of the head sub is mapped into gbv"):
        with_checkpoint(checkpoint, changed(sub=THEIRS["sub"] | {"ours": subs}))
    with pytest.raises(ModelError, match="main and sub belong together"):
        with_checkpoint(checkpoint, carded(tmp_path / "card.yaml", card | {"heads": {"main": THEIRS["main"]}}))
    mains = THEIRS["main"]["ours"] | {"GBV": "violence"}
    with pytest.raises(ModelError, match="'GBV' is mapped to 'violence', which is no label of ours"):
        with_checkpoint(checkpoint, changed(main=THEIRS["main"] | {"ours": mains}))


def test_evidence_is_what_speaks_for_the_label() -> None:
    """The strongest first, and none that is only half as strong."""

    def row(*values: float) -> dict[str, np.ndarray]:
        return {"main": np.array(values, dtype=np.float32)}

    turns = {"t1": row(0.3, 0.7), "t2": row(0.9, 0.1), "t3": row(0.6, 0.4), "agent": row(1.0, 0.0)}
    seen = Seen({"main": ("a", "b")}, row(0.8, 0.2), turns, frozenset({"t1", "t2", "t3"}))
    judged = seen.judged("main")
    assert judged is not None
    assert (judged[2], judged[3]) == (0, ("t2", "t3"))
    assert seen.judged("priority") is None


def test_two_of_theirs_may_be_one_of_ours(checkpoint: Path, tmp_path: Path) -> None:
    """Their probabilities add up; what is left out takes no part."""
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    ours = dict.fromkeys(THEIRS["intervention"]["ours"], "Referral") | {
        "Counselling": "Counselling",
        "Signposting": None,
    }
    path = carded(tmp_path / "card.yaml", card | {"heads": {"intervention": THEIRS["intervention"] | {"ours": ours}}})
    judge = with_checkpoint(checkpoint, path).checkpoint
    assert judge is not None
    table: CallDocument = BEATEN
    seen = judge.read([table])[table.event_id]
    assert set(seen.labels["intervention"]) == {"Referral", "Counselling"}
    assert float(seen.call["intervention"].sum()) == pytest.approx(1.0, abs=1e-5)
