"""QA by a checkpoint of a DistilBERT with a head for each head of the rubric: the published card, tiny weights."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from callbus.consumer import Settings
from callbus.errors import ModelError
from consumers.qa import Qa, load
from consumers.qa.checkpoint import Heard
from consumers.qa.judges import Finding
from consumers.qa.rubric import Consults, Shown, Sound, Words, read_rubric
from schemas.records import CallDocument, Criterion, QaEvaluation
from tests.checkpoints import carded, its, made_heads
from tests.documents import ROOT, document, spoken
from tests.encoders import minilm

pytestmark = pytest.mark.model

CARD = ROOT / "domain" / "cards" / "qa-helpline-distilbert-v1.yaml"
OPTIONS = {"rubric": "domain/qa_rubric.yaml", "heads": "domain/heads"}
WORDS = ["thank", "you", "for", "calling", "the", "child", "helpline", "please", "help", "police", "how", "can"]
CALL = document(
    spoken(
        ("agent", "Thank you for calling the child helpline, my name is Joy. How can I help you?"),
        ("caller", "My neighbour beats his son every night and the boy has wounds on his back."),
        ("agent", "I am so sorry to hear that. So your neighbour beats his son at night and he is hurt."),
        ("caller", "Yes, that is it."),
        ("agent", "Please stay calm. I will send the children's officer today and call you tomorrow."),
        ("caller", "Thank you."),
        ("agent", "Thank you for calling, goodbye."),
    )
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "qa"
    heads = yaml.safe_load(CARD.read_text(encoding="utf-8"))["heads"]
    made_heads(folder, WORDS, {f"heads.{head}": len(each["names"]) for head, each in heads.items()}, prefix="bert")
    return folder


def group(*models: object) -> Qa:
    return load(Settings(group="qa", models=models, device="cpu", options=OPTIONS, root=ROOT))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def judge(checkpoint: Path) -> Qa:
    return group(minilm(), its(checkpoint, CARD, "qa-helpline"))


@pytest.fixture(scope="module")
def plain() -> Qa:
    return group(minilm())


def evaluate(qa: Qa, *documents: CallDocument) -> list[QaEvaluation]:
    made = [event for outcome in qa.handle(documents) if isinstance(outcome, tuple) for event in outcome]
    return [event for event in made if isinstance(event, QaEvaluation)]


def by_name(evaluation: QaEvaluation) -> Mapping[str, Criterion]:
    return {criterion.name: criterion for criterion in evaluation.criteria}


def test_meaning_is_the_checkpoints_and_measures_stay(judge: Qa, plain: Qa) -> None:
    """What is about words, time and turns is as without it; what does not apply stays so; its reasons name it."""
    [with_it], [without] = evaluate(judge, CALL), evaluate(plain, CALL)
    theirs, ours = by_name(with_it), by_name(without)
    measured = ("Caller was not interrupted", "Uses 'please' and 'thank you'", "Does not hesitate or sound unsure")
    for name in (*measured, "Explains before placing on hold", "Thanks caller for holding"):
        assert theirs[name] == ours[name], name
    assert theirs["Explains before placing on hold"].verdict == "not_applicable"
    for name in ("Uses the call opening phrase", "Empathizes with the caller", "Gives accurate information"):
        assert theirs[name].reason.startswith("qa-helpline: "), name
        assert theirs[name].score is not None
    agents = {turn.utterance_id for turn in CALL.turns if turn.speaker == "agent"}
    assert all(set(criterion.evidence) <= agents for name, criterion in theirs.items() if name not in measured)
    assert with_it.provenance.model == "qa-helpline+minilm"


def test_calls_share_a_batch(judge: Qa) -> None:
    """Each is judged as alone; a call in which the counsellor says nothing is judged too."""
    mute = document(spoken(("caller", "Hello? Is anybody there?")), "mute")
    other = replace(CALL, call_id="other", event_id="other@1")
    together = evaluate(judge, CALL, mute, other)
    assert [one.call_id for one in together] == ["call", "mute", "other"]
    assert together == [evaluate(judge, one)[0] for one in (CALL, mute, other)]
    assert {criterion.verdict for criterion in together[1].criteria} == {"not_applicable"}


def test_while_the_call_goes_on_what_is_not_shown_is_pending(judge: Qa) -> None:
    """The checkpoint's fail is no fail before the end."""
    [running] = evaluate(judge, replace(CALL, complete=False, turns=CALL.turns[:3]))
    closing = by_name(running)["Proper call closing phrase used"]
    assert (closing.verdict, closing.score) == ("not_applicable", None)
    assert closing.reason.startswith("pending")


