"""The command line on a real broker."""

import asyncio
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from callbus.broker import EmbeddedBroker
from callbus.codec import codec_of
from callbus.lanes import LaneChooser
from callbus.topology import load
from schemas.records import (
    CallDocument,
    CallInsight,
    Criterion,
    HeadScore,
    QaEvaluation,
    StageCompleteness,
    Turn,
)
from tests.builders import PROVENANCE, utterance
from tests.cli import SAMPLES, TOPOLOGY, callbus, started

pytestmark = pytest.mark.broker

LANES = load(TOPOLOGY).lanes
LIMIT_S = 60


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of one's own: the topics have their real names."""
    with EmbeddedBroker(tmp_path_factory.mktemp("cli") / "kafka") as broker:
        yield broker.bootstrap_servers


@pytest.fixture(scope="module")
def kafka(bare: str) -> str:
    """The same, with every topic of the graph."""
    assert callbus("topics", "apply", "--brokers", bare, "--topology", TOPOLOGY).exit_code == 0
    return bare


def publish(brokers: str, topic: str, call_id: str, values: list[bytes | Any], lane: int | None = None) -> None:
    """Put events (or bytes as they are) on the call's lane."""
    codec = codec_of(load(TOPOLOGY))

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=brokers, enable_idempotence=True) as producer:
            for value in values:
                raw = value if isinstance(value, bytes) else codec.encode(topic, value)
                at = LaneChooser(LANES).lane(call_id) if lane is None else lane
                await producer.send_and_wait(topic, raw, key=call_id.encode(), partition=at)

    asyncio.run(send())


def events(brokers: str, topic: str, call_id: str, limit: int) -> list[dict[str, Any]]:
    """The first events of a call on a topic, as `watch --json` tells them."""
    arguments = ["--from", "beginning", "--call", call_id, "--limit", str(limit), "--timeout", str(LIMIT_S), "--json"]
    result = callbus("watch", topic, *arguments, "--brokers", brokers, "--topology", TOPOLOGY)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line)["event"] for line in result.stdout.splitlines()]


def test_topics_are_applied_once(bare: str) -> None:
    """The plan shows what is missing and changes nothing; apply carries it out; then there is nothing to do."""
    where = ("--brokers", bare, "--topology", TOPOLOGY)
    count = len(load(TOPOLOGY).all_topics())
    assert callbus("topics", "plan", *where).stdout.endswith(f"Plan: {count} to create.\n")
    assert len(json.loads(callbus("topics", "plan", "--json", *where).stdout)["create"]) == count
    first, second = callbus("topics", "apply", *where), callbus("topics", "apply", *where)
    assert first.stdout.endswith(f"Plan: {count} to create.\nDone.\n")
    assert second.stdout == f"Nothing to do: {count} topics as in topology.yaml.\n"
    third = json.loads(callbus("topics", "apply", "--json", *where).stdout)
    assert (third["applied"], third["unchanged"]) == (False, count)


def test_a_plan_that_would_lose_events_is_refused(kafka: str, tmp_path: Path) -> None:
    """Exit code 6, which topic and why, nothing done; with --allow-shorter-retention it is carried out."""
    shorter = tmp_path / "topology.yaml"
    shorter.write_text(TOPOLOGY.read_text().replace("Recording, retention: 30d", "Recording, retention: 20d"))
    where = ("--brokers", kafka, "--topology", shorter)
    result = callbus("topics", "apply", *where)
    assert result.exit_code == 6
    assert "callbus: error: call-recordings: retention 30d → 20d would delete the events between" in result.stderr
    assert "Done." not in result.stdout
    assert callbus("topics", "apply", "--allow-shorter-retention", *where).stdout.endswith("Done.\n")
    assert callbus("topics", "apply", "--brokers", kafka, "--topology", TOPOLOGY).exit_code == 0


def test_a_call_that_is_played_can_be_watched(kafka: str) -> None:
    """A sample at full speed: a line with its call_id, and its chunks on one lane, in order, committed."""
    where = ("--brokers", kafka, "--topology", TOPOLOGY)
    played = callbus("play", SAMPLES / "maintenance_custody.flac", "--speed", "max", "--json", *where)
    assert played.exit_code == 0, played.stderr
    told = json.loads(played.stdout)
    assert (told["state"], told["error"]) == ("played", None)

    five = ("--from", "beginning", "--call", told["call_id"], "--limit", "5", "--timeout", str(LIMIT_S))
    watched = callbus("watch", "call-audio", *five, *where)
    assert watched.exit_code == 0, watched.stderr
    lines = watched.stdout.splitlines()
    assert len(lines) == 5
    assert len({line.split()[2].partition(":")[0] for line in lines}) == 1
    assert "agent #0 at 0.00 s, 4000 bytes pcm_s16le 8000 Hz" in lines[0]
    assert [event["type"] for event in events(kafka, "call-events", told["call_id"], 2)] == ["started", "ended"]


