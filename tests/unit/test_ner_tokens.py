"""NER by a token classification of transformers: a tiny one that knows a few words by heart, beside the rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from callbus.consumer import CallSlice, Settings
from callbus.errors import ModelError
from consumers.checkpoints.windows import Window
from consumers.ner import Ner, caution, load
from consumers.ner.tokens import TokenFinder
from consumers.ner.words import Span, Word
from schemas.records import RedactionState, UtteranceEntities
from tests.checkpoints import carded, its, made_tagger
from tests.unit.test_ner import ROOT, SPACY, found, together, translation

pytestmark = pytest.mark.model

LABELS = ("O", "B-NAME", "I-NAME", "B-LOCATION", "PERPETRATOR", "INCIDENT_TYPE", "PHONE_NUMBER", "B-TIME")
KNOWN = {
    "zuberi": "B-NAME",
    "plain": "I-NAME",  # an English word that is part of a name here
    "summer": "B-NAME",  # likewise, which no rule takes for one
    "makongeni": "B-LOCATION",
    "river": "B-LOCATION",
    "uncle": "PERPETRATOR",
    "beating": "INCIDENT_TYPE",
    "today": "B-TIME",
}
OTHERS = (
    "my",
    "his",
    "number",
    "the",
    "child",
    "is",
    "at",
    "home",
    "and",
    "with",
    "call",
    "he",
    "was",
    "near",
    ",",
    ".",
    "go",
)
CARD = {
    "window": 16,
    "ours": {
        **{"NAME": "NAME", "LOCATION": "LOCATION", "PERPETRATOR": "NAME", "INCIDENT_TYPE": "INCIDENT_TYPE"},
        **{"PHONE_NUMBER": "PHONE_NUMBER", "TIME": None},
    },
}
OURS = ("NAME", "LOCATION", "INCIDENT_TYPE", "PHONE_NUMBER")


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tagger"
    made_tagger(folder, KNOWN, OTHERS, LABELS)
    return folder


def finder(folder: Path, **changes: Any) -> TokenFinder:
    return TokenFinder(its(folder, carded(folder.parent / "card.yaml", CARD | changes)), "cpu", OURS)


def said(text: str, spans: Sequence[Span]) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in spans]


def test_words_come_whole_with_their_place(tagger: Path) -> None:
    """However the tokenizer cuts them; names side by side are one, a comma parts two, a label left out is none."""
    text = "My Zuberi Plain was at Makongeni, near River today. Zuberi, Zuberi and the uncle."
    (spans,) = finder(tagger).find([text])
    assert said(text, spans) == [
        ("NAME", "Zuberi Plain"),
        ("LOCATION", "Makongeni"),
        ("LOCATION", "River"),
        ("NAME", "Zuberi"),
        ("NAME", "Zuberi"),
        ("NAME", "uncle"),
    ]
    assert all(0.5 <= span.score <= 1 for span in spans)


def test_a_long_text_is_read_whole(tagger: Path) -> None:
    """Far beyond the window every name is found once, at its own place; alone and in company alike."""
    long = " ".join(["the child is at home with Zuberi and"] * 9)
    tags = finder(tagger)
    alone, empty, again = tags.find([long, "", long])
    assert said(long, alone) == [("NAME", "Zuberi")] * 9
    assert [span.start for span in alone] == [at for at in range(len(long)) if long.startswith("Zuberi", at)]
    assert empty == []
    assert said(long, again) == said(long, alone) == said(long, tags.find([long])[0])


def test_a_batch_that_does_not_fit_the_device_is_halved(tagger: Path) -> None:
    """The finds are as if there had been room."""
    tags = finder(tagger)
    texts = ["Zuberi is at home"] * 5
    plain = tags.find(texts)
    run, sizes = tags._reader._run, []

    def small(batch: Sequence[Window]) -> list[Any]:
        sizes.append(len(batch))
        if len(batch) > 1:
            raise MemoryError
        return run(batch)

    tags._reader._run = small  # type: ignore[method-assign]
    assert [said(text, spans) for text, spans in zip(texts, tags.find(texts), strict=True)] == [
        said(text, spans) for text, spans in zip(texts, plain, strict=True)
    ]
    assert sizes == [5, 2, 1, 1, 1, 1, 1]


def test_a_label_that_nobody_mapped_is_an_error(tagger: Path) -> None:
    """So are a card that is missing, and a mapping to a label that is none of ours."""
    ours = dict(CARD["ours"]) if isinstance(CARD["ours"], dict) else {}
    with pytest.raises(ModelError, match=r"card\.yaml: the model has the label 'TIME'; say under `ours:`"):
        finder(tagger, ours={label: ours[label] for label in ours if label != "TIME"})
    with pytest.raises(ModelError, match="'TIME' is mapped to 'CLOCK', which is no label of ours"):
        finder(tagger, ours=ours | {"TIME": "CLOCK"})
    with pytest.raises(ModelError, match="needs a `card:`"):
        TokenFinder(its(tagger), "cpu", OURS)


# --- beside the rules


@pytest.fixture(scope="module")
def both(tagger: Path) -> Ner:
    card = carded(tagger.parent / "both.yaml", CARD)
    return load(Settings(group="ner", models=(SPACY, its(tagger, card)), device="cpu", root=ROOT))


@pytest.fixture(scope="module")
def rules() -> Ner:
    return load(Settings(group="ner", models=(SPACY,), root=ROOT))


def test_the_model_adds_to_the_rules(both: Ner, rules: Ner) -> None:
    """A name that only it knows is hidden, in lower case too, and what only they know stays hidden."""
    text = "he is with summer and his number is zero seven one two three four five six seven eight"
    (alone,) = together(rules, text)
    (joined,) = together(both, text)
    assert "summer" in alone.redacted_text
    assert joined.redacted_text == "he is with [NAME_1] and his number is [PHONE_NUMBER_1]"
    names = joined.provenance
    assert (names.model, names.model_version.split("+")[0]) == ("tiny+spacy-en", "1")
    assert joined.event_id != alone.event_id


def test_offsets_are_those_of_what_was_said(both: Ner) -> None:
    """Spoken numbers before a find are digits where the model reads, and words where its find stands."""
    text = "call zero seven one two three four five six seven eight and go to Makongeni with summer"
    (event,) = together(both, text)
    assert [(entity.label, text[entity.start : entity.end]) for entity in event.entities] == found(event)
    assert ("NAME", "summer") in found(event)


def test_a_role_names_nobody(both: Ner) -> None:
    """Whom the model accuses is hidden only where it is a name; nobody is called a perpetrator."""
    (event,) = together(both, "my uncle was at home")
    assert event.redacted_text == "my uncle was at home"


def test_what_is_found_once_is_found_again(both: Ner) -> None:
    """A name of the model's keeps its placeholder in the next utterance of the call."""
    first, second = together(both, "he was with Summer", "Summer is at home")
    assert (first.redacted_text, second.redacted_text) == ("he was with [NAME_1]", "[NAME_1] is at home")