def test_everything_the_counsellor_says_is_read(judge: Qa) -> None:
    """Far beyond the window too, in several windows."""
    from consumers.qa.speech import read

    talk = [("agent", "We will look at it together, one thing after the other, there is time enough for it.")] * 12
    long = document(spoken(*talk, ("agent", "Thank you for calling, goodbye.")), "long")
    assert judge.checkpoint is not None
    heard = judge.checkpoint.read(read([long], judge.rubric, judge.heads, judge.encoder))[long.event_id]
    assert len(heard.windows) > 5
    assert len(heard.turns) == 13
    assert heard.windows[0] != heard.windows[-1]


def heard(**windows: list[float]) -> Heard:
    """By criterion, its scores in each window; the turns t0, t1, … score the same."""
    each = [dict(zip(windows, row, strict=True)) for row in zip(*windows.values(), strict=True)]
    mean = {name: sum(scores) / len(scores) for name, scores in windows.items()}
    return Heard("its", 0.5, each, mean, {f"t{at}": scores for at, scores in enumerate(each)})


FOUND = Finding(0.9, ("other",), "by our heads")


def test_what_must_be_shown_counts_where_it_is_shown_best() -> None:
    """In the part of the call where it belongs, with the turn that shows it."""
    call = heard(a=[0.2, 0.9, 0.3])
    assert call.revise("a", Shown(), FOUND) == Finding(0.9, ("t1",), "its: this turn shows it most")
    assert call.revise("a", Consults(how="consults"), FOUND).score == 0.9
    assert call.revise("a", Shown(where="opening"), FOUND) == Finding(
        0.2, (), "its: no turn of the counsellor shows it"
    )
    assert call.revise("a", Shown(where="closing"), FOUND).score == 0.3


def test_what_must_not_be_broken_counts_by_all_that_was_said() -> None:
    """One window in doubt breaks nothing; where it is broken, the worst turn is the evidence."""
    sound = Sound(how="sound")
    assert heard(a=[0.9, 0.3, 0.9]).revise("a", sound, FOUND) == Finding(
        pytest.approx(0.7), (), "its: no turn breaks it"
    )
    assert heard(a=[0.4, 0.1, 0.6]).revise("a", sound, FOUND).evidence == ("t1",)


def test_what_the_checkpoint_does_not_judge_is_left_alone() -> None:
    """A criterion that it has no head for, and one that is measured."""
    call = heard(a=[0.2])
    assert call.revise("b", Shown(), FOUND) is FOUND
    assert call.revise("a", Words(how="words", all_of=(("please",),)), FOUND) is FOUND


def test_a_criterion_that_the_rubric_lacks_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    """Another helpline's rubric needs its own card."""
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    card["heads"]["closing"]["ours"] = {"Proper call closing phrase used": "Says goodbye"}
    with pytest.raises(ModelError, match="'Says goodbye', which is no label of ours"):
        group(minilm(), its(checkpoint, carded(tmp_path / "card.yaml", card)))


def test_the_published_card_covers_the_rubric() -> None:
    """Every criterion that is judged by meaning has an output."""
    rubric = read_rubric(ROOT / "domain" / "qa_rubric.yaml")
    heads = yaml.safe_load(CARD.read_text(encoding="utf-8"))["heads"]
    mapped = {ours for head in heads.values() for ours in head["ours"].values()} - {None}
    meant = {
        name
        for names in rubric.heads.values()
        for name in names
        if isinstance(rubric.judge(name), Shown | Sound | Consults)
    }
    assert mapped == meant
