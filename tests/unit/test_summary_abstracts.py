"""Summaries that a sequence-to-sequence checkpoint writes: every sentence checked against the call, or left out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callbus.consumer import Settings
from callbus.errors import ModelError
from consumers.checkpoints.abstracts import Abstracts, finished
from consumers.checkpoints.support import CallText, alike, numbers_of, supported
from consumers.encoder import Encoder
from consumers.summary import HAPPENED, PROMISED, Said, Summarizer, load
from schemas.records import CallDocument, CallSummary, Entity
from tests.checkpoints import carded, its, made_summarizer
from tests.documents import ROOT, document, spoken
from tests.encoders import minilm
from tests.unit.test_summary import OPTIONS, said, summarizer, summary

__all__ = ["summarizer"]
pytestmark = pytest.mark.model

PROMPT = "summarize: "
CALL = document(
    spoken(
        ("agent", "Hello, child helpline, how can I help you?"),
        ("caller", "My stepmother beats my little brother with a cable until he bleeds."),
        ("caller", "He is eight years old and he sleeps outside without any food, [NAME_1] saw it."),
        ("agent", "I am sending the police and the children's officer to your house tomorrow."),
        ("caller", "Okay, thank you."),
    )
)
TEXT = " ".join(turn.redacted_text for turn in CALL.turns)
GOOD = "The caller reports that the stepmother beats the little brother with a cable."
PROMISE = "The counsellor is sending the police and the children's officer to the house."
INVENTED = "The brother was raped by his uncle Ahmed in 2019."
OTHER = "I have lost my school bag."


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "summary"
    made_summarizer(folder, PROMPT, {TEXT: f"{GOOD} {INVENTED} {PROMISE}", OTHER: INVENTED})
    return folder


def its_card(folder: Path, **changes: Any) -> Path:
    return carded(folder.parent / "card.yaml", {"window": 256, "prompt": PROMPT, "beam": 2} | changes)


def abstracts(folder: Path, **changes: Any) -> Abstracts:
    return Abstracts(its(folder, its_card(folder, **changes), "summary-helpline"), "cpu")


@pytest.fixture(scope="module")
def writing(checkpoint: Path) -> Summarizer:
    models = (minilm(), its(checkpoint, its_card(checkpoint), "summary-helpline"))
    return load(Settings(group="summary", models=models, device="cpu", options=OPTIONS, root=ROOT))


def test_what_is_written_stands_only_if_the_call_supports_it(writing: Summarizer, checkpoint: Path) -> None:
    """Of a draft with an invented sentence the others are told, each with the turn that supports it."""
    assert abstracts(checkpoint).write([CALL]) == {CALL.event_id: [GOOD, INVENTED, PROMISE]}
    found = summary(writing, CALL)
    assert said(found, HAPPENED) == [GOOD]
    assert said(found, PROMISED) == [PROMISE]
    happened, promised = found.sentences
    assert (happened.utterance_id, promised.utterance_id) == ("call-1", "call-3")
    assert 0.5 <= happened.score <= 1
    assert not happened.quoted and not promised.quoted
    assert found.provenance.model == "summary-helpline+minilm"
    assert found.provenance.model_version.startswith("1+card.")


def test_a_call_that_goes_on_is_quoted(writing: Summarizer) -> None:
    """Sentences are written once it is over."""
    running = replace(CALL, complete=False)
    found = summary(writing, running).sentences
    assert found and all(one.quoted for one in found)


def test_a_promise_is_due_when_its_turn_says(writing: Summarizer) -> None:
    """The day stands in the call's words."""
    due = Entity(label="DATE", text="tomorrow", start=0, end=8, score=0.9, placeholder="")
    turns = tuple(replace(turn, entities=(due,)) if turn.utterance_id == "call-3" else turn for turn in CALL.turns)
    assert [one.due for one in summary(writing, replace(CALL, turns=turns)).sentences] == ["", "tomorrow"]


def test_without_a_supported_sentence_the_call_is_quoted(writing: Summarizer, summarizer: Summarizer) -> None:
    """What the group says without the checkpoint is there as it would be without it."""
    lost = document(spoken(("caller", OTHER)), "lost")
    assert writing.abstracts is not None and writing.abstracts.write([lost]) == {lost.event_id: [INVENTED]}
    quoted, alone = summary(writing, lost), summary(summarizer, lost)
    assert (quoted.sentences, quoted.people) == (alone.sentences, alone.people)
    assert [(one.text, one.quoted) for one in quoted.sentences] == [(OTHER, True)]


def test_calls_share_a_batch(writing: Summarizer) -> None:
    """Each is told as alone, one without a word too."""
    calls = [CALL, document(spoken(("caller", OTHER)), "lost"), document((), "silent")]
    together = [event for outcome in writing.handle(calls) if isinstance(outcome, tuple) for event in outcome]
    assert together == [summary(writing, call) for call in calls]


def test_a_long_call_is_read_whole(checkpoint: Path) -> None:
    """In parts that fit the window with the prompt; they overlap, and no word is left out."""
    model = abstracts(checkpoint, window=48)
    seen: list[str] = []
    generate = model._generate

    def noting(batch: Sequence[str]) -> list[str]:
        seen.extend(batch)
        return generate(batch)

    model._generate = noting  # type: ignore[method-assign]
    long = document(spoken(*[("caller", f"My brother sleeps outside, night {n}.") for n in range(40)]))
    assert len(model.write([long])[long.event_id]) < 40
    assert len(seen) > 4
    assert {word for part in seen for word in part.split()} >= {f"{n}." for n in range(40)}
    assert max(len(model._tokenizer(PROMPT + part)["input_ids"]) for part in seen) <= 48


