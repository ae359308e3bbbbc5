"""`callbus reanalyse` on a real broker, with real models, beside the live group."""

import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from callbus.cli.shell import INTERRUPTED
from callbus.kafka import Connection
from callbus.loading import consumer_of
from callbus.reanalyse.course import Task
from callbus.reanalyse.judging import judge
from callbus.reanalyse.kept import Kept
from callbus.stretch import reader
from consumers import heads as trained
from consumers.embedding import merged
from schemas.records import CallDocument
from tests.cli import started
from tests.documents import ROOT, SAMPLES, of_sample
from tests.integration.working import CODEC, TOPOLOGY, kafka, lane_of, publish, read, running
from tests.unit.test_alerts import BEATING, END, spoken

__all__ = ["kafka"]

pytestmark = [pytest.mark.broker, pytest.mark.model, pytest.mark.slow]

LIMIT_S = 120


def other_heads(folder: Path) -> Path:
    """Heads for which every case is of low priority: those of the graph, with one bias moved."""
    known = trained.load(ROOT / "domain" / "heads")
    priority = known["priority"]
    bias = priority.bias + np.array([100.0 if label == "low" else 0.0 for label in priority.labels], dtype=np.float32)
    trained.save(replace(known, heads={**known.heads, "priority": replace(priority, bias=bias)}), folder)
    return folder


def deaf_heads(folder: Path) -> Path:
    """Heads of alerts that never raise one."""
    known = trained.load(ROOT / "domain" / "alerts")
    tables = {**known.tables, "thresholds": known.tables["thresholds"] + 50}
    trained.save(replace(known, tables=tables), folder)
    return folder


def documents() -> list[CallDocument]:
    return [of_sample(path)[0] for path in SAMPLES]


async def footprint(connection: Connection) -> tuple[Any, ...]:
    """Every group with its offsets: what a run could have disturbed."""
    admin = AIOKafkaAdminClient(**connection.client())
    await admin.start()
    try:
        groups = sorted(group[0] for group in await admin.list_consumer_groups())
        offsets = {group: await admin.list_consumer_group_offsets(group) for group in groups}
    finally:
        await admin.close()
    return groups, {group: {tp: one.offset for tp, one in its.items()} for group, its in offsets.items()}


async def ends(connection: Connection) -> dict[TopicPartition, int]:
    """Where every topic of the graph ends, open transactions and all."""
    async with reader(connection, isolation_level="read_uncommitted") as consumer:
        places = [TopicPartition(topic.name, lane) for topic in TOPOLOGY.all_topics() for lane in range(TOPOLOGY.lanes)]
        found: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return found


