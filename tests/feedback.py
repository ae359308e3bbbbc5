"""A call of which something is corrected, and what is made of the corrections."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from callbus.feedback.examples import Made, Source, examples
from callbus.feedback.giving import Said, feedback
from callbus.feedback.labels import Labels
from callbus.feedback.standing import standing
from callbus.feedback.vocabulary import Vocabulary
from callbus.topology import load
from schemas.records import CallDocument, Classification, Entity, Feedback
from tests.cli import TOPOLOGY
from tests.documents import document
from tests.evaluations import classified

LABELS = Labels.of(load(TOPOLOGY))
CORPUS = TOPOLOGY.parent / "domain" / "corpus"
WORDS = Vocabulary.read(CORPUS)

CALL = document(
    [
        ("agent", "Thank you for calling, you are through to the helpline.", 0, 3_000),
        ("caller", "My name is Amina and I call from Mwanza about my stepfather.", 4_000, 8_000),
        ("caller", "He beats my little brother with a cable every evening.", 9_000, 12_000),
        ("agent", "I hear how heavy this is for you, Amina, and I am with you.", 13_000, 16_000),
        ("caller", "My brother's arm is swollen since Amina tried to stop him.", 65_000, 69_000),
        ("caller", "You can reach me on zero seven one two, three four five.", 70_000, 74_000),
    ],
    "call-1",
)


def particulars(found: CallDocument) -> CallDocument:
    """With the names where redaction found them: not in the fifth turn."""
    masks = {"Amina": ("NAME", "[NAME_1]"), "Mwanza": ("LOCATION", "[LOCATION_1]")}
    turns = []
    for position, turn in enumerate(found.turns):
        entities, redacted = [], turn.text
        for text, (label, placeholder) in masks.items():
            if text in turn.text and position != 4:
                start, end = turn.text.index(text), turn.text.index(text) + len(text)
                found_there = Entity(label=label, text=text, start=start, end=end, score=1.0, placeholder=placeholder)
                entities.append(found_there)
                redacted = redacted.replace(text, placeholder)
        turns.append(replace(turn, entities=tuple(entities), redacted_text=redacted))
    return replace(found, turns=tuple(turns))


REDACTED = particulars(CALL)


def said(stage: str = "classification", **more: Any) -> Said:
    return Said(stage=stage, by="c-17", **more)


def given(at_ms: int = 1, **more: Any) -> Feedback:
    return feedback(said(**more), REDACTED, LABELS, at_ms)


def made(*words: Feedback, judged: Classification | None = None) -> list[Made]:
    return list(examples(Source(standing(words)["call-1"], REDACTED, judged, LABELS, WORDS)))


def judged(evidence: Sequence[str] = ()) -> Classification:
    found = classified("advice_and_counselling", ["Bullying"], "medium", "Counselling")
    return replace(found, main=replace(found.main, evidence=tuple(evidence)))
