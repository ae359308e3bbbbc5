"""The ner group on what strangers might say: many peoples, and names that a recogniser took for English words."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from callbus.evaluate.redaction import masked_characters
from callbus.evaluate.wording import places
from consumers.ner import Ner
from schemas.records import UtteranceEntities
from tests.unit.test_ner import SPACY, load_ner, one_by_one

pytestmark = pytest.mark.model

_MARKED = re.compile(r"\{([A-Z_]+)\|([^}|]*)(?:\|([^}]*))?\}")
_PUBLIC = frozenset({"AGE", "DATE"})
_NUMBERS = ("PHONE_NUMBER", "ID_NUMBER")
_DIGIT = re.compile(r"\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b", re.IGNORECASE)
CALLS: dict[str, list[list[str]]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


def bare(text: str) -> str:
    """As a recogniser without case and punctuation writes it."""
    return re.sub(r"[.,?!;:]", "", text).lower()


def plain(turn: str) -> tuple[str, list[tuple[str, str]]]:
    """A turn without its marks, and its particulars."""
    marks = [(label, part or words) for label, words, part in _MARKED.findall(turn)]
    return _MARKED.sub(r"\2", turn), marks


def counted(ner: Ner, group: str, spell: Any) -> tuple[Counter[str], list[str]]:
    """Letters and digits, personal and other, how many of each are masked, and the digits of numbers left in clear."""
    count: Counter[str] = Counter()
    shown: list[str] = []
    for call in CALLS[group]:
        turns = [plain(turn) for turn in call]
        events: list[UtteranceEntities] = one_by_one(ner, *(spell(text) for text, _ in turns))
        for (_, marks), event in zip(turns, events, strict=True):
            masked = set(masked_characters(event.text, event.redacted_text))
            secret = {
                at
                for label, words in marks
                if label not in _PUBLIC
                for place in places(spell(words), event.text)
                for at in range(*place)
            }
            for at, char in enumerate(event.text):
                if char.isalnum():
                    kind = "personal" if at in secret else "other"
                    count[kind] += 1
                    count[f"{kind} masked"] += at in masked
            numbers = [
                place for label, words in marks if label in _NUMBERS for place in places(spell(words), event.text)
            ]
            for place in numbers:
                said = _DIGIT.finditer(event.text, *place)
                shown += [digit.group() for digit in said if digit.start() not in masked]
    return count, shown


@pytest.mark.parametrize("spell", [str, bare], ids=["written", "bare"])
@pytest.mark.parametrize(("group", "least"), [("tuned", 0.97), ("held_out", 0.97), ("last", 0.94)])
def test_what_strangers_say_is_masked(ner: Ner, group: str, least: float, spell: Any) -> None:
    """Personal words are masked nearly all, other words hardly ever, and no digit of a number is left."""
    count, shown = counted(ner, group, spell)
    assert count["personal"] > 700
    assert count["personal masked"] / count["personal"] >= least
    assert count["other masked"] / count["other"] <= 0.02
    assert shown == []


def test_what_is_left_in_clear_would_be_seen(ner: Ner) -> None:
    """The measure above is not blind: with nothing masked every digit word of a number is shown."""
    assert _DIGIT.findall("zero seven 1 two") == ["zero", "seven", "1", "two"]
    text, marks = plain("call {NAME|ten die} on {PHONE_NUMBER|zero seven}")
    assert (text, marks) == ("call ten die on zero seven", [("NAME", "ten die"), ("PHONE_NUMBER", "zero seven")])
    assert set(masked_characters(text, text)) == set()
