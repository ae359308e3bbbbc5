"""What commands show of an event: one line, no personal words unless asked for, nothing that commands a terminal."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from callbus.cli.call import Found
from callbus.cli.call import plain as call_plain
from callbus.cli.call_view import print_call
from callbus.cli.demo_view import View
from callbus.cli.lines import head, printable, step_of, summary
from callbus.cli.masking import HIDES, hidden, masked, plain
from callbus.cli.watch import as_plain, in_order
from callbus.subscriber import Received
from callbus.topology import load
from producers.player import Progress as Played
from schemas import convert, records
from schemas.records import (
    AudioChunk,
    CallEvent,
    Entity,
    LabelChange,
    TimelineEntry,
    TranscriptionProgress,
    Translation,
    Turn,
    UtteranceEntities,
)
from tests.builders import PROVENANCE, chunk, utterance
from tests.cli import TOPOLOGY
from tests.evaluations import classified

CLEAR = "Amina of Mwanza"
RECORDS = [kind for name, kind in convert.record_types().items() if "call_id" in {f.name for f in fields(kind)}]
ON_TOPICS = {topic.schema for topic in load(TOPOLOGY).all_topics() if topic.schema}
# Free text that is redacted or never personal: what the graph's own stages put there.
SAFE_FIELDS = {
    "redacted_text",
    "placeholder",
    "label",
    "name",
    "stage",
    "model",
    "model_version",
    "head",
    "band",
    "grade",
}
SAFE_FIELDS |= {"source", "language", "source_language", "languages", "codec", "sha256", "group", "topic", "error"}
SAFE_FIELDS |= {"doubts", "degraded", "matter"}
SAFE_FIELDS |= {"by", "main", "sub", "priority", "intervention"}  # labels and ids that a helpline gives
SAFE_KINDS = {"CallInsight", "QaEvaluation", "Classification", "CallSummary", "Alert"}


def filled(kind: Any, name: str = "") -> Any:
    """A value of any type of the records, with CLEAR in every free text that could hold it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        return kind(**{each: filled(hint, each) for each, hint in get_type_hints(kind).items()})
    if origin is Literal:
        return arguments[0]
    if origin is tuple:
        return (filled(arguments[0], name),)
    if origin is Mapping:
        return {"fact": CLEAR}
    if NoneType in arguments:
        return filled(next(each for each in arguments if each is not NoneType), name)
    if kind is str:
        return "x" if name in SAFE_FIELDS or name.endswith(("_id", "_ids")) else CLEAR
    return {int: 8000, float: 0.5, bool: False, bytes: CLEAR.encode()}[kind]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_no_personal_word_is_shown_unasked(kind: type) -> None:
    """Neither in the line nor in the JSON, of any record there is or will be; with --clear it is there."""
    record = filled(kind)
    if isinstance(record, Translation):
        record = replace(record, reason="no model for sw-en")  # always one of the stage's own phrases
    if kind.__name__ not in SAFE_KINDS:
        assert CLEAR not in summary(masked(record))
        assert CLEAR not in json.dumps(plain(record, clear=False))
    assert "\n" not in summary(record)
    assert type(masked(record)) is kind
    if kind not in (AudioChunk, TranscriptionProgress):
        assert "Amina" in json.dumps(plain(record, clear=True))


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_what_is_hidden_without_a_substitute_is_announced(kind: type) -> None:
    """`watch` says on stderr that --clear would show more, and only where it is so."""
    shown = json.dumps(plain(filled(kind), clear=False), ensure_ascii=False)
    if kind.__name__ in ON_TOPICS:
        assert ("«" in shown) == (kind.__name__ in HIDES)


def test_every_topic_has_a_line_of_its_own() -> None:
    """No event is shown as Python would show it, but for a state that is no event."""
    for schema in ON_TOPICS - {"RedactionState"}:
        assert not summary(filled(getattr(records, schema))).startswith(schema)


def test_what_changed_of_a_case_is_told_with_it() -> None:
    """Which label was another before, and why."""
    moved = LabelChange(
        head="priority", before="low", after="high", score_before=0.6, score=0.8, evidence=("u",), reason="said since"
    )
    line = summary(replace(classified(), label_changes=(moved,)))
    assert line.endswith("; priority was low (said since)")
    assert ";" not in summary(classified())