def test_the_call_id_of_a_line_can_be_piped(kafka: str) -> None:
    """First on its line, followed by a tab; a call_id of one's own is kept."""
    where = ("--speed", "max", "--brokers", kafka, "--topology", TOPOLOGY)
    played = callbus("play", SAMPLES / "chat_bullying_pt.json", "--call-id", "mine", *where)
    assert played.stdout.startswith("mine\tplayed\t")
    assert events(kafka, "transcripts", "mine", 1)[0]["kind"] == "message"


def test_a_bad_file_does_not_stop_the_others(kafka: str, tmp_path: Path) -> None:
    """A damaged one and one that isn't there: an error each, the good one is played, exit code 7."""
    shutil.copy(SAMPLES / "chat_bullying_pt.json", tmp_path / "good.json")
    (tmp_path / "bad.wav").write_text("this is not audio")
    where = ("--speed", "max", "--brokers", kafka, "--topology", TOPOLOGY)
    played = callbus("play", tmp_path, tmp_path / "absent.wav", *where)
    assert played.exit_code == 7
    assert [line.split("\t")[1] for line in played.stdout.splitlines()] == ["played"]
    errors = played.stderr.splitlines()
    assert len(errors) == 2
    assert f"{tmp_path / 'bad.wav'}: can't be decoded" in errors[0]
    assert f"{tmp_path / 'absent.wav'}: no such file" in errors[1]


def test_ctrl_c_hangs_up(kafka: str) -> None:
    """The call that runs gets its last chunks and its end; the exit code is a shell's for Ctrl-C."""
    where = ("--brokers", kafka, "--topology", TOPOLOGY)
    player = started("play", SAMPLES / "bullying_school.flac", "--call-id", "cut", *where)
    try:
        events(kafka, "call-audio", "cut", 4)
        player.send_signal(signal.SIGINT)
        told, said = player.communicate(timeout=LIMIT_S)
    finally:
        player.kill()
        player.wait()
    assert player.returncode == 130
    assert told.startswith("cut\tcut off\t")
    assert "hanging up" in said
    chunks = events(kafka, "call-audio", "cut", int(told.split("\t")[2].split()[0]) - 2)
    assert {chunk["channel"] for chunk in chunks if chunk["last"]} == {"agent", "caller"}
    assert [event["type"] for event in events(kafka, "call-events", "cut", 2)] == ["started", "ended"]


def test_watching_from_now_on(kafka: str) -> None:
    """What was there before isn't shown; what comes is, at once, in clear only on request."""
    publish(kafka, "transcripts", "now", [utterance("now", "Before.")])
    arguments = ["--call", "now", "--limit", "1", "--timeout", str(LIMIT_S), "--brokers", kafka, "--topology", TOPOLOGY]
    watchers = [started("watch", "transcripts", *arguments, *extra) for extra in ([], ["--clear"])]
    try:
        for watcher in watchers:
            assert watcher.stderr
            while "watching" not in (said := watcher.stderr.readline()):
                assert said, "it ended before it watched"
        publish(kafka, "transcripts", "now", [utterance("now", "My name is Amina.")])
        masked, clear = (watcher.communicate(timeout=LIMIT_S)[0] for watcher in watchers)
    finally:
        for watcher in watchers:
            watcher.kill()
            watcher.wait()
    assert masked.endswith(" now caller 0:00-0:01 “«4 words»” (en)\n")
    assert clear.endswith(" now caller 0:00-0:01 “My name is Amina.” (en)\n")


def test_what_is_no_event_is_shown_as_such(kafka: str) -> None:
    """Garbage and tombstones have their line, and the next event follows."""
    publish(kafka, "call-insights", "mixed", [b"garbage", b"\xc3\x01" + bytes(8) + b"?", _insight("mixed", 1)])
    arguments = ["--from", "beginning", "--call", "mixed", "--limit", "3", "--timeout", str(LIMIT_S)]
    result = callbus("watch", "call-insights", *arguments, "--brokers", kafka, "--topology", TOPOLOGY)
    garbage, unknown, good = result.stdout.splitlines()
    assert "unreadable: call-insights: not Avro: begins with 67 61 72 62" in garbage
    assert "unreadable: call-insights: written with schema 0000000000000000" in unknown
    assert good.endswith("revision 1 complete: QA 100% A+, 1 turns, qa waiting")


def test_waiting_for_more_than_comes(kafka: str) -> None:
    """--timeout ends it: exit code 1 where --limit asked for more, 0 where it didn't."""
    where = ("--call", "nobody", "--timeout", "0.3", "--brokers", kafka, "--topology", TOPOLOGY)
    result = callbus("watch", "call-insights", "--limit", "2", *where)
    assert result.exit_code == 1
    assert "0 of 2 events came within 0.3 s" in result.stderr
    assert callbus("watch", "call-insights", *where).exit_code == 0