async def ran(connection: Connection, *arguments: str | Path) -> tuple[int, str, str]:
    process = started("reanalyse", *arguments, "--brokers", connection.brokers)
    try:
        said, told = await asyncio.to_thread(process.communicate, timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, said, told


async def test_other_heads_are_compared_with_what_was_said_live(kafka: Connection, tmp_path: Path) -> None:
    """Every call whose priority was another one is told, with the labels; who is live notices nothing."""
    whole = documents()
    running_call = replace(whole[0], call_id="running", event_id="running@1", complete=False)
    live = consumer_of(TOPOLOGY, TOPOLOGY.group("classification"))
    async with running(kafka, "classification", live):
        await publish(kafka, "call-documents", [*whole, running_call], lane_of)
        judged = [record for _, record in await read(kafka, "classifications", len(whole) + 1, LIMIT_S)]
        before, ended = await footprint(kafka), await ends(kafka)
        heads, page = other_heads(tmp_path / "heads"), tmp_path / "page.md"
        code, said, told = await ran(
            kafka,
            *("--stage", "classification", "--since", "1h", "--option", f"heads={heads}"),
            *("--report", page, "--json"),
        )
        assert code == 0, told
        assert await footprint(kafka) == before
        assert await ends(kafka) == ended
    its = json.loads(said)
    labels = {record.call_id: record.priority.label for record in judged if record.call_id != "running"}
    changed = sorted(call_id for call_id, label in labels.items() if label != "low")
    assert len(changed) >= 3
    assert its["calls"]["compared"] == len(whole)
    assert its["calls"]["running"] == 1
    assert sorted(one["call_id"] for one in its["changed"]) == changed
    for one in its["changed"]:
        [change] = one["changes"]
        assert (change["aspect"], change["from"]["label"], change["to"]["label"]) == (
            "priority",
            labels[one["call_id"]],
            "low",
        )
    assert its["aspects"]["main"]["changed"] == 0
    assert its["aspects"]["main"]["mean_score_change"] == 0
    assert its["stopped"] is False
    text = page.read_text(encoding="utf-8")
    assert "| priority | high | low |" in text
    for name in ("Brian", "Celso", "zero seven"):
        assert name not in text + said


async def test_what_is_gone_or_not_judged_is_said(kafka: Connection) -> None:
    """A call that was deleted since, and one that the live group has not come to; a period without calls is exit 7."""
    first, second, *_ = documents()
    live = consumer_of(TOPOLOGY, TOPOLOGY.group("classification"))
    async with running(kafka, "classification", live):
        await publish(kafka, "call-documents", [first], lane_of)
        await read(kafka, "classifications", 1, LIMIT_S)
    await publish(kafka, "call-documents", [second], lane_of)
    async with AIOKafkaProducer(**kafka.client()) as producer:
        await producer.send_and_wait(
            "call-documents", None, key=first.call_id.encode(), partition=lane_of(first.call_id)
        )
    code, said, told = await ran(kafka, "--stage", "classification", "--since", "1h", "--json")
    assert code == 0, told
    its = json.loads(said)["calls"]
    assert its["no_longer_there"] == [first.call_id]
    assert its["not_judged_live"] == [second.call_id]
    assert its["compared"] == 0
    code, said, told = await ran(kafka, "--stage", "qa", "--since", "2999-01-01", "--json")
    assert code == 7
    assert "no call since 2999-01-01 that qa could judge" in told


async def test_what_retention_has_taken_is_said(kafka: Connection) -> None:
    """From when on there is something; calls whose live judgement is forgotten are not passed off as unchanged."""
    first, second, *_ = documents()
    both = [replace(each, call_id=name) for each, name in ((first, "ab"), (second, "ba"))]  # of one lane
    live = consumer_of(TOPOLOGY, TOPOLOGY.group("classification"))
    async with running(kafka, "classification", live):
        for count, each in enumerate(both, start=1):
            await publish(kafka, "call-documents", [each], lane_of)
            await read(kafka, "classifications", count, LIMIT_S)
    place = TopicPartition("classifications", lane_of("ab"))
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(before_offset=2)})  # a record, and its transaction's marker
    await admin.close()
    [model] = TOPOLOGY.settings("classification").models
    with merged(model) as whole:  # the same one, as a folder of one's own, with what it has learned in its weights
        code, said, told = await ran(kafka, "--stage", "classification", "--since", "1h", "--model", whole, "--json")
    assert code == 0, told
    its = json.loads(said)
    assert its["calls"]["not_judged_live"] == ["ab"]
    assert its["calls"]["compared"] == 1
    assert its["changed"] == []
    [version] = its["new_versions"]
    assert version.startswith(f"{Path(whole).name} sha256-")
    assert set(its["forgotten_before_ms"]) == {"classifications"}