def test_calls_share_a_batch(both: Ner) -> None:
    """Each has its own finds, the same as alone."""
    slices: list[CallSlice[Any, RedactionState]] = [
        CallSlice(call, [translation(text, 0, call)], None, None)
        for call, text in (("a", "he was with Summer"), ("b", "go to the river at home"), ("c", ""))
    ]
    together_, alone = both.advance(slices), [both.advance([one])[0] for one in slices]
    assert [result.events for result in together_] == [result.events for result in alone]
    assert all(isinstance(event, UtteranceEntities) for result in together_ for event in result.events)


# --- the union, piece by piece


def words(text: str, small: Sequence[str] = ()) -> list[Word]:
    made: list[Word] = []
    start = 0
    for each in text.split():
        start = text.index(each, start)
        made.append(Word(each, each.lower(), start, start + len(each), False, False, True, True, each in small, False))
    return made


PERSONAL = frozenset({"NAME", "LOCATION", "PHONE_NUMBER"})


def test_nothing_that_the_model_would_hide_stays_open() -> None:
    """A find that is not personal gives way; of what the rules hide already, only the rest is added."""
    text = "grace otieno primary school"
    certain = Span(0, 27, "NAME", 0.58, certain=True)
    open_ = caution.hidden([Span(6, 27, "ORGANIZATION", 0.9)], [certain], words(text), PERSONAL)
    assert said(text, open_) == [("NAME", text)]
    beside = caution.hidden([Span(6, 12, "LOCATION", 0.9)], [certain], words(text), PERSONAL)
    assert said(text, beside) == [("NAME", "grace"), ("LOCATION", "otieno"), ("NAME", "primary school")]
    part_of_a_word = caution.hidden([Span(0, 3, "NAME", 0.9)], [certain], words(text), PERSONAL)
    assert said(text, part_of_a_word)[0:2] == [("NAME", "gra"), ("NAME", "ce otieno primary school")]


def test_what_is_not_certain_changes_nothing() -> None:
    """Neither the rules' own finds nor a find of what is not personal."""
    kept = [Span(0, 5, "AGE", 0.9)]
    finds = [Span(0, 9, "NAME", 0.9), Span(0, 9, "AGE", 0.2, certain=True)]
    assert caution.hidden(kept, finds, words("grace otieno"), PERSONAL) == kept