@pytest.mark.parametrize("lane", [None, *range(2)], ids=["its lane", "another", "and another"])
def test_a_call_is_shown_from_whatever_lane_it_is_on(kafka: str, lane: int | None) -> None:
    """Insight, quality with evidence, conversation: the newest revision, redacted unless it is asked for in clear."""
    call_id = f"shown-{lane}"
    publish(kafka, "call-insights", call_id, [_insight(call_id, 1), _insight(call_id, 2)], lane)
    publish(kafka, "call-documents", call_id, [_document(call_id)], lane)
    publish(kafka, "qa-evaluations", call_id, [_evaluation(call_id)], lane)
    where = ("--brokers", kafka, "--topology", TOPOLOGY)
    shown = callbus("call", "show", call_id, *where).stdout
    for part in (
        "revision",
        "2, complete",
        "waiting  qa",
        "Greets the caller",
        "0:05 Hello [NAME_1]",
        "English"[:2].lower(),
    ):
        assert part in shown
    assert "Amina" not in shown
    assert "Hello Amina" in callbus("call", "show", call_id, "--clear", *where).stdout
    found = json.loads(callbus("call", "show", call_id, "--json", *where).stdout)
    assert (found["insight"]["revision"], found["document"]["turns"][0]["text"]) == (2, "Hello [NAME_1]")


def test_a_call_that_nobody_knows(kafka: str) -> None:
    """Exit code 7, and how to see which there are."""
    result = callbus("call", "show", "nobody", "--brokers", kafka, "--topology", TOPOLOGY)
    assert result.exit_code == 7
    assert f"callbus: error: no call nobody on {kafka}; `callbus watch call-insights --from beginning`" in result.stderr


def test_check_asks_the_broker_too(kafka: str) -> None:
    """A broker that is as topology.yaml has it has nothing to say."""
    found = json.loads(callbus("check", "--brokers", kafka, "--topology", TOPOLOGY, "--json").stdout)["findings"]
    assert [finding for finding in found if "broker" in finding["message"]] == []


def test_running_without_a_broker() -> None:
    """Exit code 5 and what to do, after --wait."""
    process = started("run", "documents", "--brokers", "127.0.0.1:1", "--wait", "0.1")
    said = process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 5
    assert "callbus: error: no Kafka broker answers at 127.0.0.1:1" in said


@pytest.mark.alone  # on the broker that all share, with a member's name that other tests have too
def test_running_a_group_until_it_is_told_to_stop(kafka: str) -> None:
    """It says when it is ready; SIGTERM ends it with exit code 0."""
    process = started("run", "documents", "--brokers", kafka, "--log-json", "--member", "0")
    try:
        assert process.stderr
        while '"event": "ready"' not in (said := process.stderr.readline()):
            assert said, "it ended before it was ready"
        process.terminate()
        process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0


def test_the_broker_of_a_folder(tmp_path: Path) -> None:
    """Start prints the address, once and again; status tells of it; stop ends it and leaves the data."""
    folder = ("--data-dir", tmp_path / "kafka")
    try:
        address = callbus("broker", "start", *folder, "--port", "0").stdout
        assert address.startswith("127.0.0.1:")
        assert callbus("broker", "start", *folder, "--port", "0").stdout == address
        status = callbus("broker", "status", *folder)
        assert (status.exit_code, status.stdout.startswith(f"{address.strip()} answers: pid ")) == (0, True)
        assert json.loads(callbus("broker", "status", "--json", *folder).stdout)["answering"] is True
        other = callbus("broker", "start", *folder, "--port", "1")
        assert (other.exit_code, "runs already, on port" in other.stderr) == (5, True)
    finally:
        stop = callbus("broker", "stop", *folder)
    assert stop.stdout == f"stopped; its data are in {tmp_path / 'kafka'}\n"
    assert callbus("broker", "status", *folder).exit_code == 5


def _insight(call_id: str, revision: int) -> CallInsight:
    return CallInsight(
        event_id=f"{revision}",
        call_id=call_id,
        at_ms=1_000,
        revision=revision,
        complete=True,
        medium="phone",
        started_at_ms=1_000,
        turns=1,
        languages=("en",),
        entities=(),
        qa_heads=(HeadScore(head="opening", score=1.0),),
        qa_overall=1.0,
        qa_grade="A+",
        completeness=(StageCompleteness(stage="qa", state="waiting"),),
        provenance=PROVENANCE,
    )


def _document(call_id: str) -> CallDocument:
    turn = Turn(
        utterance_id="u",
        kind="speech",
        speaker="agent",
        start_ms=5_000,
        end_ms=9_000,
        confidence=1.0,
        status="pass_through",
        source_language="en",
        text="Hello Amina",
        redacted_text="Hello [NAME_1]",
        entities=(),
    )
    return CallDocument(
        event_id="d", call_id=call_id, at_ms=1_000, revision=1, complete=True, turns=(turn,), provenance=PROVENANCE
    )


def _evaluation(call_id: str) -> QaEvaluation:
    greets = Criterion(
        head="opening", name="Greets the caller", verdict="pass", score=0.9, evidence=("u",), reason="it was said"
    )
    return QaEvaluation(
        event_id="q",
        call_id=call_id,
        at_ms=1_000,
        document_id="d",
        revision=1,
        complete=True,
        criteria=(greets,),
        heads=(HeadScore(head="opening", score=0.9),),
        overall=0.9,
        band="excellent",
        grade="A+",
        provenance=PROVENANCE,
    )
