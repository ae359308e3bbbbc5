"""`callbus groups` and `callbus lag` on a broker with the whole graph, of which no group runs."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from callbus import groups
from callbus.broker import EmbeddedBroker
from callbus.errors import BrokerError
from callbus.kafka import Connection
from callbus.topology import load
from tests.cli import TOPOLOGY, callbus, started

pytestmark = pytest.mark.broker

WITHIN_S = 20.0
GROUPS = len(load(TOPOLOGY).groups)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of one's own: topics and groups have their real names. One event waits for `translation`."""
    with EmbeddedBroker(tmp_path_factory.mktemp("groups") / "kafka") as broker:
        assert callbus("topics", "apply", *where(broker.bootstrap_servers)).exit_code == 0
        asyncio.run(_publish(broker.bootstrap_servers, "transcripts", 2, age_s=100))
        yield broker.bootstrap_servers


async def _publish(brokers: str, topic: str, lane: int, age_s: float) -> None:
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        at_ms = round((time.time() - age_s) * 1000)
        await producer.send_and_wait(topic, b"said", b"call", partition=lane, timestamp_ms=at_ms)


def where(brokers: str) -> Sequence[str | Path]:
    return ("--brokers", brokers, "--topology", TOPOLOGY)


async def test_the_whole_graph_is_read_at_once(whole: str) -> None:
    """Seven groups and eight lanes take far less than a second."""
    topology = load(TOPOLOGY)
    async with groups.reader(Connection(whole), topology) as reader:
        before = await reader.read(topology.groups)
        begun_s = time.perf_counter()
        assert list(await reader.read(topology.groups, before)) == list(topology.groups)
        assert time.perf_counter() - begun_s < 1, "0.05 s on an idle machine"


def test_groups_off_a_terminal_are_one_table(whole: str) -> None:
    """And then the command ends."""
    result = callbus("groups", *where(whole))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("no members yet") == GROUPS
    assert "translation" in result.stdout


def test_groups_for_programs(whole: str) -> None:
    """One document."""
    found = json.loads(callbus("groups", "translation", "--json", *where(whole)).stdout)
    (one,) = found["groups"]
    assert (one["state"], one["lag_events"], one["unowned_lanes"]) == ("dead", 1, list(range(8)))
    assert one["events_per_s"] == 0.0


def test_groups_as_a_stream(whole: str) -> None:
    """A line each time until Ctrl-C, which is no error; the first has no rates yet."""
    process = started("groups", "--json", "--every", "0.2", *where(whole))
    try:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=WITHIN_S)
    finally:
        process.kill()
    assert (process.returncode, said) == (0, "")
    assert (first["groups"][0]["events_per_s"], second["groups"][0]["events_per_s"]) == (None, 0.0)


def test_lag_as_a_table_and_for_programs(whole: str) -> None:
    """The table has what is behind, the document every lane of every input and retry topic."""
    shown = callbus("lag", "translation", *where(whole))
    assert shown.exit_code == 0
    assert [line.split()[:3] for line in shown.stdout.splitlines() if "transcripts" in line] == [
        ["translation", "transcripts", "2"]
    ]
    found: dict[str, Any] = json.loads(callbus("lag", "translation", "--json", *where(whole)).stdout)
    assert {(lane["topic"], lane["lane"]) for lane in found["lanes"]} == {
        (topic, lane) for topic in ("transcripts", "translation-retry") for lane in range(8)
    }
    (total,) = found["groups"]
    assert (total["events"], 100 <= total["seconds"] < 200, total["stopped"]) == (1, True, None)


def test_lag_beyond_a_limit_is_an_error(whole: str) -> None:
    """Exit code 1 and a line that names group, lane and limit; --json is whole all the same."""
    late = callbus("lag", "--json", "--max-seconds", "60", *where(whole))
    assert late.exit_code == 1
    assert len(json.loads(late.stdout)["groups"]) == GROUPS
    assert late.stderr.startswith("callbus: error: translation is 10")
    assert late.stderr.endswith("s behind on transcripts lane 2, more than 60 s; see `callbus groups translation`\n")
    assert callbus("lag", "--max-seconds", "3600", *where(whole)).exit_code == 0
    assert callbus("lag", "qa", "--max-seconds", "0", *where(whole)).exit_code == 0


def test_groups_of_an_absent_broker() -> None:
    """The usual error."""
    for command in ("groups", "lag"):
        result = callbus(command, "--brokers", "127.0.0.1:1", "--topology", TOPOLOGY)
        assert result.exit_code == BrokerError.exit_code
        assert "no Kafka broker answers at 127.0.0.1:1" in result.stderr
