"""The summary group, on the real encoder and the committed heads."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from callbus.consumer import Settings
from callbus.errors import ModelError
from consumers.summary import HAPPENED, PROMISED, Summarizer, load
from schemas.records import CallDocument, CallSummary, Entity
from tests.documents import ROOT, SAMPLES, document, of_sample, spoken
from tests.encoders import minilm

pytestmark = pytest.mark.model

OPTIONS = {"heads": "domain/heads", "relations": "domain/relations.yaml"}


def settings(**options: object) -> Settings:
    return Settings(group="summary", models=(minilm(),), device="cpu", options=OPTIONS | options, root=ROOT)


@pytest.fixture(scope="module")
def summarizer() -> Summarizer:
    return load(settings())


def summary(summarizer: Summarizer, *documents: CallDocument) -> CallSummary:
    """The only one that is made of these documents."""
    made: list[CallSummary] = []
    for outcome in summarizer.handle(documents):
        assert isinstance(outcome, Sequence)
        made += [event for event in outcome if isinstance(event, CallSummary)]
    [only] = made
    return only


def said(found: CallSummary, part: str) -> list[str]:
    return [one.text for one in found.sentences if one.part == part]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sentence_was_said(summarizer: Summarizer, path: Path) -> None:
    """It stands in the turn that it names, by the one whose part it is, in order of time."""
    call, _ = of_sample(path)
    turns = {turn.utterance_id: turn for turn in call.turns}
    found = summary(summarizer, call)
    assert said(found, HAPPENED)
    for one in found.sentences:
        turn = turns[one.utterance_id]
        assert one.text in " ".join(turn.redacted_text.split())
        assert (turn.speaker == "agent") is (one.part == PROMISED)
    for part in (HAPPENED, PROMISED):
        starts = [turns[one.utterance_id].start_ms for one in found.sentences if one.part == part]
        assert starts == sorted(starts)
        assert len(starts) <= 3


def test_what_happened_who_is_concerned_and_what_was_promised(summarizer: Summarizer) -> None:
    """Of a call about a missing boy: the matter, the son, and who will do what."""
    [path] = [path for path in SAMPLES if path.stem == "text_missing_child"]
    found = summary(summarizer, of_sample(path)[0])
    assert any("has not come home" in text for text in said(found, HAPPENED))
    assert "son" in [person.role for person in found.people]
    assert any("report" in text for text in said(found, PROMISED))


def test_only_what_is_redacted_is_read(summarizer: Summarizer) -> None:
    """No word of `text` that `redacted_text` masks, in sentences or roles."""
    call = document(spoken(("caller", "My daughter Wanjiku has been beaten by our neighbour since Monday.")))
    [turn] = call.turns
    masked = replace(turn, redacted_text=turn.text.replace("Wanjiku", "[NAME_1]"))
    found = summary(summarizer, replace(call, turns=(masked,)))
    assert said(found, HAPPENED) == [masked.redacted_text]
    assert {(person.role, person.part) for person in found.people} == {
        ("caller", "caller"),
        ("daughter", "victim"),
        ("neighbour", "alleged_perpetrator"),
    }
    assert all(person.evidence == (turn.utterance_id,) for person in found.people)


def test_by_when_is_told_in_the_counsellor_s_words(summarizer: Summarizer) -> None:
    """A date in a promised sentence is when it is due; one elsewhere in the turn is not."""
    text = "A social worker will visit your house on Thursday. Last week the office was closed for everybody."
    call = document(spoken(("caller", "My mother left us alone and there is no food."), ("agent", text)))
    turns = [
        replace(
            turn,
            entities=tuple(
                Entity(label="DATE", text=day, start=at, end=at + len(day), score=1.0, placeholder="")
                for day in ("Thursday", "Last week")
                if (at := turn.text.find(day)) >= 0
            ),
        )
        for turn in call.turns
    ]
    found = summary(summarizer, replace(call, turns=tuple(turns)))
    assert {one.text: one.due for one in found.sentences if one.part == PROMISED}[
        "A social worker will visit your house on Thursday."
    ] == "Thursday"


def test_nothing_said_of_the_matter_is_nothing_to_tell(summarizer: Summarizer) -> None:
    """Greetings and good wishes make no summary."""
    found = summary(summarizer, document(spoken(("agent", "Hello, how are you?"), ("caller", "Good morning to you."))))
    assert found.sentences == ()
    assert [(person.part, person.evidence) for person in found.people] == [
        ("caller", ("call-1",)),
        ("counsellor", ("call-0",)),
    ]
    assert summary(summarizer, document(())).people == ()


def test_a_part_rests_on_the_turns_that_give_it(summarizer: Summarizer) -> None:
    """Who speaks by their first turn; a child that calls for itself; who does harm by the turns that say so alone."""
    turns = spoken(
        ("agent", "Hello, this is the child helpline."),
        ("caller", "My uncle came to stay in our house last year."),
        ("caller", "I am thirteen and my uncle beats me every night until I bleed."),
        ("agent", "Your uncle beats you, and that is not right."),
    )
    found = summary(summarizer, document(turns))
    assert [(person.role, person.part, person.evidence) for person in found.people] == [
        ("caller", "caller", ("call-1",)),
        ("counsellor", "counsellor", ("call-0",)),
        ("caller", "child", ("call-2",)),
        ("caller", "victim", ("call-2",)),
        ("uncle", "alleged_perpetrator", ("call-2",)),
    ]


def parts(summarizer: Summarizer, *turns: tuple[str, str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Of a call with these turns, those who have a part in the matter."""
    return matter_of(summary(summarizer, document(spoken(*turns))))


