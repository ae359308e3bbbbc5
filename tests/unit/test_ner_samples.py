"""The ner group on the sample calls: as written, without case and punctuation, as a recogniser mishears them."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from callbus.consumer import CallSlice
from consumers.ner import Ner
from consumers.spelling import fold
from schemas.records import UtteranceEntities
from tests.unit.test_ner import SPACY, load_ner, translation

ROOT = Path(__file__).parents[2]
PERSONAL = ("NAME", "LOCATION", "LANDMARK", "PHONE_NUMBER", "EMAIL", "ID_NUMBER")
CALLS = ("bullying_school", "maintenance_custody", "physical_abuse_hold", "text_missing_child")

# What the Portuguese chat comes to by the default translation model.
CHAT = (
    "Good morning, welcome to the child support line. My name is Lurdes. How can I help?",
    "Good morning. I call myself Celso, I have twelve years old and I live in Beira.",
    "Some guys from my school beat me every day and steal my snack.",
    "I're sorry what's happening, Celso. Thank you for telling us. Have you talked to a teacher?",
    "No, I'm afraid they beat me more.",
    "I can talk together with your school if you agree. What is your mother's phone number?",
    "My mother's number is 84 123 4567.",
)
# What whisper tiny.en makes of the sentences that name someone or something, 8 kHz.
MISHEARD = (
    "Hello, thank you for calling the child help plan. My name is Peter. How may I help you?",
    "Hi, my name is Amina. I am 13. The girls in my class call me names every day, and they push me.",
    "No, my mother worked in M. Wansa, and I live with my grandmother.",
    "You are very brave to call us. Thank you for calling and goodbye, Amina.",
    "Hello, my name is Daniel Okalo. I am calling for naccurate. She is 9 years old.",
    "while I call the child protection officer in Nakura. Is that okay?",
    "Thank you for holding Daniel. The officer will visit.",
    "Yes, thank you. My number is 0712345678.",
)

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


@dataclass(frozen=True)
class Sample:
    """A sample call: its turns, and its entities with the turn where that is known."""

    turns: Sequence[str]
    entities: Sequence[tuple[int | None, str, str]]


def sample(name: str) -> Sample:
    truth: dict[str, Any] = json.loads((ROOT / f"samples/{name}.json").read_text(encoding="utf-8"))
    return Sample(
        turns=[turn["text"] for turn in truth["turns"]],
        entities=[(entity.get("turn"), entity["label"], entity["text"]) for entity in truth["entities"]],
    )


def bare(text: str) -> str:
    """`text` as a recogniser without case and punctuation writes it."""
    return re.sub(r"[.,?!]", "", text).lower()


def run(ner: Ner, turns: Iterable[str], *, live: bool) -> list[UtteranceEntities]:
    """The call turn by turn (`live`), or all at once."""
    events = [translation(text, at) for at, text in enumerate(turns)]
    state = None
    results: list[UtteranceEntities] = []
    for slice_ in [[event] for event in events] if live else [events]:
        (result,) = ner.advance([CallSlice("call", slice_, state, None)])
        state = result.state
        results += [event for event in result.events if isinstance(event, UtteranceEntities)]
    return results


def personal_words(call: Sample) -> set[str]:
    """The words no redacted text of the call may show; of a landmark the whole phrase."""
    words: set[str] = set()
    for _, label, text in call.entities:
        if label in PERSONAL:
            words |= {fold(text)} if label in ("LANDMARK", "PHONE_NUMBER") else set(fold(text).split())
    return words


def shown(texts: Iterable[str], words: Iterable[str]) -> list[str]:
    """Which of `words` stand in clear in one of `texts`."""
    return [word for word in words if any(re.search(rf"\b{re.escape(word)}\b", fold(text)) for text in texts)]


def redacted(events: Iterable[UtteranceEntities]) -> list[str]:
    return [event.redacted_text for event in events]


@pytest.mark.parametrize("live", [True, False], ids=["live", "at once"])
@pytest.mark.parametrize("spell", [str, bare], ids=["written", "bare"])
@pytest.mark.parametrize("name", CALLS)
def test_no_personal_word_of_a_sample_is_shown(ner: Ner, name: str, spell: Callable[[str], str], live: bool) -> None:
    """No name, place or number in clear in any redacted text of the sample calls."""
    call = sample(name)
    events = run(ner, [spell(turn) for turn in call.turns], live=live)
    words = personal_words(call)
    assert shown(redacted(events), words | {bare(word) for word in words}) == []


def test_a_shown_name_would_be_seen() -> None:
    """The guard above is not blind: in the texts as they were said it sees every personal word."""
    for name in CALLS:
        call = sample(name)
        assert set(shown(call.turns, personal_words(call))) == personal_words(call)


@pytest.mark.parametrize("spell", [str, bare], ids=["written", "bare"])
def test_the_chat_shows_nobody(ner: Ner, spell: Callable[[str], str]) -> None:
    """The translated chat hides its people, its town and its number."""
    events = run(ner, [spell(text) for text in CHAT], live=True)
    assert shown(redacted(events), {"lurdes", "celso", "beira", "4567", "84"}) == []


def test_what_was_misheard_is_hidden_as_well(ner: Ner) -> None:
    """Names that no list has, as a recogniser spells them, are found by what stands around them."""
    events = run(ner, MISHEARD, live=True)
    words = {"peter", "amina", "wansa", "daniel", "okalo", "naccurate", "nakura", "0712345678"}
    assert shown(redacted(events), words) == []


@pytest.mark.parametrize("spell", [str, bare], ids=["written", "bare"])
@pytest.mark.parametrize("name", CALLS)
def test_every_entity_of_a_sample_is_found(ner: Ner, name: str, spell: Callable[[str], str]) -> None:
    """Each entity of the truth is found under its label."""
    call = sample(name)
    events = run(ner, [spell(turn) for turn in call.turns], live=True)
    found = {(entity.label, bare(entity.text)) for event in events for entity in event.entities}
    assert {(label, bare(text)) for _, label, text in call.entities} <= found


@pytest.mark.parametrize("spell", [str, bare], ids=["written", "bare"])
def test_precision_and_recall_on_the_exact_truth(
    ner: Ner, spell: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On the sample whose truth is complete: F1 of 0.9 or more for every label, exact spans."""
    call = sample("text_missing_child")
    events = run(ner, [spell(turn) for turn in call.turns], live=True)
    truth = {(turn, label, bare(text)) for turn, label, text in call.entities}
    found = {(turn, entity.label, bare(entity.text)) for turn, event in enumerate(events) for entity in event.entities}
    lines = []
    for label in sorted({label for _, label, _ in truth | found}):
        wanted, got = ({one for one in some if one[1] == label} for some in (truth, found))
        precision, recall = len(wanted & got) / max(1, len(got)), len(wanted & got) / max(1, len(wanted))
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        lines.append(f"{label:14} precision {precision:.2f} recall {recall:.2f} F1 {f1:.2f} (of {len(wanted)})")
        assert f1 >= 0.9, lines[-1]
    with capsys.disabled():
        print("", *lines, sep="\n")