def test_a_step_of_a_timeline_is_told_in_a_line() -> None:
    """Where, what, from what to what, why; what is not known is not made up."""
    moved = TimelineEntry(
        kind="judgement_changed", offset_ms=65_000, at_ms=1, subject="priority", before="low", after="high",
        reason="said since",
    )  # fmt: skip
    assert step_of(moved) == "1:05 judgement changed priority low → high: said since"
    gap = TimelineEntry(kind="gap", offset_ms=1000, at_ms=1, subject="caller", until_ms=3000, more=7)
    assert step_of(gap) == "0:01 gap caller to 0:03, and 7 more"
    assert step_of(TimelineEntry(kind="held", offset_ms=None, at_ms=1)) == "?:?? held"


def test_hidden_words_are_counted() -> None:
    """So that one sees that something was said."""
    assert [hidden(text) for text in ("", "one", "one two")] == ["", "«1 word»", "«2 words»"]


def test_redacted_text_takes_the_place_of_the_clear_one() -> None:
    """Where a stage has redacted, that is shown, with placeholders for the particulars."""
    entity = Entity(label="NAME", text="Amina", start=0, end=5, score=1.0, placeholder="[NAME_1]")
    age = Entity(label="AGE", text="thirteen", start=9, end=17, score=1.0, placeholder="")
    event = UtteranceEntities(
        event_id="e", call_id="c", at_ms=0, utterance_id="u", kind="speech", speaker="caller", start_ms=65_000,
        end_ms=70_000, confidence=1.0, status="pass_through", source_language="en", text="Amina is thirteen",
        redacted_text="[NAME_1] is thirteen", entities=(entity, age), provenance=PROVENANCE,
    )  # fmt: skip
    assert summary(masked(event)) == "caller 1:05-1:10 “[NAME_1] is thirteen” (AGE NAME)"
    assert summary(event) == "caller 1:05-1:10 “Amina is thirteen” (AGE NAME)"
    assert [each["text"] for each in plain(event, clear=False)["entities"]] == ["[NAME_1]", "thirteen"]


def test_lines_say_what_matters() -> None:
    """Who, when in the call, and how far."""
    assert summary(chunk(sequence=4, last=True)) == "caller #4 at 1.00 s, 4000 bytes pcm_s16le 8000 Hz, last"
    assert summary(utterance(text="Hello there.")) == "caller 0:00-0:01 “Hello there.” (en)"
    assert summary(utterance(text="", kind="gap")) == "caller 0:00-0:01 gap (en)"
    assert summary(utterance(text="", kind="end", end_ms=65_000)) == "end at 1:05"
    failed = CallEvent(
        event_id="e", call_id="c", at_ms=0, type="failed", medium="unknown", source="ner", reason="no model"
    )  # fmt: skip
    assert summary(failed) == "failed at ner: no model"
    unknown = Translation(
        event_id="e", call_id="c", at_ms=0, utterance_id="u", kind="speech", speaker="agent", start_ms=0, end_ms=0,
        confidence=1.0, status="untranslated", source_text="Habari", source_language="sw", language="sw", text="",
        reason="no model for sw-en", provenance=PROVENANCE,
    )  # fmt: skip
    assert summary(unknown) == "agent 0:00-0:00 speech (untranslated): no model for sw-en"


def test_lines_tell_of_calls_that_never_got_their_end() -> None:
    """Who ended them and since when nothing came; that they go on; and wherever an end is shown, that it is such."""
    interrupted = CallEvent(
        event_id="e", call_id="c", at_ms=0, type="interrupted", medium="unknown", source="documents",
        stage="documents", reason="nothing more came of this call",
    )  # fmt: skip
    assert summary(masked(interrupted)) == "interrupted at documents, silent since 1970-01-01T00:00:00.000Z"
    assert summary(replace(interrupted, type="reopened", reason=None)) == "reopened at documents"
    assert summary(utterance(text="", kind="end", end_ms=65_000, interrupted=True)) == "end at 1:05 interrupted"
    for kind in (records.CallInsight, records.CallDocument):
        assert " complete interrupted" in summary(replace(filled(kind), complete=True, interrupted=True))
        assert "interrupted" not in summary(filled(kind))
    progress = TranscriptionProgress(call_id="c", channels=(), utterances=3, interruptions=2)
    assert summary(progress) == "3 utterances, interrupted x2"


