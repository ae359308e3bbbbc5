"""`callbus feedback` on a real broker: from what was corrected to heads that say it, measured beside the old ones."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callbus.kafka import Connection
from callbus.lanes import LaneChooser
from callbus.loading import consumer_of
from consumers import heads as trained
from consumers import training
from consumers.corpus import read_corpus
from consumers.encoder import Encoder
from schemas.records import CallDocument, Entity, Feedback
from tests.cli import ROOT, callbus
from tests.documents import document
from tests.integration.working import TOPOLOGY, kafka, publish, read, running

__all__ = ["kafka"]

pytestmark = [pytest.mark.broker, pytest.mark.model, pytest.mark.slow]

LIMIT_S = 120
CALL = "call-17"
SUB = "Child Labor"


def lane_of(call_id: str) -> int:
    return LaneChooser(TOPOLOGY.lanes).lane(call_id)


def told() -> CallDocument:
    """A call of which redaction has missed a name at one place, and another, which was misheard, everywhere."""
    known = document(
        [
            ("agent", "Good morning, this is the child helpline, how can I help you?", 0, 4_000),
            ("caller", "My neighbour Amina sends her two boys to the quarry before school.", 5_000, 10_000),
            ("caller", "They break stones until dark and the money goes to the owner.", 11_000, 16_000),
            ("caller", "The owner is one bul awayo and he pays them in maize flour.", 17_000, 21_000),
            ("caller", "When amina is asked about it she says that school brings no food.", 65_000, 71_000),
            ("agent", "I hear how much it worries you to see these boys work.", 72_000, 76_000),
        ],
        CALL,
    )
    turn = known.turns[1]
    start = turn.text.index("Amina")
    name = Entity(label="NAME", text="Amina", start=start, end=start + 5, score=1.0, placeholder="[NAME_1]")
    masked = replace(turn, entities=(name,), redacted_text=turn.text.replace("Amina", "[NAME_1]"))
    return replace(known, turns=(known.turns[0], masked, *known.turns[2:]))


async def ran(kafka: Connection, *arguments: str | Path) -> tuple[int, str, str]:
    result = await asyncio.to_thread(callbus, "feedback", *arguments, "--brokers", kafka.brokers)
    return result.exit_code, result.stdout, result.stderr


async def test_a_correction_becomes_an_example_and_the_heads_learn_it(kafka: Connection, tmp_path: Path) -> None:
    """Given, exported without a particular, and trained on: another call is judged right that was not before."""
    live = consumer_of(TOPOLOGY, TOPOLOGY.group("classification"))
    async with running(kafka, "classification", live):
        await publish(kafka, "call-documents", [told()], lane_of)
        [(_, judged)] = await read(kafka, "classifications", 1, LIMIT_S)
    give = ("give", CALL, "--by", "c-17", "--stage")
    case = ("--sub", SUB, "--priority", "medium", "--intervention", "Referral")
    note = "Amina is the aunt of somebody I know."
    for words in (
        (*give, "classification", "--sub", "Child Neglect", "--note", note),
        (*give, "classification", *case, "--evidence", "0:11", "--evidence", "0:17", "--evidence", "1:05"),
        (*give, "qa", "--criterion", "Empathizes with the caller=pass", "--evidence", "1:12"),
    ):
        code, said, error = await ran(kafka, *words)
        assert code == 0, error
        assert "Amina" not in said
    assert "qa by c-17: Empathizes with the caller: pass" in said
    records: list[Feedback] = [record for _, record in await read(kafka, "feedback", 3)]
    assert [lane for lane, _ in await read(kafka, "feedback", 3)] == [lane_of(CALL)] * 3
    assert {record.document_id for record in records} == {told().event_id}
    assert sorted(record.note for record in records) == ["", "", note]

    folder = tmp_path / "corrections"
    code, said, error = await ran(kafka, "export", folder, "--json")
    assert code == 0, error
    assert json.loads(said) == {"folder": str(folder), "entries": 2, "left_out": [], "unreadable": 0}
    text = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.yaml")}
    assert set(text) == {"callers/vane.yaml", "counsellors.yaml", "provenance.yaml"}
    assert not re.search(rf"amina|awayo|{CALL}|{judged.event_id}", "".join(text.values()), re.IGNORECASE)
    assert "When someone is asked about it she says that school brings no food." in text["callers/vane.yaml"]
    assert "Child Neglect" not in text["callers/vane.yaml"]
    again = await ran(kafka, "export", folder)
    assert again[1] == f"2 examples in {folder}, 0 corrections left out\n"
    assert {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.yaml")} == text

    before, after, calls = tmp_path / "before", tmp_path / "after", _call_with_truth(tmp_path / "calls")
    await asyncio.to_thread(_train, folder, before, after)
    assert trained.load(before).version != trained.load(after).version
    untaught, taught = [await asyncio.to_thread(_judged, calls, heads) for heads in (before, after)]
    assert untaught["expected"]["sub"] == taught["expected"]["sub"] == SUB
    assert (untaught["right"]["sub"], taught["right"]["sub"]) == (False, True), (untaught, taught)


def _train(folder: Path, before: Path, after: Path) -> None:
    """The heads of the case without this folder and with it, where the corpus knows one call of `SUB`, of a maid.

    All other heads stay as they are, for they take minutes.
    """
    [model] = TOPOLOGY.settings("classification").models
    encoder = Encoder(model, "cpu")
    corpus = read_corpus(ROOT / "domain" / "corpus")
    forgotten = {example.call for example in corpus.examples if example.sub == SUB}
    forgotten.remove(next(example.call for example in corpus.examples if example.sub == SUB))
    known = trained.load(ROOT / "domain" / "heads")
    for more, heads in (([], before), ([folder], after)):
        whole = read_corpus(ROOT / "domain" / "corpus", *more)
        examples = tuple(example for example in whole.examples if example.call not in forgotten)
        callers = replace(whole, examples=examples, small_talk=(), shows={}, lacks={}, actions={})
        data = training.embed(callers, encoder)
        case = training.case_heads(data, np.arange(len(data.joined)))
        both = {"heads": {**known.heads, **case.heads}, "tables": {**known.tables, **case.tables}}
        trained.save(replace(known, **both, corpus_digest=whole.digest), heads)


def _call_with_truth(folder: Path) -> Path:
    """Another call of the same matter in other words, as one that is measured: nobody has trained on it."""
    folder.mkdir()
    said = document(
        [
            ("agent", "Child helpline, good evening, what is it about?", 0, 3_000),
            ("caller", "My sister lets her sons break stones until it is night.", 4_000, 9_000),
            ("caller", "The money for it goes to the owner of the pit.", 10_000, 15_000),
            ("caller", "When I ask her about it she says that school brings no food.", 16_000, 22_000),
        ]
    )
    assert not {turn.text for turn in said.turns} & {turn.text for turn in told().turns}
    turns = [
        {"speaker": turn.speaker, "start_ms": turn.start_ms, "end_ms": turn.end_ms, "text": turn.text}
        for turn in said.turns
    ]
    truth = {"id": "another", "main_category": "vane", "sub_category": SUB, "turns": turns}
    (folder / "another.json").write_text(json.dumps(truth), encoding="utf-8")
    return folder


def _judged(calls: Path, heads: Path) -> dict[str, Any]:
    """What `callbus evaluate` says of the one call there with these heads."""
    result = callbus("evaluate", calls, "--heads", heads, "--json")
    assert result.exit_code == 0, result.stderr
    [judged] = json.loads(result.stdout)["tried"]["per_call"]
    return dict(judged)


async def test_feedback_on_a_call_that_nobody_knows(kafka: Connection, tmp_path: Path) -> None:
    """Exit code 7, and nothing is published; an export of nothing makes no folder."""
    code, said, error = await ran(
        kafka, "give", "call-18", "--by", "c-17", "--stage", "classification", "--sub", "Custody"
    )
    assert (code, said) == (7, "")
    assert "nothing is known of what was said in call-18" in error
    code, said, error = await ran(kafka, "export", tmp_path / "none")
    assert (code, said) == (7, "")
    assert "nobody has corrected anything yet" in error
    assert not (tmp_path / "none").exists()
    assert await read(kafka, "feedback", 0) == []