def matter_of(found: CallSummary) -> list[tuple[str, str, tuple[str, ...]]]:
    parts = ("alleged_perpetrator", "child", "victim")
    return [(one.role, one.part, one.evidence) for one in found.people if one.part in parts]


def test_who_suffers_harm_is_a_victim(summarizer: Summarizer) -> None:
    """By the turns that say so, short ones too; a counsellor's say nothing of it."""
    turns = [
        ("caller", "My sister stays with our uncle since our mother died."),
        ("caller", "He beats me."),
        ("agent", "So he beats you, and he beats your brother as well."),
        ("caller", "He beats my sister with a cable until she bleeds."),
    ]
    assert parts(summarizer, *turns) == [
        ("caller", "victim", ("call-1",)),
        ("sister", "victim", ("call-3",)),
    ]


def test_who_is_known_by_a_placeholder_is_listed_for_harm_alone(summarizer: Summarizer) -> None:
    """Neither for being named, nor where the call says who it is."""
    turns = [
        ("caller", "[NAME_1] told me that [NAME_2] beats her every night with a belt."),
        ("caller", "I am very afraid of my uncle [NAME_3] when he is drunk."),
        ("caller", "[NAME_3] raped [NAME_4] in the house on Sunday night."),
    ]
    assert parts(summarizer, *turns) == [
        ("[NAME_2]", "alleged_perpetrator", ("call-0",)),
        ("uncle", "alleged_perpetrator", ("call-2",)),
        ("[NAME_4]", "victim", ("call-2",)),
    ]


def test_a_victim_of_whom_nothing_else_is_said_is_someone(summarizer: Summarizer) -> None:
    """Only where the call names no other."""
    raped = ("caller", "She was raped on her way home from school.")
    assert parts(summarizer, raped) == [("someone", "victim", ("call-0",))]
    brother = ("caller", "My brother was beaten by the boys in the street.")
    assert [role for role, _, _ in parts(summarizer, raped, brother)] == ["boy", "brother"]


def test_who_says_me_on_a_channel_without_a_speaker_is_not_the_caller(summarizer: Summarizer) -> None:
    """It may be either of the two."""
    call = document([("unknown", "My stepfather beats me every night until I bleed.", 0, 5000)])
    assert matter_of(summary(summarizer, call)) == [("stepfather", "alleged_perpetrator", ("call-0",))]


def test_a_role_may_do_and_suffer_harm(summarizer: Summarizer) -> None:
    """Each part by its own turns."""
    turns = [
        ("caller", "My mother was beaten by my father until she bled."),
        ("caller", "Now my mother beats my little brother every day."),
    ]
    assert sorted(parts(summarizer, *turns)) == [
        ("brother", "victim", ("call-1",)),
        ("father", "alleged_perpetrator", ("call-0",)),
        ("mother", "alleged_perpetrator", ("call-1",)),
        ("mother", "victim", ("call-0",)),
    ]


def test_of_several_documents_of_a_call_the_newest_is_summarized(summarizer: Summarizer) -> None:
    """And it says which."""
    first, second = (document(spoken(("caller", "He beats us every night.")), revision=n) for n in (1, 2))
    found = summary(summarizer, first, second)
    assert (found.document_id, found.revision) == (second.event_id, 2)
    assert summary(summarizer, second) == found


def test_a_list_that_is_none_is_said(tmp_path: Path) -> None:
    """With the file and the form."""
    broken = tmp_path / "relations.yaml"
    broken.write_text("roles: [daughter]", "utf-8")
    with pytest.raises(ModelError, match=r"relations.yaml is no list of roles .* <role>: \[word"):
        load(settings(relations=str(broken)))