async def test_a_run_that_was_stopped_goes_on_from_what_it_kept(kafka: Connection, tmp_path: Path) -> None:
    """It ends with the batch in hand; the next run judges the others only."""
    whole = documents()
    group = TOPOLOGY.group("classification")
    small = replace(group, batch=replace(group.batch, size=1))
    consumer = consumer_of(TOPOLOGY, group)
    async with running(kafka, "classification", consumer):
        await publish(kafka, "call-documents", whole, lane_of)
        await read(kafka, "classifications", len(whole), LIMIT_S)
    task = Task(group=small, consumer=consumer, output="classifications", since_ms=0)
    path = tmp_path / "work.jsonl"
    stopping = asyncio.Event()
    part = await judge(kafka, CODEC, task, Kept.of(path, {}), _stops_at(stopping), stopping)
    assert part.stopped
    assert 0 < len(part.pairs) < len(whole)
    rest = await judge(kafka, CODEC, task, Kept.of(path, {}), lambda *_: None, asyncio.Event())
    assert (rest.from_kept, len(rest.pairs), rest.stopped) == (len(part.pairs), len(whole), False)
    last = await judge(kafka, CODEC, task, Kept.of(path, {}), lambda *_: None, asyncio.Event())
    assert (last.from_kept, last.judging_s) == (len(whole), 0)


def _stops_at(stopping: asyncio.Event) -> Callable[[str, int, int], None]:
    """Somebody who has had enough once judging begins."""

    def show(what: str, done: int, total: int) -> None:
        del done, total
        if what == "judging":
            stopping.set()

    return show


async def test_ctrl_c_reports_what_there_is(kafka: Connection) -> None:
    """While the model loads: exit code 130, a report that says so, and no trace of an exception."""
    await publish(kafka, "call-documents", documents(), lane_of)
    process = started("reanalyse", "--stage", "classification", "--since", "1h", "--json", "--brokers", kafka.brokers)
    try:
        await asyncio.sleep(0)
        while not _handles_sigint(process.pid):
            assert process.poll() is None
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said, told = await asyncio.to_thread(process.communicate, timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == INTERRUPTED, told
    assert json.loads(said)["stopped"] is True
    assert "Traceback" not in told


def _handles_sigint(pid: int) -> bool:
    """Whether the loop's handlers are in place: Python by itself catches SIGINT, and no SIGTERM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) & (1 << (signal.SIGTERM - 1)))
    return False


async def test_alerts_are_judged_from_whole_calls(kafka: Connection, tmp_path: Path) -> None:
    """A call's utterances in their order through the stage with memory; what is raised no more is told."""
    events = [*spoken(*BEATING), END]
    calm = [replace(END, call_id="calm", event_id="calm-end", utterance_id="calm-end")]
    open_call = [replace(event, call_id="open", event_id=f"open-{event.event_id}") for event in events[:2]]
    live = consumer_of(TOPOLOGY, TOPOLOGY.group("alerts"))
    async with running(kafka, "alerts", live):
        await publish(kafka, "entities", [*events, *calm, *open_call], lane_of)
        alerts = [record for _, record in await read(kafka, "alerts", 2, LIMIT_S)]
        await _committed(kafka, "alerts", len(events) + len(calm) + len(open_call))
    level = {alert.call_id: alert.level for alert in alerts}["call"]
    before = await footprint(kafka)
    code, said, told = await ran(kafka, "--stage", "alerts", "--since", "1h", "--json")
    assert code == 0, told
    same = json.loads(said)
    assert (same["calls"]["compared"], same["calls"]["running"], same["changed"]) == (2, 1, [])
    deaf = deaf_heads(tmp_path / "deaf")
    code, said, told = await ran(kafka, "--stage", "alerts", "--since", "1h", "--option", f"heads={deaf}", "--json")
    assert code == 0, told
    other = json.loads(said)
    assert other["aspects"]["danger"]["from_to"] == [
        {"from": level, "to": "none", "calls": 1},
        {"from": "none", "to": "none", "calls": 1},
    ]
    assert [one["call_id"] for one in other["changed"]] == ["call"]
    assert await footprint(kafka) == before


async def _committed(connection: Connection, group: str, count: int) -> None:
    """Until the live group has come to the end of its input."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            offsets = (await footprint(connection))[1].get(group, {})
            end = await ends(connection)
            its = {tp: end[tp] for tp in offsets if tp.topic == "entities"}
            if sum(its.values()) >= count and all(offsets[tp] == its[tp] for tp in its):
                return
            await asyncio.sleep(0.1)