def test_an_interrupted_call_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside its end, and over its conversation."""
    found = _evaluated()
    assert found.insight
    assert found.document
    for interrupted in (False, True):
        insight = replace(found.insight, interrupted=interrupted)
        document = replace(found.document, complete=True, interrupted=interrupted)
        print_call("call-1", insight, document, None, clear=False)
        shown = capsys.readouterr().out
        assert ("(interrupted: nothing more came)" in shown) is interrupted
        assert f"revision 8000, {'interrupted' if interrupted else 'complete'}" in " ".join(shown.split())
        View(as_json=True).table([Played(path=Path("call.wav"), call_id="call-1")], {"call-1": insight})
        row = json.loads(capsys.readouterr().out)
        assert row["completeness"].startswith("interrupted, ") is interrupted


def test_a_chat_message_can_not_command_the_terminal() -> None:
    """Control characters and line ends are blanks: one event stays one line."""
    assert printable("a\x1b[31mb\nc\u202ed\x9be") == "a [31mb c d e"
    assert "\n" not in head(Received("t", 0, 1, 0, "call\n\x1b"))


def test_json_of_a_message() -> None:
    """Where it stands, then the event, null for a tombstone, or why it is none."""
    place = {"topic": "t", "lane": 3, "offset": 17, "timestamp_ms": 5, "call_id": "c"}
    at = ("t", 3, 17, 5, "c")
    assert as_plain(Received(*at), clear=False) == place | {"event": None}
    assert as_plain(Received(*at, problem="not Avro"), clear=False) == place | {"problem": "not Avro"}
    shown = as_plain(Received(*at, record=chunk()), clear=False)
    assert (shown["type"], shown["event"]["payload"]) == ("AudioChunk", {"bytes": 4000})
    assert "base64" in as_plain(Received(*at, record=chunk()), clear=True)["event"]["payload"]


def test_events_of_several_lanes_come_by_time() -> None:
    """Each lane keeps its own order, even where its times don't."""
    one = [Received("t", 0, offset, at_ms, "c") for offset, at_ms in enumerate((10, 40, 30))]
    two = [Received("t", 1, offset, at_ms, "c") for offset, at_ms in enumerate((20, 35))]
    shown = [(each.lane, each.offset) for each in in_order([*one, *two])]
    assert shown == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2)]


def _evaluated() -> Found:
    """A call whose one criterion rests on its one turn."""
    turn = Turn(
        utterance_id="u", kind="speech", speaker="agent", start_ms=5_000, end_ms=9_000, confidence=1.0,
        status="pass_through", source_language="en", text="Hello Amina [x]",
        redacted_text="Hello [NAME_1] [x]", entities=(),
    )  # fmt: skip
    criterion = records.Criterion(head="opening", name="Greets", verdict="pass", score=0.9, evidence=("u",), reason="r")
    return Found(
        insight=filled(records.CallInsight),
        document=replace(filled(records.CallDocument), turns=(turn,)),
        evaluation=replace(filled(records.QaEvaluation), criteria=(criterion,)),
    )


@pytest.mark.parametrize("clear", [False, True])
def test_a_call_is_shown_with_its_evidence(capsys: pytest.CaptureFixture[str], clear: bool) -> None:
    """The words a criterion rests on stand beside it, redacted like the conversation; markup in them is only text."""
    found = _evaluated()
    print_call("call-1", found.insight, found.document, found.evaluation, clear=clear)
    shown = capsys.readouterr().out
    said = "Hello Amina [x]" if clear else "Hello [NAME_1] [x]"
    assert shown.count(said) == 2
    assert ("Hello Amina" in json.dumps(call_plain("call-1", found, clear=clear))) == clear


def test_a_call_of_which_little_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Each part says that it isn't there yet."""
    print_call("call-1", None, None, None, clear=False)
    shown = capsys.readouterr().out
    assert "no insight yet" in shown
    assert "not judged yet" in shown
    assert "Conversation: nothing yet" in shown