def test_a_batch_that_does_not_fit_the_device_is_halved(checkpoint: Path) -> None:
    """The drafts are as if there had been room."""
    model = abstracts(checkpoint)
    calls = [replace(CALL, event_id=f"{n}", turns=(*CALL.turns[: 1 + n],)) for n in range(4)]
    plain = model.write(calls)
    generate, sizes = model._generate, []

    def small(batch: Sequence[str]) -> list[str]:
        sizes.append(len(batch))
        if len(batch) > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return generate(batch)

    model._generate = small  # type: ignore[method-assign]
    assert model.write(calls) == plain
    assert sizes == [4, 2, 1, 1, 1, 1]


def test_what_is_no_such_model_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    """An empty directory, a card that is missing."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no sequence-to-sequence model can be loaded from"):
        abstracts(tmp_path / "empty")
    with pytest.raises(ModelError, match="has no `card:`"):
        Abstracts(its(checkpoint), "cpu")


def test_a_sentence_that_was_cut_off_is_left_out() -> None:
    """A draft that ran to its limit ends in the middle of one."""
    assert finished("He is hurt. The police is") == ["He is hurt."]
    assert finished("He is hurt. She went home.") == ["He is hurt.", "She went home."]
    assert finished("of the of the") == finished("") == []


# --- support


def call_text(summarizer: Summarizer, text: str = TEXT) -> CallText:
    return CallText(text, summarizer.relations.mentions)


@pytest.mark.parametrize(
    ("sentence", "lacks"),
    [
        ("The caller says that the boy of 9 is hurt.", "number 9"),
        ("The caller says that the boy is nine.", "number 9"),
        ("The caller says that [NAME_2] saw it.", "placeholder [NAME_2]"),
        ("The caller says that Ahmed saw it.", "name Ahmed"),
        ("Fatuma says that the stepmother beats him.", "name Fatuma"),
        ("fatuma says that the stepmother beats him.", "name fatuma"),
        ("The caller says that the uncle beats him.", "role uncle"),
        ("The caller says that the girl is hurt.", "role girl"),
        ("The caller says that the child is hurt.", None),
        ("The caller says that the stepmother beats and rapes him.", "grave word rapes"),
        ("The caller wants to kill the stepmother.", "grave word kill"),
        ("The caller says that the brother is 8 years old.", None),
        ("The caller says that [NAME_1] saw it.", None),
        ("The counsellor is sending the Police.", None),
    ],
)
def test_what_the_call_lacks_is_named(summarizer: Summarizer, sentence: str, lacks: str | None) -> None:
    """Numbers in words and digits, placeholders, names, roles, grave words; the words of a report are no news."""
    assert call_text(summarizer).lacks(sentence) == lacks


def supported_by(summarizer: Summarizer, *draft: str, call: CallDocument = CALL) -> list[str]:
    encoder: Encoder = summarizer.encoder
    said_: list[Said] = [
        Said(turn, turn.redacted_text, vector, 1.0)
        for turn, vector in zip(call.turns, encoder.embed([turn.redacted_text for turn in call.turns]), strict=True)
    ]
    return [one.text for one in supported(draft, call_text(summarizer), said_, encoder)]


def test_other_words_for_what_was_said_may_stand(summarizer: Summarizer) -> None:
    """A report says things its own way."""
    for sentence in (
        GOOD,
        PROMISE,
        "The brother is beaten with a cable by the stepmother and he bleeds.",
        "The caller reported that the child sleeps outside without food.",
        "The little brother is eight years old and sleeps outside with no food.",
    ):
        assert supported_by(summarizer, sentence) == [sentence]


def test_what_nobody_said_may_not(summarizer: Summarizer) -> None:
    """Another matter, the contrary, a fact on top, too much in other words or far from all that was said, a scrap."""
    for sentence in (
        INVENTED,
        "The caller wants to know how to get a birth certificate for the baby.",
        "The stepmother does not beat the brother with a cable.",
        "The brother sleeps outside and has plenty of food.",
        "The stepmother locks the brother in a cupboard with a chain and a dog.",
        "The stepmother beats the brother with a cable in the shop.",
        "The brother sleeps outdoors without any meal.",
        "The brother has a stepmother.",
        "Stepmother beats brother.",
        "The caller calls the helpline.",
        "He is it.",
    ):
        assert supported_by(summarizer, sentence) == [], sentence


def test_what_is_said_twice_stands_once(summarizer: Summarizer) -> None:
    """Two windows of a call may tell the same."""
    again = "The caller reports that the stepmother beats the little brother with the cable."
    assert supported_by(summarizer, GOOD, again, GOOD) == [GOOD]


def test_numbers_and_forms_of_words() -> None:
    """However they are written."""
    assert numbers_of("She is 12, her brother twenty-two or 007; one of them") == {"12", "22", "7"}
    assert numbers_of("forty, forty one, zero, one year, sixty five") == {"40", "41", "0", "1", "65"}
    assert alike("beats", "beating") and alike("abuse", "abused")
    assert alike("cat", "cats") and not alike("cat", "car") and not alike("uncle", "under")


def test_every_summary_is_one_of_redacted_text(writing: Summarizer) -> None:
    """The checkpoint never sees what was hidden."""
    hidden = replace(CALL, turns=tuple(replace(turn, text="Wanjiku Otieno 0712345678") for turn in CALL.turns))
    found = summary(writing, hidden)
    assert isinstance(found, CallSummary)
    assert found.sentences == summary(writing, CALL).sentences
